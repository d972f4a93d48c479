"""Recognises loopback hosts, and checks whether the service may listen on its host."""

import ipaddress
from functools import lru_cache

from indexer.access.keys import Keys
from indexer.config import Settings
from indexer.errors import ConfigError


@lru_cache
def is_loopback(host: str) -> bool:
    """Returns whether an address or a host name is loopback."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def require_protection(settings: Settings) -> None:
    """Checks that a service on a network has keys, or that the settings allow it without.

    Raises:
        ConfigError: the service would be open to a network, and the settings do not allow it.
        KeysError: the file of keys is damaged.
    """
    host = settings.service.host
    keys = Keys(settings.storage.data_dir)
    if not (is_loopback(host) or settings.access.open or keys.all()):
        raise ConfigError(
            f"service.host: received {host!r}, which others can reach, but there are no API keys in"
            f" {keys.path}; make one with `python -m indexer keys create --scope search`, or let"
            " everyone search with access.open: true"
        )
