"""Parses the link columns of a feed into photo locations, and formats them back."""

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from indexer.feeds.rows import ImageRef, RowError
from indexer.fetch import is_url

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://|(data):", re.IGNORECASE)
# Image servers use commas in URLs (.../w_300,h_300/a.jpg), so a comma separates URLs only where
# another URL follows.
_NEXT_URL = re.compile(r",\s*(?=(?:https?|file)://)", re.IGNORECASE)


def split_links(text: str) -> list[str]:
    """Splits the comma-separated links of one cell of a delimited feed."""
    return _NEXT_URL.split(text) if "://" in text else text.split(",")


def join_links(locations: Iterable[str]) -> str:
    """Joins locations so that `split_links` splits them; paths become file URLs, without commas."""
    return ",".join(
        _NEXT_URL.sub("%2C", location) if _SCHEME.match(location) else Path(location).as_uri()
        for location in locations
    )


def link_of(location: str) -> str:
    """Formats one location as a cell; a path that a text file cannot hold becomes a file URL."""
    plain = location.isprintable() and location == location.strip()
    return location if plain else Path(location).as_uri()


def image_refs(links: Iterable[str], base: Path | str) -> tuple[ImageRef, ...]:
    """Resolves links to photos, without duplicates.

    Args:
        links: as in the feed.
        base: folder that relative paths start at; or the URL of the feed, whose links are all URLs.

    Raises:
        RowError: a link is neither a path nor an http(s) or file URL.
    """
    refs: dict[str, ImageRef] = {}
    for link in links:
        location = _locate(link, base)
        refs.setdefault(location, ImageRef(link, location))
    return tuple(refs.values())


def _locate(link: str, base: Path | str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in link):
        raise RowError(f"an image link has a control character: {link!r:.200}")
    if link.startswith("//"):  # shop systems write protocol-relative links
        link = f"https:{link}"
    match = _SCHEME.match(link)
    scheme = (match[1] or match[2]).lower() if match else ""
    if is_url(link):
        return link
    if isinstance(base, str) and not scheme:  # its author must not read files of this machine
        return _joined(base, link)
    if scheme == "file" and isinstance(base, Path):
        return _path_of(link)
    if scheme:
        raise RowError(
            f"an image link must be a path or an http(s) URL; received {link!r:.200} ({scheme})"
        )
    return resolved(Path(base, link))


def _joined(base: str, link: str) -> str:
    try:
        url = urljoin(base, link)
    except ValueError as error:
        raise RowError(f"an image link is not a valid URL: {link!r:.200}: {error}") from error
    if not is_url(url):  # C:\\photos\\a.jpg
        raise RowError(f"an image link of a feed at a URL must be a URL; received {link!r:.200}")
    return url


def _path_of(link: str) -> str:
    try:
        parts = urlsplit(link)
        path = unquote(parts.path, errors="strict")
    except ValueError as error:
        raise RowError(f"an image link is not a valid URL: {link!r:.200}: {error}") from error
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\0" in path:
        raise RowError(
            f"a file:// image link must name a file on this machine; received {link!r:.200}"
        )
    return resolved(Path("/", path.lstrip("/")))


def resolved(path: Path) -> str:
    """Returns the absolute path of a photo with symbolic links resolved.

    The service opens photos without following links, so a link created later has no effect.
    """
    try:
        return os.path.realpath(path)
    except ValueError:  # an impossible file name: reading the photo reports it
        return os.path.normpath(path)
