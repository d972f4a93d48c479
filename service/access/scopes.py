"""What a request needs, by its method and the rule of its route."""

from indexer.keys import Scope

# Probes have no keys. Photos are what the store shows on its pages anyway, and <img> sends none.
_OPEN = {"/", "/healthz", "/readyz", "/openapi.json", "/static/<path:filename>"}
_PHOTOS = "/v1/images/"


def scope_of(method: str, rule: str) -> Scope | None:
    """The scope that a key must have for a request; None if it needs no key."""
    if rule in _OPEN or rule.startswith(_PHOTOS) or method == "OPTIONS":
        return None
    if rule == "/metrics":
        return "metrics"
    if rule == "/v1/events":
        return "events"
    return "search" if method in ("GET", "HEAD") or rule == "/v1/search" else "admin"
