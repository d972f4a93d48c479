"""Where photos are: what a merchant writes in a link column, and back."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from indexer.feeds.rows import ImageRef, RowError
from indexer.fetch import is_url

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://|(data):", re.IGNORECASE)
# Image servers have commas in their URLs (.../w_300,h_300/a.jpg), so among URLs only
# a comma before the next URL separates.
_NEXT_URL = re.compile(r",\s*(?=(?:https?|file)://)", re.IGNORECASE)


def split_links(text: str) -> list[str]:
    """The links of one cell of a delimited feed, which commas separate."""
    return _NEXT_URL.split(text) if "://" in text else text.split(",")


def join_links(locations: Iterable[str]) -> str:
    """The inverse of `split_links`: photos on disk as file URLs, which hide their commas."""
    return ",".join(
        _NEXT_URL.sub("%2C", location) if _SCHEME.match(location) else Path(location).as_uri()
        for location in locations
    )


def link_of(location: str) -> str:
    """A location as a cell of its own: a path stays one if a text file can carry it."""
    plain = location.isprintable() and location == location.strip()
    return location if plain else Path(location).as_uri()


def image_refs(links: Iterable[str], base: Path) -> tuple[ImageRef, ...]:
    """The photos that `links` name, each once; relative paths start at `base`."""
    refs: dict[str, ImageRef] = {}
    for link in links:
        location = _locate(link, base)
        refs.setdefault(location, ImageRef(link, location))
    return tuple(refs.values())


def _locate(link: str, base: Path) -> str:
    if any(unicodedata.category(character) == "Cc" for character in link):
        raise RowError(f"an image link has a control character: {link!r:.200}")
    if link.startswith("//"):  # as shop systems write links that work with and without TLS
        link = f"https:{link}"
    match = _SCHEME.match(link)
    scheme = (match[1] or match[2]).lower() if match else ""
    if is_url(link):
        return link
    if scheme == "file":
        return _path_of(link)
    if scheme:
        raise RowError(
            f"an image link must be a path or an http(s) URL; received {link!r:.200} ({scheme})"
        )
    return resolved(base / link)


def _path_of(link: str) -> str:
    try:
        parts = urlsplit(link)
        path = unquote(parts.path, errors="strict")
    except ValueError as error:
        raise RowError(f"an image link is no URL; received {link!r:.200}: {error}") from error
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise RowError(
            f"a file:// image link must name a file of this machine; received {link!r:.200}"
        )
    return resolved(Path("/", path.lstrip("/")))


def resolved(path: Path) -> str:
    """The absolute path of a photo, its symbolic links followed.

    The service opens photos without following any: a link that it meets was put there later.
    """
    try:
        return os.path.realpath(path)
    except ValueError:  # no file has such a name, which is for the reading to say
        return os.path.normpath(path)
