"""Product feeds: what each format gives, what a bad row costs, and the way back to CSV."""

import csv
import io
import json
import math
import os
import re
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import FeedError
from indexer.feeds import (
    FeedRow,
    RejectedFile,
    Rejection,
    by_row,
    read_feed,
    write_products_csv,
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


# Photos without a feed file


def photos(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_folder_gives_a_product_per_photo_in_order(tmp_path: Path) -> None:
    photos(tmp_path, "z.png", "boots/red/b.JPG", "boots/a.v2.webp", "notes.txt", "a.avif")
    photos(tmp_path, ".hidden.jpg", ".thumbs/c.jpg", "boots/.d.jpg")
    assert [(row.product_id, row.attributes) for row in rows_of(tmp_path)] == [
        ("a", {}),
        ("z", {}),
        ("boots/a.v2", {"category": "boots"}),
        ("boots/red/b", {"category": "boots"}),
    ]


def test_a_photo_of_a_folder_has_its_path_below_it_and_its_place(tmp_path: Path) -> None:
    (row,) = rows_of(photos(tmp_path, "boots/a.jpg"))
    (image,) = row.images
    assert (image.uri, image.location) == ("boots/a.jpg", str(tmp_path / "boots" / "a.jpg"))
    assert (row.line, row.source) == (None, str(tmp_path))


def test_a_folder_given_by_a_relative_path_has_absolute_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert rows_of(Path())[0].images[0].location == str(tmp_path / "a.jpg")


def test_two_photos_of_one_name_are_one_product_and_a_rejection(tmp_path: Path) -> None:
    first, second = read_feed(photos(tmp_path, "a.jpg", "a.png"))
    assert isinstance(first, FeedRow)
    assert isinstance(second, Rejection)
    assert second.product_id == "a"
    assert "'a.png': same product id as 'a.jpg'" in second.reason


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "a.tif", "a.tiff"])
def test_a_photo_of_a_format_nobody_reads_is_told(tmp_path: Path, name: str) -> None:
    (row,) = rejections_of(photos(tmp_path, name))
    assert "save the photo as JPEG" in row.reason


