"""Feeds written and read by the tests."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.feeds import (
    FeedRow,
    Rejection,
    read_feed,
)

HEADER = "id,image_link,price\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(path: Path) -> list[FeedRow]:
    """All rows of a feed that must have no rejections."""
    rows = list(read_feed(path))
    assert [row for row in rows if isinstance(row, Rejection)] == []
    return [row for row in rows if isinstance(row, FeedRow)]


def rejections_of(path: Path) -> list[Rejection]:
    return [row for row in read_feed(path) if isinstance(row, Rejection)]


def row_of(tmp_path: Path, **columns: Any) -> FeedRow:
    """The row that these columns give (as JSON), beside an id and a photo."""
    path = write(tmp_path / "one.jsonl", json.dumps({"id": "1", "image_link": "a.jpg"} | columns))
    (row,) = rows_of(path)
    return row


def reason_of(tmp_path: Path, **columns: Any) -> str:
    path = write(tmp_path / "one.jsonl", json.dumps({"id": "1", "image_link": "a.jpg"} | columns))
    (row,) = read_feed(path)
    assert isinstance(row, Rejection)
    return row.reason


def write_parquet(path: Path, columns: dict[str, list[Any]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path)
    return path


def photos(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def warnings_of(tmp_path: Path, **columns: Any) -> tuple[str, ...]:
    return row_of(tmp_path, **columns).warnings


RSS = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>{}</channel></rss>'
