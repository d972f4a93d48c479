"""Parquet."""

import math
from pathlib import Path
from typing import Any

import pytest

from indexer.errors import FeedError
from indexer.feeds import (
    FeedRow,
    Rejection,
    read_feed,
)
from tests.indexer.feeds.reading import write_parquet


def test_parquet_keeps_types_and_counts_rows(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {
        "id": [1, 2, None],
        "image_link": ["a.jpg", "b.jpg", "c.jpg"],
        "additional_image_link": [["d.jpg", "e.jpg"], [], None],
        "heel": [4.5, math.nan, None],
        "vegan": [True, None, None],
        "raw": [b"text", None, None],
    }
    first, second, third = read_feed(write_parquet(tmp_path / "f.parquet", columns))
    assert isinstance(first, FeedRow)
    assert isinstance(second, FeedRow)
    assert first.attributes == {"heel": 4.5, "vegan": True, "raw": "text"}
    assert [image.uri for image in first.images] == ["a.jpg", "d.jpg", "e.jpg"]
    assert (second.product_id, second.attributes) == ("2", {})
    assert third == Rejection(str(tmp_path / "f.parquet"), 3, None, "id is missing")


def test_parquet_without_the_needed_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="missing: image_link"):
        list(read_feed(write_parquet(tmp_path / "f.parquet", {"id": ["1"]})))
