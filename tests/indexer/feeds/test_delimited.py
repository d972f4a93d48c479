"""CSV and TSV."""

from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import (
    FeedRow,
    Rejection,
    read_feed,
)
from tests.indexer.feeds.reading import HEADER, rows_of, write


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
@pytest.mark.parametrize("delimiter", "\t,;|")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_encodings_are_recognised(
    tmp_path: Path, suffix: str, delimiter: str, encoding: str
) -> None:
    text = "id|image_link|title|a, b; c\r\n1|ä.jpg|Stiefel|\r\n".replace("|", delimiter)
    text = text.replace("a, b; c", "label")
    (row,) = rows_of(write(tmp_path / f"f{suffix}", text.encode(encoding)))
    assert (row.images[0].uri, row.attributes) == ("ä.jpg", {"title": "Stiefel"})


@pytest.mark.parametrize("delimiter", ",;\t|")
def test_a_header_may_be_quoted(tmp_path: Path, delimiter: str) -> None:
    text = '"id"|"image_link"|"title"\n"1"|"a.jpg"|"Boots"\n'.replace("|", delimiter)
    (row,) = rows_of(write(tmp_path / "f.csv", text))
    assert (row.product_id, row.attributes) == ("1", {"title": "Boots"})


def test_a_row_is_reported_by_the_line_where_it_starts(tmp_path: Path) -> None:
    text = HEADER + '1,a.jpg,5\n\n2,"a\nb.jpg",5\n,,\n3,a.jpg,free\n'
    first, second, third = read_feed(write(tmp_path / "f.csv", text))
    assert [first.line, second.line, third.line] == [2, 4, 7]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("2,a.jpg", "3 columns, this row has 2 cells"),
        ("2,a.jpg,5,6", "3 columns, this row has 4 cells"),
        ('2,"a.jpg" x,5', "quoting"),
        ('2,"never closed,5', "quoting"),
        ("2,\udcff.jpg,5", "not valid Unicode"),
        ("2,a.jpg,free", "price cannot be read; received 'free'"),
        (",a.jpg,5", "id is missing"),
        ("2,,5", "image_link is missing"),
        ("2," + "a" * 200_000 + ",5", "field larger"),
        ("2," + "a" * 2_000_000 + ",5", "longer than"),
    ],
)
def test_a_bad_row_costs_only_itself(tmp_path: Path, bad: str, reason: str) -> None:
    text = HEADER + f'1,a.jpg,5\n{bad}\n3,"c.jpg",5\n4,d.jpg,5\n'
    path = write(tmp_path / "f.csv", text.encode(errors="surrogateescape"))
    rows = list(read_feed(path))
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [row.product_id for row in rows if isinstance(row, FeedRow)] == ["1", "3", "4"]
    assert reason in next(row.reason for row in rows if isinstance(row, Rejection))


@pytest.mark.parametrize("text", ["", "\n\n", "id,title\n", "a;b\n1;2\n", '"id,image_link'])
def test_a_delimited_feed_without_the_needed_columns_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(FeedError, match=r"f\.csv: "):
        list(read_feed(write(tmp_path / "f.csv", text)))


def test_utf_16_cut_in_a_character_is_refused(tmp_path: Path) -> None:
    content = (HEADER + "1,a.jpg,5\n").encode("utf-16")[:-1]
    with pytest.raises(FeedError, match="cannot be read"):
        list(read_feed(write(tmp_path / "f.csv", content)))