def test_a_photo_whose_name_is_no_text_is_rejected(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
    assert "not valid Unicode" in rejections_of(tmp_path)[0].reason


def test_a_single_photo_is_a_feed(tmp_path: Path) -> None:
    (row,) = rows_of(photos(tmp_path, "a.b.jpg") / "a.b.jpg")
    assert (row.product_id, row.images[0].uri, row.attributes) == ("a.b", "a.b.jpg", {})


@pytest.mark.parametrize("name", ["feed.xlsx", "feed", "photo.heic", "missing.csv"])
def test_what_is_no_feed_is_refused_at_once_with_what_is_accepted(
    tmp_path: Path, name: str
) -> None:
    if not name.startswith("missing"):
        photos(tmp_path, name)
    with pytest.raises(FeedError, match=rf"{name}: .*folder of photos.*\.csv .*\.xml"):
        read_feed(tmp_path / name)


# Columns


@pytest.mark.parametrize(
    ("value", "price", "currency"),
    [
        ("15.00 USD", 15.0, "USD"),
        ("USD 15.00", 15.0, "USD"),
        ("15,00 EUR", 15.0, "EUR"),
        ("15.00eur", 15.0, "EUR"),
        ("1,234.50 USD", 1234.5, "USD"),
        ("1.234,50 EUR", 1234.5, "EUR"),
        ("1\u00a0234,50 €", 1234.5, "EUR"),
        ("1'234.50 CHF", 1234.5, "CHF"),
        ("1 234", 1234.0, None),
        ("EUR 1 234 567,89", 1234567.89, "EUR"),
        ("1,234,567", 1234567.0, None),
        ("0,990 KWD", 0.99, "KWD"),
        (" € 15 ", 15.0, "EUR"),
        ("0.234", 0.234, None),
        ("1.2340 EUR", 1.234, "EUR"),
        ("1.234 KWD", 1.234, "KWD"),  # which has thousandths
        (1.234, 1.234, None),
        ("1.234.567", 1234567.0, None),
        ("$15", 15.0, None),
        (15, 15.0, None),
        (15.5, 15.5, None),
        ("0", 0.0, None),
    ],
)
def test_a_price_is_read_however_shops_write_it(
    tmp_path: Path, value: object, price: float, currency: str | None
) -> None:
    expected = {"price": price} | ({"currency": currency} if currency else {})
    assert row_of(tmp_path, price=value).attributes == expected


@pytest.mark.parametrize(
    "value",
    [
        "free",
        "nan",
        "inf",
        "-5",
        "1e5",
        "1,23,4.5",
        "USD 5 EUR",
        "12 99 EUR",
        "1 2.50",
        "1 234 5",
        "1234 567",
        "1.299 000",
        "5.",
        "9" * 400,
        -1,
        True,
        1e12,
        "USD",
        "12-15 USD",
        [5],
    ],
)
def test_a_price_that_cannot_be_read_rejects_the_row(tmp_path: Path, value: object) -> None:
    assert reason_of(tmp_path, price=value).startswith("price ")


@pytest.mark.parametrize(
    "value",
    ["1.299 EUR", "EUR 1.299", "1.299", "12.500 €", "$999.000", "12,345", "4,990 KWD", "1,299 USD"],
)
def test_a_price_that_is_a_thousand_to_one_shop_and_one_to_another_rejects_the_row(
    tmp_path: Path, value: str
) -> None:
    reason = reason_of(tmp_path, price=value)
    assert reason.startswith(f"price {value!r} is ambiguous")
    digits = re.sub("[^0-9.]", "", value.replace(",", "."))
    whole = digits.replace(".", "")
    assert f"{whole} or {digits}? Write {whole}.00 or {digits}0" in reason
    row_of(tmp_path, price=f"{whole}.00")
    row_of(tmp_path, price=f"{digits}0")


def warnings_of(tmp_path: Path, **columns: Any) -> tuple[str, ...]:
    return row_of(tmp_path, **columns).warnings


@pytest.mark.parametrize(
    "written", ["in_stock", "in stock", "Out of Stock", "preorder", "back_order", "instock", ""]
)
def test_what_the_specification_allows_for_availability_is_not_warned_of(
    tmp_path: Path, written: str
) -> None:
    assert warnings_of(tmp_path, availability=written) == ()


def test_an_unknown_availability_goes_in_with_a_warning(tmp_path: Path) -> None:
    (warning,) = warnings_of(tmp_path, availability="maybe later")
    assert "unknown availability 'maybe later'; expected in_stock" in warning


@pytest.mark.parametrize(
    ("columns", "warning"),
    [
        ({"price": "20", "sale_price": "25"}, "sale_price 25.00 is above price 20.00"),
        ({"price": "20", "sale_price": "15", "sale_price_effective_date": "soon"}, "'soon'"),
        ({"price": "20", "sale_price": "20"}, None),
        ({"price": "20", "sale_price": "0"}, None),
    ],
)
def test_a_sale_that_cannot_be_one_goes_in_with_a_warning(
    tmp_path: Path, columns: dict[str, str], warning: str | None
) -> None:
    found = warnings_of(tmp_path, **columns)
    assert found == () if warning is None else warning in found[0]


FROM_2000, UNTIL_2000 = "2000-01-01T00:00+0100/9000-01-01", "1999-01-01/2000-01-01T00:00Z"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"price": "20 USD", "sale_price": "15 USD"}, {"price": 15.0, "regular_price": 20.0}),
        ({"price": "20 USD", "sale_price": "20 USD"}, {"price": 20.0}),
        ({"price": "20 USD", "sale_price": "25 USD"}, {"price": 20.0}),
        ({"price": "20 USD", "sale_price": "0 USD"}, {"price": 20.0}),
        ({"sale_price": "15 USD"}, {"price": 15.0}),
        ({"regular_price": "20 USD"}, {"price": 20.0}),
        ({"regular_price": "20 USD", "price": "15 USD"}, {"price": 15.0, "regular_price": 20.0}),
    ],
)
def test_the_price_is_what_the_shopper_pays(
    tmp_path: Path, columns: dict[str, str], expected: dict[str, float]
) -> None:
    assert row_of(tmp_path, **columns).attributes == expected | {"currency": "USD"}


