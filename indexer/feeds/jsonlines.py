"""JSON Lines feeds: one object per line."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from indexer.feeds.lines import Lines, open_text
from indexer.feeds.merchant import column_name
from indexer.feeds.rows import BadRecord, Record, RowError
from indexer.feeds.values import product_id

# A complete member of an object in possibly malformed JSON: a delimiter must follow the value.
_MEMBER = re.compile(
    r'"((?:[^"\\]|\\.){1,100})"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]{1,20})\s*(?=[,}])'
)


def read_json_lines(path: Path) -> Iterator[Record | BadRecord]:
    """Reads a JSON Lines file; a line that is not a JSON object gives a `BadRecord`."""
    with open_text(path) as stream:
        lines = Lines(stream)
        while True:
            number = lines.start_row()
            try:
                line = next(lines, None)
            except RowError as error:
                yield BadRecord(number, str(error))
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
    """Returns the record of a malformed line; its id is certain if it is the only one in it."""
    ids = tuple(dict.fromkeys(_ids(line)))
    if not line.endswith(("\n", "\r")):
        reason, certain = f"{reason}; the feed ends in this line", None
    else:
        certain = ids[0] if len(ids) == 1 else None
    return BadRecord(number, reason, certain, ids, [("", line.rstrip("\r\n"))])


def _ids(line: str) -> Iterator[str]:
    for key, value in _MEMBER.findall(line):
        if column_name(key) == "id":
            try:
                yield product_id(json.loads(value))
            except (ValueError, RowError):  # invalid escapes, or not an id
                continue
