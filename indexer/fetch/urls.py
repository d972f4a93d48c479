"""Which locations are addresses on the web, and of which host."""

from urllib.parse import urlsplit


def is_url(location: str) -> bool:
    """Whether a photo is at an http(s) URL; otherwise it is a file."""
    return location[:8].lower().startswith(("http://", "https://"))


def host_of(url: str) -> str:
    """The host of a URL as people name it, `host` or `host:port`; empty where there is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    host = parts.hostname or ""
    return host if port is None else f"{host}:{port}"
