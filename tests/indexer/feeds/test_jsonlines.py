"""JSON Lines."""

from pathlib import Path

import pytest

from indexer.feeds import (
    Rejection,
    read_feed,
)
from tests.indexer.feeds.reading import write


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be one JSON object; received '[1]'"),
        ("[" * 100_000, "JSON"),
        ('{"id": "2\udcff", "image_link": "a"}', "not valid Unicode"),
        ('{"id": "2", "image_link": "a", "x\\ud800": "\\ud800"}', "not valid Unicode"),
        ('{"id": "2", "image_link": "a", "n": ' + "9" * 5000 + "}", "JSON"),
        ('{"id": "2", "image_link": "a"}' + " " * 2_000_000, "longer than"),
    ],
)
def test_a_bad_line_of_json_costs_only_itself(tmp_path: Path, bad: str, reason: str) -> None:
    good = '{{"id": "{}", "image_link": "a.jpg"}}\n'
    text = good.format(1) + bad + "\n\n" + good.format(3)
    rows = list(read_feed(write(tmp_path / "f.ndjson", text.encode(errors="surrogateescape"))))
    assert [row.line for row in rows] == [1, 2, 4]
    assert isinstance(rows[1], Rejection)
    assert reason in rows[1].reason
