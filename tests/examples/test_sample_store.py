"""The drawn sample catalogue is a store worth searching, and the same on every machine."""

import csv
import itertools
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from examples.sample_store import draw_sample_catalog
from examples.sample_store.shapes import KINDS

PRODUCTS = 24
COLUMNS = {
    "id", "title", "image_link", "additional_image_link", "product_type", "price", "sale_price",
    "availability", "brand", "color", "pattern", "material", "gender",
}  # fmt: skip

Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pixels(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): Image.open(path).tobytes()
        for path in sorted(folder.rglob("*.jpg"))
    }


def euros(text: str) -> float:
    amount, currency = text.split()
    assert currency == "EUR"
    return float(amount)


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_sample_catalog(tmp_path_factory.mktemp("sample"), products=PRODUCTS, seed=1)


@pytest.fixture(scope="module")
def rows(feed: Path) -> list[Row]:
    return read(feed)


def test_the_same_seed_draws_the_same_pixels(tmp_path: Path) -> None:
    once, again = (draw_sample_catalog(tmp_path / run, products=6, seed=1) for run in ("a", "b"))
    assert once.read_bytes() == again.read_bytes()
    assert pixels(once.parent) == pixels(again.parent)


def test_another_seed_draws_other_products(feed: Path, tmp_path: Path) -> None:
    other = draw_sample_catalog(tmp_path, products=3, seed=2)
    assert read(other) != read(feed)[:3]
    mine, theirs = pixels(feed.parent), pixels(tmp_path)
    assert all(theirs[name] != mine[name] for name in theirs.keys() & mine.keys())


def test_the_feed_has_the_merchant_columns_and_one_row_per_product(rows: list[Row]) -> None:
    assert len(rows) == PRODUCTS
    assert set(rows[0]) >= COLUMNS
    assert len({row["id"] for row in rows}) == PRODUCTS


def test_every_photo_exists_and_shows_something(feed: Path, rows: list[Row]) -> None:
    for row in rows:
        links = [row["image_link"], *filter(None, row["additional_image_link"].split(","))]
        for link in links:
            with Image.open(feed.parent / link) as photo:
                assert photo.size == (400, 400)
                assert max(ImageStat.Stat(photo).stddev) > 8, link


def test_some_products_have_a_second_photo_and_some_a_sale_below_the_price(rows: list[Row]) -> None:
    assert any(row["additional_image_link"] for row in rows)
    sales = [row for row in rows if row["sale_price"]]
    assert sales
    assert all(euros(row["sale_price"]) < euros(row["price"]) for row in sales)


def test_every_kind_occurs(rows: list[Row]) -> None:
    assert {row["product_type"] for row in rows} == {kind.product_type for kind in KINDS}


def test_about_a_tenth_is_out_of_stock(rows: list[Row]) -> None:
    gone = [row for row in rows if row["availability"] == "out_of_stock"]
    assert 1 <= len(gone) <= PRODUCTS // 5
    assert {row["availability"] for row in rows} == {"in_stock", "out_of_stock"}


def test_lookalikes_are_of_another_brand_and_much_cheaper(feed: Path, rows: list[Row]) -> None:
    by_design = itertools.groupby(
        sorted(rows, key=lambda row: row["design"]), lambda r: r["design"]
    )
    pairs = [pair for _design, group in by_design if len(pair := list(group)) == 2]
    assert len(pairs) == PRODUCTS // 8
    photos = pixels(feed.parent)
    for pair in pairs:
        cheap, dear = sorted(pair, key=lambda row: euros(row["price"]))
        assert euros(cheap["price"]) < 0.7 * euros(dear["price"])
        assert cheap["brand"] != dear["brand"]
        assert cheap["color"] == dear["color"]
        assert photos[cheap["image_link"]] != photos[dear["image_link"]]


def test_every_shoppers_photo_names_the_product_it_shows(feed: Path, rows: list[Row]) -> None:
    queries = read(feed.parent / "queries" / "queries.csv")
    assert len(queries) == 6
    for query in queries:
        assert query["product_id"] in {row["id"] for row in rows}
        with Image.open(feed.parent / "queries" / query["photo"]) as photo:
            assert photo.size == (480, 480)


def test_an_interrupted_run_leaves_no_feed_and_can_be_repeated(tmp_path: Path) -> None:
    draw_sample_catalog(tmp_path, products=2)
    first = next(iter((tmp_path / "photos").iterdir()))
    first.unlink()
    first.mkdir()  # a photo that cannot be written ends the run
    with pytest.raises(OSError, match="directory"):
        draw_sample_catalog(tmp_path, products=2)
    assert not (tmp_path / "products.csv").exists()
    first.rmdir()
    assert len(read(draw_sample_catalog(tmp_path, products=2))) == 2


def test_an_empty_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="received 0"):
        draw_sample_catalog(tmp_path, products=0)
