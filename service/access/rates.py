"""Rate limits of clients."""

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
    """Counts requests by client over a sliding window.

    Requests of the previous fixed window count in proportion to the part that the sliding window
    covers.

    Args:
        limit: such as `600/minute`, or `none`.
        processes: number of processes that share the limit; each grants an equal part.
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
        """Returns the seconds until a request of this cost is within the limit; 0 if it is now.

        A cost above the limit counts as the whole limit, so that a client without other requests
        is answered.
        """
        if self._item is None:
            return 0.0
        key, window_s = self._item.key_for(who), self._item.get_expiry()
        before, _, now, expires_s = self._storage.get_sliding_window(key, window_s)
        left_s = expires_s - window_s
        # The count, before * left_s / window_s + now, has to fall below this.
        bound = self._item.amount - min(cost, self._item.amount) + 1
        if now < bound:
            return max(0.0, left_s - (bound - now) * window_s / before) if before else 0.0
        return left_s + window_s * (1 - bound / now)

    def take(self, who: str, cost: int) -> None:
        """Counts a request of this cost; it must be within the limit."""
        if self._item is not None:
            self._counts.hit(self._item, who, cost=min(cost, self._item.amount))

    def give_back(self, who: str, cost: int) -> None:
        """Subtracts a request of this cost from the count of the current window."""
        if self._item is not None:
            key, window_s = self._item.key_for(who), self._item.get_expiry()
            _, current = self._storage.sliding_window_keys(key, window_s, time.time())
            self._storage.decr(current, cost)


def count(
    clients: Sequence[tuple[RateLimit, str]], cost: int, *, counted: int = 0, expected: int = 1
) -> None:
    """Counts a request against every limit, or against none if one is exceeded.

    Args:
        clients: the limits, each with the client.
        cost: of the request, as far as known.
        counted: part of `cost` that was already counted for this request.
        expected: expected cost of the whole request.

    Raises:
        RateLimitedError: a limit is exceeded; `Retry-After` is when all allow the whole cost.
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
    """Returns the client of an address: its /64 network for IPv6, which one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # not an address, but written by a trusted proxy
        return address
    if isinstance(parsed, IPv6Address) and not parsed.ipv4_mapped:
        return str(IPv6Network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
