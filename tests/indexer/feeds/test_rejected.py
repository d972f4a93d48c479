"""Rows that cannot be used: which product they may be."""

import csv
from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import (
    Feed,
    FeedRow,
    RejectedFile,
    Rejection,
    by_row,
    read_feed,
)
from tests.indexer.feeds.reading import HEADER, RSS, rejections_of, rows_of, write


def only_rejection(path: Path) -> Rejection:
    (row,) = rejections_of(path)
    return row


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ("SKU-2,,5", "SKU-2"),
        ("SKU-2,a.jpg,free", "SKU-2"),
        ("SKU-2,a.jpg,5,5", "SKU-2"),
        ('SKU-2,"a.jpg" x,5', "SKU-2"),
        ('SKU-2,"never closed,5', "SKU-2"),
        ('"SKU-2"x,a.jpg,5', None),
        (",a.jpg,5", None),
        ("SKU-2,a.jpg", None),  # may be a piece of a row
        ("SKU-2,a.jpg,5 SKU-9,a.jpg,5", None),  # two rows
    ],
)
def test_a_bad_row_has_the_id_that_is_sure_and_any_that_it_may_have(
    tmp_path: Path, bad: str, name: str | None
) -> None:
    row = only_rejection(write(tmp_path / "f.csv", f"{HEADER}1,a.jpg,5\n{bad}\n3,c.jpg,5\n"))
    assert row.product_id == name
    assert name in (None, "SKU-2")
    if name is None and "SKU" in bad and '"' not in bad:
        assert "SKU-2" in row.raw_text


def test_a_row_with_which_the_feed_ends_short_names_no_id_for_sure(tmp_path: Path) -> None:
    cut = only_rejection(write(tmp_path / "f.csv", HEADER + '1,a.jpg,5\n2,"a.j'))
    assert (cut.product_id, "the feed ends in this row" in cut.reason) == (None, True)
    cut = only_rejection(write(tmp_path / "f.jsonl", '{"id": "2", "image_link": "a'))
    assert (cut.product_id, "the feed ends in this line" in cut.reason) == (None, True)


def test_a_quote_that_is_closed_rows_later_costs_its_own_row_only(tmp_path: Path) -> None:
    text = "id,title,image_link,price\n" + '1,"Boot,a.jpg,5\n2,Shoe,b.jpg,5\n3,Clog",c.jpg,5\n'
    rows = list(read_feed(write(tmp_path / "f.csv", text)))
    assert [(row.product_id, isinstance(row, FeedRow)) for row in rows] == [
        ("1", False),
        ("2", True),
        ("3", True),
    ]


def test_text_of_several_lines_with_delimiters_is_one_cell(tmp_path: Path) -> None:
    text = 'id,title,image_link\n1,"Boots, warm\nbrown, with, fur\n42, a.b, c",a.jpg\n'
    (row,) = rows_of(write(tmp_path / "f.csv", text))
    assert row.attributes["title"] == "Boots, warm\nbrown, with, fur\n42, a.b, c"
    assert row.possible_ids == ("brown", "42")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('{"id": "7", "image_link": "a.jpg",, }', "7"),
        ('{"g:ID": 7, "title": "stray " quote"}', "7"),
        ('{"title": "Boot", "id": "7", "image_link": "a.jpg",, }', None),
        ('{"id": "7" "brand": {"id": "77"}, "image_link": "a.jpg"}', None),
        ('{"id": "7" "product_id": "77", "image_link": "a.jpg"}', None),
        ('{"id": "7", "brand": {"id": "77"},, "image_link": "a.jpg"}', None),
        ("""{'id': "7', "shop": {"id": 77}, "image_link": "a.jpg"}""", None),
        ('{id: "7", "image_link": "a.jpg", "brand": {"id": "77"}}', None),
        ('{"id": "7, "image_link": "a.jpg"}', None),
        ('{"id": "7", "x": 1}{"id": "8", "x": 1}', None),
        ('{"id": "7", "image_link": "a.jpg", "id": "8"}', "7"),
        ('{"id": "7", "image_link": null}', "7"),
    ],
)
def test_a_bad_line_of_json_has_an_id_for_sure_only_where_it_comes_first(
    tmp_path: Path, line: str, name: str | None
) -> None:
    assert only_rejection(write(tmp_path / "f.jsonl", line + "\n")).product_id == name