@pytest.mark.parametrize(("window", "price"), [(FROM_2000, 15), (UNTIL_2000, 20), ("soon", 15)])
def test_a_sale_counts_while_it_lasts(tmp_path: Path, window: str, price: float) -> None:
    row = row_of(tmp_path, price="20", sale_price="15", sale_price_effective_date=window)
    assert row.attributes["price"] == price


def test_prices_in_two_currencies_reject_the_row(tmp_path: Path) -> None:
    reason = reason_of(tmp_path, price="20 USD", sale_price="15 EUR")
    assert "['EUR', 'USD']" in reason


@pytest.mark.parametrize(
    ("value", "availability", "in_stock"),
    [
        ("in stock", "in_stock", True),
        ("in_stock", "in_stock", True),
        ("In Stock", "in_stock", True),
        ("https://schema.org/InStock", "in_stock", True),
        ("out of stock", "out_of_stock", False),
        ("SoldOut", "out_of_stock", False),
        ("pre-order", "preorder", False),
        ("backorder", "backorder", False),
        ("Made to order", "made_to_order", None),
    ],
)
def test_availability_is_normalised_and_says_what_is_in_stock(
    tmp_path: Path, value: str, availability: str, in_stock: bool | None
) -> None:
    attributes = row_of(tmp_path, availability=value).attributes
    assert attributes["availability"] == availability
    assert attributes.get("in_stock") is in_stock


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("No", False), (1, True), (0.0, False), ("yes", True), (False, False)],
)
def test_in_stock_may_be_given_as_a_column(tmp_path: Path, value: object, expected: bool) -> None:
    attributes = row_of(tmp_path, in_stock=value, availability="preorder").attributes
    assert attributes == {"availability": "preorder", "in_stock": expected}


def test_in_stock_that_is_neither_rejects_the_row(tmp_path: Path) -> None:
    assert "received 'perhaps'" in reason_of(tmp_path, in_stock="perhaps")


@pytest.mark.parametrize("product_type", ["Shoes > Boots", "Shoes &gt; Boots", "Boots", "A>Boots>"])
def test_the_last_step_of_the_product_type_is_the_category(
    tmp_path: Path, product_type: str
) -> None:
    attributes = row_of(tmp_path, product_type=product_type).attributes
    assert attributes == {"product_type": product_type, "category": "Boots"}


def test_an_explicit_category_wins(tmp_path: Path) -> None:
    attributes = row_of(tmp_path, product_type="Shoes > Boots", category="winter").attributes
    assert attributes["category"] == "winter"


@pytest.mark.parametrize(
    "header", ["id,image_link", "ID,Image Link", "g:id,g:image_link", "product_id,image"]
)
def test_headers_are_read_in_any_spelling(tmp_path: Path, header: str) -> None:
    (row,) = rows_of(write(tmp_path / "f.csv", f"{header}\n7,a.jpg\n"))
    assert (row.product_id, row.images[0].uri) == ("7", "a.jpg")


