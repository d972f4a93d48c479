"""Every format: streamed, any bytes, files that change."""

import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import FeedError
from indexer.feeds import (
    FeedRow,
    read_feed,
)
from tests.indexer.feeds.reading import RSS, photos, write


@pytest.mark.parametrize("name", ["feed.xlsx", "feed", "photo.heic", "missing.csv"])
def test_what_is_no_feed_is_refused_at_once_with_what_is_accepted(
    tmp_path: Path, name: str
) -> None:
    if not name.startswith("missing"):
        photos(tmp_path, name)
    with pytest.raises(FeedError, match=rf"{name}: .*folder of photos.*\.csv .*\.xml"):
        read_feed(tmp_path / name)


def make_lines(count: int) -> dict[str, Iterable[str]]:
    title = "t" * 2_000
    item = "<item><g:id>{0}</g:id><title>{1}</title><g:image_link>a</g:image_link></item>"
    line = '{{"id": "{0}", "title": "{1}", "image_link": "a"}}\n'
    xml = RSS.format("".join(item.format(n, title) for n in range(count)))
    return {
        ".csv": ["id,title,image_link\n", *(f"{n},{title},a\n" for n in range(count))],
        ".jsonl": [line.format(n, title) for n in range(count)],
        ".xml": [xml],
    }


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xml"])
def test_a_feed_is_streamed(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"f{suffix}", "".join(make_lines(1_200)[suffix]))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_feed(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 1_200
    assert peak < 2_000_000 < path.stat().st_size  # measured 1.1 to 1.4 MB, 1.0 of it the ids seen


STARTS = [
    b"",
    b"id,image_link\n",
    b"id\timage_link\n1\t",
    b'{"id": "1", "image_link": "',
    b"PAR1",
    b"\xff\xfe",
    b"\xef\xbb\xbfid;image_link\n",
    b"<rss><channel><item><id>1</id><image_link>",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(STARTS), st.binary(max_size=80))
def test_any_bytes_give_rows_rejections_or_a_feed_error(
    tmp_path: Path, start: bytes, data: bytes
) -> None:
    for suffix in (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet", ".xml"):
        path = write(tmp_path / f"f{suffix}", start + data)
        try:
            rows = list(read_feed(path))
        except FeedError:
            continue
        for row in rows:
            assert row.source == str(path)
            if isinstance(row, FeedRow):
                assert row.product_id
                assert row.images


def test_a_feed_that_another_program_is_writing_is_an_error_at_its_end(tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text("id,image_link\n" + "".join(f"p{n},p{n}.jpg\n" for n in range(3)))
    rows = read_feed(feed)
    assert next(rows).product_id == "p0"
    with feed.open("a") as writing:
        writing.write("p3,p3.jpg\n")
    with pytest.raises(FeedError, match="changed while it was read"):
        list(rows)
