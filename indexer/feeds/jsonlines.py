"""JSON Lines feeds: one object per line."""

import json
from collections.abc import Iterator
from pathlib import Path

from indexer.feeds.lines import Lines, open_text
from indexer.feeds.rows import BadRecord, Record, RowError


def read_json_lines(path: Path) -> Iterator[Record | BadRecord]:
    """Rows of a JSON Lines file; a line that is no JSON object is a `BadRecord`."""
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


def _record(number: int, line: str) -> Record | BadRecord:
    try:
        row = json.loads(line)
    except RecursionError:
        return BadRecord(number, "the JSON of this line is nested too deeply")
    except ValueError as error:
        return BadRecord(number, f"the line is not valid JSON: {error}")
    if not isinstance(row, dict):
        return BadRecord(number, f"a line must be one JSON object; received {line.strip()!r:.80}")
    return Record(number, list(row.items()))
