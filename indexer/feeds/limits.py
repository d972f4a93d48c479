"""Limits on the attributes and photos of one product, in feeds and over HTTP alike.

Searches read and return attributes, so a single huge product would slow down all of them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from indexer.feeds.rows import AttributeValue, RowError

MAX_ATTRIBUTES = 200
MAX_NAME = 100  # characters
MAX_VALUE = 10_000  # characters; the Merchant specification allows 5,000 for a description
MAX_DEPTH = 8  # levels of nested lists and objects
MAX_BYTES = 64 * 1024  # of all names and values as JSON in UTF-8
MAX_PHOTOS = 100  # of a row of a feed
MAX_LINK = 4_096  # characters

SUMMARY = (
    f"A product may have up to {MAX_ATTRIBUTES} attributes, {MAX_BYTES:,} bytes of UTF-8 together;"
    f" a name up to {MAX_NAME} characters, a value up to {MAX_VALUE:,}, a nested value up to"
    f" {MAX_DEPTH} levels."
)


def require_few(attributes: Mapping[str, AttributeValue]) -> None:
    """Checks the limits on the attributes of one product.

    Raises:
        RowError: there are too many attributes, or one is too long.
    """
    if len(attributes) > MAX_ATTRIBUTES:
        raise RowError(
            f"the product has {len(attributes):,} attributes; at most {MAX_ATTRIBUTES} are accepted"
        )
    for name, value in attributes.items():
        if len(name) > MAX_NAME:
            raise RowError(
                f"the attribute name {name[:40]!r}... has {len(name):,} characters;"
                f" at most {MAX_NAME} are accepted"
            )
        if isinstance(value, str) and len(value) > MAX_VALUE:
            raise RowError(
                f"{name} has {len(value):,} characters; at most {MAX_VALUE:,} are accepted"
            )
    size = len(json.dumps(attributes, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise RowError(
            f"the attributes have {size:,} bytes together; at most {MAX_BYTES:,} are accepted"
        )


def require_shallow(name: str, value: object) -> None:
    """Checks the limit on the nesting of a value.

    Raises:
        RowError: lists and objects are nested too deeply.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inside for each in level for inside in _inside(each)]
    if any(isinstance(each, dict | list) for each in level):
        raise RowError(f"{name} is nested more than {MAX_DEPTH} levels deep")


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def require_few_photos(links: Sequence[str]) -> None:
    """Checks the limits on the photos of one product.

    Raises:
        RowError: there are too many photos, or a link is too long.
    """
    if len(links) > MAX_PHOTOS:
        raise RowError(f"the product has {len(links):,} photos; at most {MAX_PHOTOS} are accepted")
    longest = max(map(len, links), default=0)
    if longest > MAX_LINK:
        raise RowError(
            f"an image link has {longest:,} characters; at most {MAX_LINK:,} are accepted"
        )
