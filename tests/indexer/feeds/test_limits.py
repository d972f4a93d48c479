"""What a product may come to."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.indexer.feeds.reading import rejections_of, row_of, write


def nested(depth: int) -> object:
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"title": "x" * 10_001}, "title has 10,001 characters; at most 10,000"),
        ({"x" * 101: 1}, "has 101 characters; at most 100"),
        ({f"a{n}": 1 for n in range(201)}, "has 201 attributes; at most 200"),
        ({f"a{n}": "ä" * 5_000 for n in range(7)}, "bytes together; at most 65,536"),
        ({"care": nested(9)}, "care is nested more than 8 levels deep"),
        ({"care": [[[[[[[[[1]]]]]]]]]}, "care is nested more than 8 levels deep"),
        ({"additional_image_link": [f"{n}.jpg" for n in range(100)]}, "101 photos; at most 100"),
        ({"additional_image_link": "x" * 4_097}, "4,097 characters; at most 4,096"),
    ],
)
def test_a_row_beyond_a_limit_is_rejected_with_the_limit_and_its_id(
    tmp_path: Path, columns: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "one.jsonl", json.dumps({"id": "1", "image_link": "a.jpg"} | columns))
    (row,) = rejections_of(path)
    assert row.product_id == "1"
    assert reason in row.reason


def test_a_product_may_come_to_all_limits_at_once(tmp_path: Path) -> None:
    labels = {f"{n:03}".ljust(100, "x"): "y" for n in range(196)}
    whole = {"title": "ä" * 10_000, "care": nested(8), "additional_image_link": ["x" * 4_096]}
    links = [f"{n}.jpg" for n in range(98)]
    whole["additional_image_link"] += links  # type: ignore[operator]
    row = row_of(tmp_path, **labels, **whole)
    assert (len(row.attributes), len(row.images)) == (198, 100)
