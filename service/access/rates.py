"""How many requests one client may send."""

import math
import time
from ipaddress import IPv6Address, IPv6Network, ip_address

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from service.errors import RateLimitedError


class RateLimit:
    """Counts requests by who sends them, over the last minute (or what `limit` says).

    Args:
        limit: such as `600/minute`, or `none`.
        processes: that share the requests; this one grants its part.
    """

    def __init__(self, limit: str, processes: int) -> None:
        self._limit = limit
        self._item = None
        if limit != "none":
            whole = parse(limit)
            self._item = type(whole)(math.ceil(whole.amount / processes), whole.multiples)
            self._counts = SlidingWindowCounterRateLimiter(MemoryStorage())

    def count(self, who: str) -> None:
        """
        Raises:
            RateLimitedError: they have sent too many.
        """
        self._hit(who, 1)

    def charge(self, who: str, cost: int) -> None:
        """Counts a request that was counted once as `cost` requests.

        As the whole limit at most, so that a client that has sent nothing else is answered.

        Raises:
            RateLimitedError: that is too many.
        """
        if self._item is not None and (rest := min(cost, self._item.amount) - 1) > 0:
            self._hit(who, rest)

    def _hit(self, who: str, cost: int) -> None:
        if self._item is None or self._counts.hit(self._item, who, cost=cost):
            return
        free_at = self._counts.get_window_stats(self._item, who).reset_time
        wait = str(max(1, math.ceil(free_at - time.time())))
        raise RateLimitedError(
            f"more requests than the limit of {self._limit}; try again in {wait} s",
            {"Retry-After": wait},
        )


def client_of(address: str) -> str:
    """Who has this address: of IPv6, one customer has 2^64 of them."""
    try:
        parsed = ip_address(address)
    except ValueError:  # what a trusted proxy wrote; it knows why
        return address
    if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
