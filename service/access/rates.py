"""How many requests one client may send."""

import math
import time
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network, ip_address
from threading import Lock

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from service.errors import RateLimitedError

_counting = Lock()


class RateLimit:
    """Counts requests by who sends them, over a sliding window.

    The requests of the previous fixed window count in proportion to the part of it that the
    sliding window covers.

    Args:
        limit: such as `600/minute`, or `none`.
        processes: that share the requests; this one grants its part.
    """

    def __init__(self, limit: str, processes: int) -> None:
        self.text = limit
        self._item = None
        if limit != "none":
            whole = parse(limit)
            self._item = type(whole)(math.ceil(whole.amount / processes), whole.multiples)
            self._storage = MemoryStorage()
            self._counts = SlidingWindowCounterRateLimiter(self._storage)

    def wait_s(self, who: str, cost: int) -> float:
        """Seconds until a request of this cost is within the limit; 0 if it is now.

        A cost above the limit is that of the whole limit, so that a client that has sent
        nothing else is answered.
        """
        if self._item is None:
            return 0.0
        key, window_s = self._item.key_for(who), self._item.get_expiry()
        before, _, now, expires_s = self._storage.get_sliding_window(key, window_s)
        left_s = expires_s - window_s
        # The count, before * left_s / window_s + now, has to fall below this.
        most = self._item.amount - min(cost, self._item.amount) + 1
        if now < most:
            return max(0.0, left_s - (most - now) * window_s / before) if before else 0.0
        return left_s + window_s * (1 - most / now)

    def take(self, who: str, cost: int) -> None:
        """Counts a request of this cost, which is within the limit."""
        if self._item is not None:
            self._counts.hit(self._item, who, cost=min(cost, self._item.amount))

    def give_back(self, who: str, cost: int) -> None:
        """Takes a request of this cost off the count of the current window."""
        if self._item is not None:
            key, window_s = self._item.key_for(who), self._item.get_expiry()
            _, current = self._storage.sliding_window_keys(key, window_s, time.time())
            self._storage.decr(current, cost)


def count(
    clients: Sequence[tuple[RateLimit, str]], cost: int, *, counted: int = 0, expected: int = 1
) -> None:
    """Counts a request against every limit, or, if one of them refuses, against none.

    Args:
        clients: the limits, and who sends the request for each.
        cost: of the request, as far as it is known.
        counted: what was counted for the same request before; it is part of `cost`.
        expected: what the whole request is likely to cost.

    Raises:
        RateLimitedError: a limit refuses; `Retry-After` is when all allow the whole cost.
    """
    with _counting:
        for limit, who in clients:
            limit.give_back(who, counted)
        refusing = [limit.text for limit, who in clients if limit.wait_s(who, cost)]
        if not refusing:
            for limit, who in clients:
                limit.take(who, cost)
            return
        wait_s = max(limit.wait_s(who, max(cost, expected)) for limit, who in clients)
    wait = str(math.floor(wait_s) + 1)
    raise RateLimitedError(
        f"more requests than the limit of {refusing[0]}; try again in {wait} s",
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
