"""A drawn clothing store, to try the product without photos of your own.

`shapes` holds what can be drawn, `fabrics` and `palette` what it is made of, `pen`
draws it, `studio` photographs it, `catalog` decides what the store sells at which price.
"""

import csv
from pathlib import Path

from examples.sample_store.catalog import Product, draw, feed_row, plan, seeded
from examples.sample_store.studio import casual_photo, catalog_photo

__all__ = ["draw_sample_catalog"]

_QUERIES = 6


def draw_sample_catalog(folder: Path, *, products: int = 320, seed: int = 1) -> Path:
    """Draws a store of clothing and footwear into `folder`; returns the path of its feed.

    Writes `photos/<id>.jpg` (400 x 400), `queries/<n>.jpg` (what shoppers might send),
    `queries/queries.csv` (which product each shows) and, last, `products.csv`. The same
    arguments give the same pixels on every machine. From 12 products on, each kind occurs.
    Products of equal `design` are lookalikes: another brand, another price.

    Raises:
        ValueError: `products` is below 1.
    """
    if products < 1:
        raise ValueError(f"a catalogue has at least 1 product; received {products}")
    feed = folder / "products.csv"
    feed.unlink(missing_ok=True)
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    stock = plan(products, seed)
    rows = [_photograph(product, folder, seed) for product in stock]
    _draw_queries(stock, folder / "queries", seed)
    _write_csv(feed, rows)
    return feed


def _photograph(product: Product, folder: Path, seed: int) -> dict[str, str]:
    art, words = draw(product, seed)
    rng = seeded(seed, "photo", product.id)
    views = {f"photos/{product.id}.jpg": 1.0}
    if rng.random() < 0.2:
        views[f"photos/{product.id}-detail.jpg"] = 1.7
    for name, zoom in views.items():
        catalog_photo(art, rng, zoom=zoom).save(folder / name, quality=90)
    return dict(feed_row(product, words, list(views)))


def _draw_queries(stock: list[Product], folder: Path, seed: int) -> None:
    """Shoppers' photos of products that have a cheaper lookalike, of different kinds."""
    folder.mkdir(exist_ok=True)
    rows = []
    for number, product in enumerate(stock[:_QUERIES], start=1):
        art, _words = draw(product, seed)
        photo = casual_photo(art, seeded(seed, "query", product.id))
        photo.save(folder / f"{number}.jpg", quality=85)
        rows.append({"photo": f"{number}.jpg", "product_id": product.id})
    _write_csv(folder / "queries.csv", rows)


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Appears whole or not at all."""
    unfinished = path.with_suffix(".csv.part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)
