"""What a request needs: each view declares its scope where it stands."""

from typing import Any

from flask import Blueprint, Flask

from indexer.access.keys import Scope


class ScopedBlueprint(Blueprint):
    """A blueprint whose routes each name the scope that a key must have.

    `@blueprint.post("/v1/search", scope="search")`; the scope None is open to everyone. A route
    without a scope cannot be declared.

    Attributes:
        scopes: by method and rule, `("POST", "/v1/search")`.
    """

    def __init__(self, name: str, import_name: str) -> None:
        super().__init__(name, import_name)
        self.scopes: dict[tuple[str, str], Scope | None] = {}

    def add_url_rule(  # type: ignore[override]  # the scope is required on purpose
        self, rule: str, *arguments: Any, scope: Scope | None, **options: Any
    ) -> None:
        for method in options.get("methods") or ["GET"]:
            self.scopes[method, rule] = scope
        super().add_url_rule(rule, *arguments, **options)


def scope_of(app: Flask, method: str, rule: str) -> Scope | None:
    """The scope that a key must have for a request; None if it needs no key.

    A route that declares none, because it is of no `ScopedBlueprint`, takes `admin`.
    """
    # The files of the search page are open, and preflights carry no keys.
    if method == "OPTIONS" or rule == f"{app.static_url_path}/<path:filename>":
        return None
    declared: dict[tuple[str, str], Scope | None] = {}
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, ScopedBlueprint):
            declared |= blueprint.scopes
    return declared.get(("GET" if method == "HEAD" else method, rule), "admin")
