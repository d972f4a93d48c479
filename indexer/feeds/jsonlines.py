"""JSON Lines feeds: one object per line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from indexer.feeds.lines import MAX_ROW, Lines, open_text
from indexer.feeds.rows import BadRecord, Record, RowError
from indexer.feeds.values import product_id

# An object whose first member is a complete id, and is followed by another member.
_FIRST_IS_ID = re.compile(
    r'\s*\{\s*"(?:[gG]:)?(?:id|ID)"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]{1,20})\s*,\s*"'
)
_ID_KEY = re.compile(r'\bid"?\s*:', re.IGNORECASE)
_ESCAPE = re.compile(r"(?:\\u[0-9a-fA-F]{4})+|\\.")  # two \u may be one character


def read_json_lines(path: Path) -> Iterator[Record | BadRecord]:
    """Reads a JSON Lines file; a line that is not a JSON object gives a `BadRecord`."""
    with open_text(path) as stream:
        lines = Lines(stream)
        while True:
            number = lines.start_row()
            try:
                line = next(lines, None)
            except RowError as error:
                yield _bad(number, lines.row[0], f"the line is {error}")
                continue
            if line is None:
                return
            if line.strip():
                yield _record(number, line)


class _Members(dict[str, object]):
    """A JSON object that keeps its members in order, duplicates included."""

    def __init__(self, members: list[tuple[str, object]]) -> None:
        super().__init__(members)
        self.members = members


def _record(number: int, line: str) -> Record | BadRecord:
    try:
        row = json.loads(line, object_pairs_hook=_Members)
    except RecursionError:
        return _bad(number, line, "the JSON of this line is nested too deeply")
    except ValueError as error:
        return _bad(number, line, f"the line is not valid JSON: {error}")
    if not isinstance(row, _Members):
        return _bad(number, line, f"a line must be one JSON object; received {line.strip()!r:.80}")
    return Record(number, row.members)


def _bad(number: int, line: str, reason: str) -> BadRecord:
    """Returns the record of a malformed line; its id is certain only if it comes first."""
    certain = None
    if not line.endswith(("\n", "\r")):
        reason = f"{reason}; the feed ends in this line"
    elif (match := _FIRST_IS_ID.match(line)) and len(_ID_KEY.findall(line)) == 1:
        certain = _as_id(match[1])
    text = line
    if "\\" in line:  # ids with escaped characters occur as they are, too
        text += _ESCAPE.sub(_unescaped, line)
    shown = line.rstrip("\r\n") if len(line) <= MAX_ROW else ""
    return BadRecord(number, reason, certain, text, [("", shown)])


def _as_id(value: str) -> str | None:
    try:
        return product_id(json.loads(value))
    except (ValueError, RowError):  # invalid escapes, or not an id
        return None


def _unescaped(match: re.Match[str]) -> str:
    try:
        return str(json.loads(f'"{match[0]}"'))
    except ValueError:
        return match[0]
