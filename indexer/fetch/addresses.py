"""Checks which servers photos may come from: public ones, and hosts allowed in the settings.

The author of a feed or request chooses the URL, and could otherwise reach services that only
this machine can reach: its own ports, its private network, the metadata server of the cloud.
"""

import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from indexer.errors import FetchError

# (host, port) -> addresses, as from `socket.getaddrinfo`. Raises OSError or UnicodeError.
Resolve = Callable[[str, int], list[str]]

_PORTS = {"http": 80, "https": 443}
# The routed part of IPv6. It excludes loopback, private, link-local and multicast addresses and
# most forms that embed an IPv4 address: mapped, compatible, translated, NAT64.
_ROUTED_V6 = ip_network("2000::/3")
# Not public, although some versions of `ipaddress` call them global: special IPv4 assignments,
# 6to4 relays, special IPv6 assignments including Teredo, 6to4, documentation.
_SPECIAL = [
    ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
]
# Also permitted for allowed hosts. Link-local is excluded: metadata servers are there.
_INTERNAL = [
    *map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")),
    *map(ip_network, ("127.0.0.0/8", "::1/128", "fc00::/7")),
]


@dataclass(frozen=True)
class Target:
    """The parts of a URL, with its checked addresses: connect only to these."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def host_header(self) -> str:
        """Value of the header `Host`."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"


def resolve(host: str, port: int) -> list[str]:
    """Resolves `host` with the system's resolver; returns its addresses, best first.

    Raises:
        OSError: the name cannot be resolved.
        UnicodeError: the name is malformed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Returns whether `address` is a public unicast address."""
    if address.version == 6 and address not in _ROUTED_V6:
        return False
    special = address.is_multicast or any(address in network for network in _SPECIAL)
    return address.is_global and not special


class Guard:
    """Decides which URLs may be fetched.

    Args:
        allowed_hosts: `host` may have private addresses; `host:port` may also use that port.
        resolve: resolves host names.
        only: the only permitted hosts, in the same form; None permits any.
    """

    def __init__(
        self, allowed_hosts: Iterable[str], resolve: Resolve, only: Iterable[str] | None = None
    ) -> None:
        self._allowed = {host.lower() for host in allowed_hosts}
        self._only = None if only is None else {host.lower() for host in only}
        self._resolve = resolve

    def check(self, url: str) -> Target:
        """Parses and checks `url`; connecting to any address of the result is permitted.

        Raises:
            FetchError: the URL is invalid or not permitted.
            OSError: the host name cannot be resolved at the moment.
        """
        try:
            parts = parse_url(url)
        except LocationParseError as error:
            raise FetchError(f"invalid URL {url!r:.200}") from error
        scheme, host = parts.scheme or "", parts.host or ""
        if scheme not in _PORTS or not host:
            raise FetchError(f"invalid URL {url!r:.200}: must start with http:// or https://")
        if parts.auth is not None:
            raise FetchError("the URL contains a user name or password; send one without")
        port = parts.port or _PORTS[scheme]
        if self._only is not None and self._only.isdisjoint({host, f"{host}:{port}"}):
            raise FetchError(f"photos are not fetched from {host}; send the photo itself")
        named = f"{host}:{port}" in self._allowed
        if port not in _PORTS.values() and not named:
            raise FetchError(
                f"photos are not fetched from port {port}; use port 80 or 443",
                f"to allow this one, add {host}:{port} to fetch.allowed_hosts",
            )
        addresses = self._addresses(host, port, internal=named or host in self._allowed)
        return Target(scheme, host, port, parts.request_uri, addresses)

    def _addresses(self, host: str, port: int, *, internal: bool) -> tuple[str, ...]:
        try:
            found = self._resolve(host.strip("[]"), port)
        except UnicodeError as error:
            raise FetchError(f"invalid host name {host!r:.200}") from error
        for address in map(ip_address, found):
            inside = any(address in network for network in _INTERNAL)
            if not is_public(address) and not (internal and inside):
                # The text omits the address, which clients of the service must not learn.
                raise FetchError(
                    f"{host} is not on the public internet",
                    "if it is your own photo server, add it to fetch.allowed_hosts",
                )
        return tuple(found)
