"""Rate limits of clients."""

import logging
import math
import sqlite3
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import parse

from service.access.counts import Counts
from service.errors import RateLimitedError

log = logging.getLogger(__name__)


class RateLimit:
    """Counts requests by client over a sliding window.

    Requests of the previous fixed window count in proportion to the part that the sliding window
    covers.

    Args:
        name: of the limit, for clients.
        limit: such as `600/minute`, or `none`.
        counts: of the requests; locked during every call.

    Attributes:
        is_set: whether there is a limit.
    """

    def __init__(self, name: str, limit: str, counts: Counts) -> None:
        self.name = name
        self.text = limit
        self.counts = counts
        self.is_set = limit != "none"
        if self.is_set:
            parsed = parse(limit)
            self._amount, self._window_s = parsed.amount, float(parsed.get_expiry())

    def wait_s(self, who: str, cost: int) -> float:
        """Returns the seconds until a request of this cost is within the limit; 0 if it is now.

        A cost above the limit counts as the whole limit, so that a client without other requests
        is answered.
        """
        start = self._start()
        left_s = start + self._window_s - time.time()
        before = self._number(who, start - self._window_s)
        number = self._number(who, start)
        # The count, before * left_s / window_s + number, has to fall below this.
        bound = self._amount - min(cost, self._amount) + 1
        if number < bound:
            return max(0.0, left_s - (bound - number) * self._window_s / before) if before else 0.0
        return left_s + self._window_s * (1 - bound / number)

    @property
    def policy(self) -> str:
        """The limit as a member of `RateLimit-Policy`."""
        return f'"{self.name}";q={self._amount};w={self._window_s:.0f}'

    def state(self, who: str) -> str:
        """Returns the requests left to a client as a member of `RateLimit`."""
        start = self._start()
        left_s = start + self._window_s - time.time()
        before = self._number(who, start - self._window_s)
        taken = before * left_s / self._window_s + self._number(who, start)
        return f'"{self.name}";r={max(0, math.floor(self._amount - taken))};t={math.ceil(left_s)}'

    def take(self, who: str, cost: int) -> None:
        """Counts a request of this cost, less if it is negative; it must be within the limit."""
        cost = max(-self._amount, min(cost, self._amount))
        self.counts.add(self._key(who), self._start(), self._window_s, cost)

    def _start(self) -> float:
        """Returns the start of the current window."""
        return time.time() // self._window_s * self._window_s

    def _number(self, who: str, start: float) -> int:
        return self.counts.number(self._key(who), start)

    def _key(self, who: str) -> str:
        return f"{self.text} {who}"


def count(
    clients: Sequence[tuple[RateLimit, str]], cost: int, *, counted: int = 0, expected: int = 1
) -> dict[str, str]:
    """Counts a request against every limit, or against none if one is exceeded.

    Returns:
        The headers that tell the client its limits (draft-ietf-httpapi-ratelimit-headers-11); none
        if it has no limit.

    Args:
        clients: the limits, each with the client.
        cost: of the request, as far as known.
        counted: part of `cost` that was already counted for this request.
        expected: expected cost of the whole request.

    Raises:
        RateLimitedError: a limit is exceeded; `Retry-After` is when all allow the whole cost.
    """
    clients = [(limit, who) for limit, who in clients if limit.is_set]
    if not clients:
        return {}
    try:
        with clients[0][0].counts.locked():
            for limit, who in clients:
                limit.take(who, -counted)
            refusing = [limit.text for limit, who in clients if limit.wait_s(who, cost)]
            if not refusing:
                for limit, who in clients:
                    limit.take(who, cost)
                return _headers(clients)
            headers = _headers(clients)
            wait_s = max(limit.wait_s(who, max(cost, expected)) for limit, who in clients)
    except sqlite3.Error as error:  # a full disk should not close the shop
        log.error("requests cannot be counted and are not limited: %s", error)
        return {}
    wait = str(math.floor(wait_s) + 1)
    raise RateLimitedError(
        f"more requests than the limit of {refusing[0]}; try again in {wait} s",
        {"Retry-After": wait, **headers},
    )


def _headers(clients: Sequence[tuple[RateLimit, str]]) -> dict[str, str]:
    return {
        "RateLimit-Policy": ", ".join(limit.policy for limit, _ in clients),
        "RateLimit": ", ".join(limit.state(who) for limit, who in clients),
    }


def client_of(address: str) -> str:
    """Returns the client of an address: its /64 network for IPv6, which one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # not an address, but written by a trusted proxy
        return address
    if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