def test_unknown_columns_become_labels_and_json_keeps_their_types(tmp_path: Path) -> None:
    labels = {"heel_cm": 4.5, "size": 42, "vegan": True, "fit": "wide", "title": 501}
    empty: dict[str, Any] = {"a": "", "b": None, "c": [], "d": " ", "e": math.nan}
    nested = {"sizes": ["S", "ü"], "care": {"wash": 30}}
    attributes = row_of(
        tmp_path, **labels, **empty, **nested, ean=2**60, **{"Größe (EU)": 42}
    ).attributes
    assert attributes == labels | {
        "title": "501",
        "sizes": '["S", "ü"]',
        "care": '{"wash": 30}',
        "ean": str(2**60),
        "größe_eu": 42,
    }
    assert [type(attributes[name]) for name in ("heel_cm", "size", "vegan")] == [float, int, bool]


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "1e999"])
def test_infinity_is_no_attribute(tmp_path: Path, value: str) -> None:
    path = write(tmp_path / "f.jsonl", f'{{"id": "1", "image_link": "a.jpg", "weight": {value}}}')
    assert "weight must be a finite number" in rejections_of(path)[0].reason


@pytest.mark.parametrize("value", ["shoes/1", "ä ö", "50%", "a,b;c\"d'", "👟", "x" * 512])
def test_product_ids_are_the_merchants(tmp_path: Path, value: str) -> None:
    assert row_of(tmp_path, id=value).product_id == value


@pytest.mark.parametrize(("value", "expected"), [(7, "7"), (7.0, "7"), (" 7 ", "7")])
def test_a_numeric_id_is_text(tmp_path: Path, value: object, expected: str) -> None:
    assert row_of(tmp_path, id=value).product_id == expected


@pytest.mark.parametrize("value", ["", " ", None, "x" * 513, "a\nb", "a\x00", 1.5, True, [1]])
def test_an_id_that_is_none_rejects_the_row(tmp_path: Path, value: object) -> None:
    assert reason_of(tmp_path, id=value).startswith("id ")


def test_an_id_may_be_used_once(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", HEADER + "1,a.jpg,5\n1,b.jpg,6\n2,c.jpg,7\n")
    assert rejections_of(path) == [
        Rejection(str(path), 3, "1", "id '1' was already used earlier in the feed")
    ]


# What a product may come to


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


# Rows that name their id though they cannot be used


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
        assert "SKU-2" in row.text


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
    assert row.may_name == ("brown", "42")


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
    assert rows[0].text.split() == ["1"]


def test_items_on_one_line_are_told_apart(tmp_path: Path) -> None:
    good = "<item><g:id>{}</g:id><g:image_link>a</g:image_link></item>"
    bad = "<item><g:id>{}</g:id></item>"
    items = good.format(1) + bad.format(1) + bad.format(2) + bad.format(2)
    rejected = by_row(rejections_of(write(tmp_path / "f.xml", RSS.format(items))))
    assert [(row.line, row.product_id) for row in rejected] == [(1, "1"), (1, "2"), (1, "2")]
    RejectedFile(tmp_path / "bad.csv", [tmp_path / "f.xml"]).write(rejected)
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
    assert (first.product_id, first.may_name) == ('SKU-1"', ("SKU-1",))
    assert (second.product_id, second.may_name) == ('2"a', ("2", "a"))


def test_white_space_around_an_id_that_no_editor_shows_is_not_part_of_it(tmp_path: Path) -> None:
    (row,) = rows_of(write(tmp_path / "f.csv", HEADER + "\ufeff7\u200b,a.jpg,5\n"))
    assert row.product_id == "7"


# Photos of a row


@pytest.mark.parametrize(
    ("link", "location"),
    [
        ("https://cdn.example/a.jpg?w=1,2", "https://cdn.example/a.jpg?w=1,2"),
        ("HTTP://cdn.example/a.jpg", "HTTP://cdn.example/a.jpg"),
        ("//cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("/photos/50%20off,1.jpg", "/photos/50%20off,1.jpg"),
        ("file:///photos/50%25%20off.jpg", "/photos/50% off.jpg"),
        ("file://localhost/a.jpg", "/a.jpg"),
        ("sub/../a b.jpg", "{feed}/a b.jpg"),
    ],
)
def test_an_image_link_is_a_path_or_a_url(tmp_path: Path, link: str, location: str) -> None:
    (image,) = row_of(tmp_path, image_link=link).images
    assert (image.uri, image.location) == (link, location.replace("{feed}", str(tmp_path)))


@pytest.mark.parametrize(
    "link",
    [
        "",
        None,
        "ftp://x/a.jpg",
        "s3://b/a.jpg",
        "data:image/png;base64,AA",
        "file://host/a.jpg",
        "a\x00.jpg",
        {"url": "a"},
        5,
        "http://\ud800",
        "file:///%ff.jpg",
        "file://[/a.jpg",
    ],
)
def test_an_image_link_that_leads_nowhere_rejects_the_row(tmp_path: Path, link: object) -> None:
    assert "image" in reason_of(tmp_path, image_link=link)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("b.jpg, c.jpg,,", ["a.jpg", "b.jpg", "c.jpg"]),
        ("http://x/w_3,h_3/b.jpg,https://x/c", ["a.jpg", "http://x/w_3,h_3/b.jpg", "https://x/c"]),
        (["b,1.jpg", "c.jpg"], ["a.jpg", "b,1.jpg", "c.jpg"]),
        ("a.jpg,b.jpg,./b.jpg", ["a.jpg", "b.jpg"]),
    ],
)
def test_a_product_has_each_of_its_photos_once(
    tmp_path: Path, more: object, expected: list[str]
) -> None:
    row = row_of(tmp_path, additional_image_link=more)
    assert [image.uri for image in row.images] == expected


