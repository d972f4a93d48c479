"""Cursors: where the next page begins, as opaque text."""

import base64
import json
from typing import Any

from indexer.errors import BadParameterError


def encoded(*values: str | int) -> str:
    """Returns the cursor that holds the values."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def values_of(cursor: str, *kinds: type) -> list[Any]:
    """Returns the values of a cursor, which are of these types.

    Raises:
        BadParameterError: the text is not such a cursor.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        json.dumps(values, ensure_ascii=False).encode()  # JSON can escape half a character
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds):
        raise BadParameterError(
            f"cursor: received {cursor!r:.80}; send `next` of the previous page, unchanged"
        )
    return values