@pytest.mark.parametrize(
    ("items", "name"),
    [
        ("<item><g:id>7</g:id></item>", "7"),
        ("<item><g:id>7</g:id><g:image_link>a</g:image_link><g:id>8</g:id></item>", "7"),
        ("<itme><g:id>7</g:id></itme>", None),
    ],
)
def test_a_bad_item_has_the_id_that_is_sure(tmp_path: Path, items: str, name: str | None) -> None:
    assert only_rejection(write(tmp_path / "f.xml", RSS.format(items))).product_id == name


def test_an_item_inside_of_one_that_does_not_end_goes_in(tmp_path: Path) -> None:
    good = "<item><g:id>{}</g:id><g:image_link>a</g:image_link></item>"
    items = "<item><g:id>1</g:id><g:title>Warm" + good.format(2) + good.format(3)
    rows = list(read_feed(write(tmp_path / "f.xml", RSS.format(items + "</g:title></item>"))))
    assert [row.product_id for row in rows] == [None, "2", "3"]
    assert isinstance(rows[0], Rejection)
    assert rows[0].raw_text.split() == ["1"]


def test_items_on_one_line_are_told_apart(tmp_path: Path) -> None:
    good = "<item><g:id>{}</g:id><g:image_link>a</g:image_link></item>"
    bad = "<item><g:id>{}</g:id></item>"
    items = good.format(1) + bad.format(1) + bad.format(2) + bad.format(2)
    rejected = by_row(rejections_of(write(tmp_path / "f.xml", RSS.format(items))))
    assert [(row.line, row.product_id) for row in rejected] == [(1, "1"), (1, "2"), (1, "2")]
    RejectedFile(tmp_path / "bad.csv", [Feed.of(tmp_path / "f.xml")]).write(rejected)
    with (tmp_path / "bad.csv").open(newline="") as stream:
        assert [row[3] for row in csv.reader(stream)] == ["id", "1", "2", "2"]


def test_a_header_that_has_swallowed_the_rows_is_refused(tmp_path: Path) -> None:
    for text in (
        HEADER.strip() + "1,a.jpg,5\n2,b.jpg,5\n",
        HEADER.strip() + "1,https://x/a,5",
        HEADER.strip() + "9.00 EUR,SKU-1\n",
    ):
        with pytest.raises(FeedError, match="the header contains cells of a row"):
            list(read_feed(write(tmp_path / "f.csv", text)))


def test_a_feed_that_ends_in_its_header_is_refused(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path / "f.csv", HEADER)) == []
    with pytest.raises(FeedError, match="the feed ends in its header"):
        list(read_feed(write(tmp_path / "f.csv", HEADER.strip() + "1,a,5")))


def test_an_id_with_a_quote_left_over_may_be_that_without(tmp_path: Path) -> None:
    first, second = rows_of(write(tmp_path / "f.csv", HEADER + 'SKU-1",a.jpg,5\n2"a, b.png",5\n'))
    assert (first.product_id, first.possible_ids) == ('SKU-1"', ("SKU-1",))
    assert (second.product_id, second.possible_ids) == ('2"a', ("2", "a"))


def test_white_space_around_an_id_that_no_editor_shows_is_not_part_of_it(tmp_path: Path) -> None:
    (row,) = rows_of(write(tmp_path / "f.csv", HEADER + "\ufeff7\u200b,a.jpg,5\n"))
    assert row.product_id == "7"