def test_additional_image_columns_may_repeat(tmp_path: Path) -> None:
    header = "id,image_link,additional_image_link,additional image link\n"
    (row,) = rows_of(write(tmp_path / "f.csv", header + '1,a,"b,c",d\n'))
    assert [image.uri for image in row.images] == ["a", "b", "c", "d"]


# CSV and TSV


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


# JSON Lines


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


# Parquet


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


# XML

RSS = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>{}</channel></rss>'
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">{}</feed>'


def test_rss_items_are_products(tmp_path: Path) -> None:
    item = """
    <item><title>Plain</title><g:title> Boots &amp; <![CDATA[<more>]]></g:title>
      <g:id>7</g:id><link>https://shop/7</link><g:price>15.00 USD</g:price>
      <g:image_link>https://x/a,b.jpg</g:image_link>
      <g:additional_image_link>https://x/c.jpg</g:additional_image_link>
      <g:additional_image_link>https://x/d.jpg</g:additional_image_link>
      <g:shipping><g:country>US</g:country><g:price>5 USD</g:price></g:shipping>
      <g:brand/>
    </item>"""
    (row,) = rows_of(write(tmp_path / "f.xml", RSS.format(item)))
    assert (row.product_id, row.line) == ("7", 2)
    assert row.attributes == {
        "title": "Boots & <more>",
        "link": "https://shop/7",
        "price": 15.0,
        "currency": "USD",
    }
    assert [image.uri[-7:] for image in row.images] == ["a,b.jpg", "x/c.jpg", "x/d.jpg"]


def test_atom_entries_are_products(tmp_path: Path) -> None:
    entry = '<entry><id>urn:1</id><link href="https://shop/7"/><g:id>7</g:id>{}</entry>'.format(
        "<g:image_link>a.jpg</g:image_link>"
    )
    (row,) = rows_of(write(tmp_path / "f.xml", ATOM.format(entry)))
    assert (row.product_id, row.attributes) == ("7", {"link": "https://shop/7"})


