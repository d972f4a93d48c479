"""Checks keys and rate limits of requests."""

import re
from collections.abc import Sequence

from flask import current_app, g, request

from indexer.access.keys import Key, Keys, Scope
from indexer.config import Settings
from service.access import rates
from service.access.counts import Counts
from service.access.hosts import is_loopback
from service.access.rates import RateLimit, client_of
from service.access.scopes import scope_of
from service.errors import ForbiddenError, UnauthorizedError
from service.server.lifecycle import ASKED_FOR, BODY, siblings

_CHALLENGE = 'Bearer realm="product search"'
# Headers that proxies add: a request from a local proxy is not a local request.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "Via")
_MAX_COSTS = 10_000


class Guard:
    """Checks keys and counts requests of one application."""

    def __init__(self, settings: Settings) -> None:
        access = settings.access
        counts = Counts(None if siblings.folder is None else siblings.folder / "requests.sqlite")
        self._keys = Keys(settings.storage.data_dir)
        self._open = access.open
        self._bound_here = is_loopback(settings.service.host)
        self._by_key = RateLimit("key", access.rate_limit_per_key, counts)
        self._by_address = RateLimit("address", access.rate_limit_per_address, counts)
        # Cost of the last request of a client to an endpoint: `check` refuses before the body is
        # read, and its `Retry-After` is for the expected cost of the whole request.
        self._costs: dict[tuple[str, str | None], int] = {}

    def check(self) -> None:
        """Checks the rate limits and the key of the current request.

        Raises:
            RateLimitedError: the client sends too many requests.
            UnauthorizedError: the request needs a key and has none, or an invalid one.
            ForbiddenError: the key lacks the scope.
        """
        rule = request.url_rule
        scope = scope_of(current_app, request.method, rule.rule) if rule else None
        if scope is None:
            return
        text = _sent_key()
        key = None if text is None else self._keys.find(text)
        clients = self._clients(key)
        if request.environ.get(BODY) == ASKED_FOR:  # its head was already checked and counted
            g.rate_limits = rates.count(clients, 0)
            return
        expected = self._costs.get(_kind(clients), 1)
        g.rate_limits = rates.count(clients, 1, expected=expected)
        if text is None:
            self._check_without_key(scope)
            return
        if key is None:
            raise UnauthorizedError(
                "the API key is not valid: it may have been revoked; ask the operator of this"
                " service for another",
                {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
                "`python -m indexer keys list` shows those that are valid",
            )
        if not key.allows(scope):
            raise ForbiddenError(
                f"the API key {key.id} has scope {', '.join(key.scopes)}; this request needs scope"
                f" {scope}: ask the operator of this service for a key that has it",
                {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"'},
                f"`python -m indexer keys create --scope {scope}` makes one",
            )

    def charge(self, cost: int) -> None:
        """Counts the current request, already checked by `check`, as `cost` requests.

        Raises:
            RateLimitedError: the client exceeds a limit.
        """
        text = _sent_key()
        key = None if text is None else self._keys.find(text)
        clients = self._clients(key)
        if len(self._costs) >= _MAX_COSTS:
            self._costs.clear()
        self._costs[_kind(clients)] = cost
        g.rate_limits = rates.count(clients, max(1, cost), counted=1)

    def _clients(self, key: Key | None) -> list[tuple[RateLimit, str]]:
        """Returns the limits that the request counts against, each with the client."""
        by_address = (self._by_address, client_of(request.remote_addr or ""))
        return [by_address] if key is None else [by_address, (self._by_key, key.id)]

    def _check_without_key(self, scope: Scope) -> None:
        shopping = scope in ("search", "events")
        if shopping and self._open:
            return
        # Per request, because gunicorn's --bind can override the settings.
        local = self._bound_here and is_loopback(request.remote_addr or "")
        if local and not self._keys.all() and (shopping or _is_direct()):
            return
        raise UnauthorizedError(
            f"this request needs an API key of scope {scope}: send `Authorization: Bearer KEY`, or"
            " ask the operator of this service for a key",
            {"WWW-Authenticate": _CHALLENGE},
            f"`python -m indexer keys create --scope {scope}` makes one",
        )


def _kind(clients: Sequence[tuple[RateLimit, str]]) -> tuple[str, str | None]:
    """Returns the key of requests with similar cost: of one client, to one endpoint."""
    return clients[-1][1], request.endpoint


def charge(cost: int) -> None:
    """Counts the current request as `cost` requests; call when its parameters are known.

    Raises:
        RateLimitedError: the client exceeds a limit.
    """
    guard: Guard = current_app.extensions["guard"]
    guard.charge(cost)


def _sent_key() -> str | None:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else request.headers.get("X-API-Key")


def _is_direct() -> bool:
    """Returns whether the request came neither through a proxy nor by DNS rebinding."""
    name = re.sub(r":\d*$", "", request.host)
    return is_loopback(name) and not any(header in request.headers for header in _FORWARDED)
