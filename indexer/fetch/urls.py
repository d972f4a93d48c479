"""Distinguishes URLs from paths, and extracts hosts."""

from urllib.parse import urlsplit


def is_url(location: str) -> bool:
    """Returns whether a location is an http(s) URL; otherwise it is a path."""
    return location[:8].lower().startswith(("http://", "https://"))


def host_of(url: str) -> str:
    """Returns `host` or `host:port` of a URL; empty if it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    return host if port is None else f"{host}:{port}"