def test_a_bad_item_costs_only_itself(tmp_path: Path) -> None:
    good = "<item><g:id>{}</g:id><g:image_link>a.jpg</g:image_link></item>\n"
    long = "<item><g:id>9</g:id><g:title>" + "x" * 2_000_000 + "</g:title></item>\n"
    items = "\n" + good.format(1) + "<item><g:id>2</g:id></item>\n" + long + good.format(3)
    rows = list(read_feed(write(tmp_path / "f.xml", RSS.format(items))))
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [row.reason[:20] for row in rows if isinstance(row, Rejection)] == [
        "image_link is missin",
        "the item is longer t",
    ]


LAUGHS = "<!DOCTYPE rss [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>" + RSS.format(
    "<item>&b;</item>"
)
OUTSIDE = "<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + RSS.format(
    "<item>&x;</item>"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "must have no <!DOCTYPE>"),
        (OUTSIDE, "must have no <!DOCTYPE>"),
        ('<!DOCTYPE rss SYSTEM "http://x/rss.dtd">' + RSS, "must have no <!DOCTYPE>"),
        (RSS.format("<item>&nbsp;</item>"), "undefined entity"),
        ("<html></html>", "expected an RSS or Atom feed; received <html>"),
        (RSS[:-3], "not well-formed"),
        ("", "no element found"),
        ('<?xml version="1.0" encoding="nonsense"?><rss/>', "not well-formed"),
        ('<rss a="' + "x" * 3_000_000 + '"/>', "a tag is longer than"),
    ],
)
def test_xml_that_is_no_feed_or_an_attack_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(FeedError, match=reason):
        list(read_feed(write(tmp_path / "f.xml", text)))


# Every format: streaming, any bytes, round trips


