"""How the columns of a row become a product."""

import math
from pathlib import Path
from typing import Any

import pytest

from indexer.feeds import (
    Rejection,
)
from tests.indexer.feeds.reading import (
    HEADER,
    reason_of,
    rejections_of,
    row_of,
    rows_of,
    warnings_of,
    write,
)


@pytest.mark.parametrize(
    "written", ["in_stock", "in stock", "Out of Stock", "preorder", "back_order", "instock", ""]
)
def test_what_the_specification_allows_for_availability_is_not_warned_of(
    tmp_path: Path, written: str
) -> None:
    assert warnings_of(tmp_path, availability=written) == ()


@pytest.mark.parametrize("rounded", ["1.23457E+12", "4,01234E+12", "4E+15"])
def test_an_id_that_a_spreadsheet_has_rounded_goes_in_with_a_warning(
    tmp_path: Path, rounded: str
) -> None:
    (warning,) = warnings_of(tmp_path, id=rounded)
    assert f"the id {rounded!r} looks like a number that a spreadsheet has rounded" in warning
    assert warnings_of(tmp_path, id="1E12") == ()


def test_an_unknown_availability_goes_in_with_a_warning(tmp_path: Path) -> None:
    (warning,) = warnings_of(tmp_path, availability="maybe later")
    assert "unknown availability 'maybe later'; expected in_stock" in warning


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


def test_a_typed_column_with_another_value_rejects_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "f.csv", "id,image_link,c:size:number\n1,a,42\n2,b,L\n3,c,\n4,d,inf\n")
    assert [row.reason for row in rejections_of(path)] == [
        "size must be a number; received 'L'",
        "size must be a finite number; received inf",
    ]
