"""Scopes of endpoints: each view declares the scope that a key must have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask

from indexer.access.keys import Scope
from service.http.descriptions import Description


@dataclass(frozen=True)
class Route:
    """The declaration of a view.

    Attributes:
        scope: that a key must have; None if no key is needed.
        summary: first line of the docstring.
        description: for the OpenAPI document; None to leave the view out.
    """

    scope: Scope | None
    summary: str
    description: Description | None


class ScopedBlueprint(Blueprint):
    """A blueprint whose routes each declare a scope.

    `@blueprint.post("/v1/search", scope="search", description=...)`; the scope None needs no key.
    A route without a scope raises a TypeError.

    Attributes:
        routes: by method and rule, `("POST", "/v1/search")`.
    """

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.routes: dict[tuple[str, str], Route] = {}

    def add_url_rule(  # type: ignore[override]  # the scope is required on purpose
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        *,
        scope: Scope | None,
        description: Description | None = None,
        **options: Any,
    ) -> None:
        summary = ((view_func and view_func.__doc__) or "").partition("\n")[0]
        for method in options.get("methods") or ["GET"]:
            self.routes[method, rule] = Route(scope, summary, description)
        super().add_url_rule(rule, endpoint, view_func, **options)


def scope_of(app: Flask, method: str, rule: str) -> Scope | None:
    """Returns the scope that a key must have for a request; None if it needs no key.

    A route that is not of a `ScopedBlueprint` needs `admin`.
    """
    # The files of the search page are public, and preflights have no keys.
    if method == "OPTIONS" or rule == f"{app.static_url_path}/<path:filename>":
        return None
    wanted = ("GET" if method == "HEAD" else method, rule)
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, ScopedBlueprint) and wanted in blueprint.routes:
            return blueprint.routes[wanted].scope
    return "admin"