def make_lines(count: int) -> dict[str, Iterable[str]]:
    title = "t" * 400
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
    path = write(tmp_path / f"f{suffix}", "".join(make_lines(5_000)[suffix]))
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_feed(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 5_000
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


TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
LABELS = st.dictionaries(
    st.sampled_from(["title", "brand", "color", "size", "fit", "größe", "item_group_id"]),
    TEXT,
    max_size=4,
)
TYPED_LABELS = st.dictionaries(
    st.sampled_from(["heel", "vegan", "size", "x_1"]), TEXT | NUMBERS | st.booleans(), max_size=4
)
PRICES = st.fixed_dictionaries(
    {},
    optional={
        "price": st.floats(0, 1e11),
        "sale_price": st.floats(0, 1e11),
        "currency": st.sampled_from(["USD", "eur", "Taler"]),
        "availability": st.sampled_from(["in stock", "out of stock", "preorder", "on order"]),
        "in_stock": st.booleans(),
        "category": TEXT,
        "product_type": TEXT,
    },
)
PATHS = TEXT.map(lambda text: os.path.normpath("/p/" + text))
IMAGES = st.lists(
    PATHS | st.sampled_from(["https://x/w_3,h_3/a.jpg", "http://x/ä?b=1"]), min_size=1, max_size=3
)


@st.composite
def products(draw: st.DrawFn, labels: st.SearchStrategy[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as a shop would write them, with several images in a list."""
    ids = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    return [{"id": name, "images": draw(IMAGES)} | draw(PRICES) | draw(labels) for name in ids]


def plain_prices(product: dict[str, Any]) -> dict[str, Any]:
    return {
        name: f"{value:.2f}" if name.endswith("price") else value for name, value in product.items()
    }


def cells(product: dict[str, Any]) -> dict[str, str]:
    """A product as text cells; photos in separate columns, so that commas need no escape."""
    texts = {name: str(value) for name, value in plain_prices(product).items() if name != "images"}
    return texts | {"image_link": product["images"][0]}


def write_delimited(path: Path, rows: list[dict[str, Any]]) -> None:
    names = sorted({name for row in rows for name in cells(row)})
    with path.open("w", encoding="utf-8", newline="") as stream:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        writer = csv.DictWriter(stream, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(cells(row) for row in rows)


def write_json(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(cells(row)) + "\n" for row in rows), encoding="utf-8")


def write_xml(path: Path, rows: list[dict[str, Any]]) -> None:
    items = io.StringIO()
    for row in rows:
        parts = (f"<g:{name}>{escape(text)}</g:{name}>" for name, text in cells(row).items())
        items.write(f"<item>{''.join(parts)}</item>")
    path.write_text(RSS.replace("{}", items.getvalue()), encoding="utf-8")


def write_arrow(path: Path, rows: list[dict[str, Any]]) -> None:
    names = {name for row in rows for name in cells(row)}
    write_parquet(path, {name: [cells(row).get(name) for row in rows] for name in names})


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "f.csv": write_delimited,
    "f.tsv": write_delimited,
    "f.jsonl": write_json,
    "f.xml": write_xml,
    "f.parquet": write_arrow,
}


def essence(row: FeedRow) -> tuple[object, ...]:
    """What must survive, with types (1 == True == 1.0 otherwise)."""
    types = {name: type(value) for name, value in row.attributes.items()}
    return row.product_id, row.attributes, types, [image.location for image in row.images]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(products(LABELS))
def test_every_format_gives_the_same_rows(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    results = []
    for name, write_rows in WRITERS.items():
        write_rows(tmp_path / name, rows)
        results.append([essence(row) for row in rows_of(tmp_path / name)])
    assert [result[0] for result in results[0]] == [row["id"] for row in rows]
    for row, (_, attributes, _, locations) in zip(rows, results[0], strict=True):
        assert isinstance(attributes, dict)
        assert locations == [row["images"][0]]
        for label in ("title", "brand", "color", "size", "fit", "größe", "item_group_id"):
            assert attributes.get(label) == row.get(label)
    for result in results[1:]:
        assert result == results[0]


def as_json(product: dict[str, Any]) -> str:
    first, *more = product["images"]
    return json.dumps(
        {name: value for name, value in product.items() if name != "images"}
        | {"image_link": first, "additional_image_link": more}
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(products(TYPED_LABELS))
def test_what_is_exported_reads_back_the_same(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    write(tmp_path / "f.jsonl", "\n".join(map(as_json, rows)))
    before = rows_of(tmp_path / "f.jsonl")
    write_products_csv(tmp_path / "products.csv", lambda: before)
    after = rows_of(tmp_path / "products.csv")
    assert [essence(row) for row in after] == [essence(row) for row in before]


def test_an_export_has_merchant_columns_first_and_one_record_per_product(tmp_path: Path) -> None:
    row = row_of(tmp_path, price="20 USD", sale_price="15 USD", title="A\r\nB", size=42, fit="w")
    write_products_csv(tmp_path / "p.csv", lambda: [row, row])
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as stream:
        header, first, second = csv.reader(stream)
    assert ",".join(header) == (
        "id,title,image_link,additional_image_link,product_type,category,price,sale_price,"
        "currency,availability,in_stock,brand,color,c:size:number,fit"
    )
    assert first == second
    assert first[:3] == ["1", "A\r\nB", str(tmp_path / "a.jpg")]
    assert first[6:8] == ["20.0 USD", "15.0 USD"]


def test_a_typed_column_with_another_value_rejects_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", "id,image_link,c:size:number\n1,a,42\n2,b,L\n3,c,\n4,d,inf\n")
    assert [row.reason for row in rejections_of(path)] == [
        "size must be a number; received 'L'",
        "size must be a finite number; received inf",
    ]


def test_a_feed_that_another_program_is_writing_is_an_error_at_its_end(tmp_path: Path) -> None:
    feed = tmp_path / "feed.csv"
    feed.write_text("id,image_link\n" + "".join(f"p{n},p{n}.jpg\n" for n in range(3)))
    rows = read_feed(feed)
    assert next(rows).product_id == "p0"
    with feed.open("a") as writing:
        writing.write("p3,p3.jpg\n")
    with pytest.raises(FeedError, match="changed while it was read"):
        list(rows)
