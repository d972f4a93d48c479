"""A drawn clothing store for trying the product without photos of your own.

`catalog` plans products and prices, `shapes` defines the drawings, `fabrics` and `palette` the
materials and colours, `pen` draws, and `studio` renders the photos.
"""

import csv
from pathlib import Path

from examples.sample_store.catalog import Product, draw, feed_row, plan, seeded
from examples.sample_store.studio import casual_photo, catalog_photo

__all__ = ["draw_sample_catalog"]

_QUERIES = 6


def draw_sample_catalog(folder: Path, *, products: int = 320, seed: int = 1) -> Path:
    """Draws a store of clothing and footwear; returns the path of its feed.

    Writes `photos/<id>.jpg` (400 x 400), `queries/<n>.jpg` (photos as shoppers take them),
    `queries/queries.csv` (the product on each) and, last, `products.csv`. The same arguments give
    the same pixels on every machine. With 12 products or more, each kind occurs. Products with
    the same `design` are lookalikes with different brands and prices.

    Args:
        folder: to write to.
        products: number of products.
        seed: of all random choices.

    Raises:
        ValueError: `products` is below 1.
    """
    if products < 1:
        raise ValueError(f"products must be at least 1; received {products}")
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
    """Draws shoppers' photos of products of different kinds that have a cheaper lookalike."""
    folder.mkdir(exist_ok=True)
    rows = []
    for number, product in enumerate(stock[:_QUERIES], start=1):
        art, _words = draw(product, seed)
        photo = casual_photo(art, seeded(seed, "query", product.id))
        photo.save(folder / f"{number}.jpg", quality=85)
        rows.append({"photo": f"{number}.jpg", "product_id": product.id})
    _write_csv(folder / "queries.csv", rows)


def _write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Writes a CSV file atomically."""
    unfinished = path.with_suffix(".csv.part")
    with unfinished.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)
