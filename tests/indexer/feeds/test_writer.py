"""Round trips: every format gives the same rows, and an export reads back the same."""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.feeds import (
    FeedRow,
    write_products_csv,
)
from tests.indexer.feeds.reading import RSS, row_of, rows_of, write, write_parquet

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
