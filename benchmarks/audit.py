"""Plants faults in real photos and measures how many of them `audit` finds.

    python -m benchmarks.audit

The photos of clothing and footwear of the test data (IMAGE_SEARCH_TEST_DATA), with the default
weights. Every seed plants other faults. A finding that was not planted counts as wrong, although
some of the photos do have faults. The last table compares the time of the search for neighbours.
"""

import csv
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.neighbors import NearestNeighbors

from indexer.arrays import normalised
from indexer.audit.files import PhotoFiles
from indexer.audit.findings import Audit, Finding, Kind
from indexer.audit.nearest import nearest
from indexer.audit.run import audit
from indexer.config import EmbeddingSettings, FetchSettings
from indexer.embedding import load_embedder
from indexer.feeds import FeedRow, ImageRef
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.sync import Indexer
from indexer.store.embedded.catalog import Catalog

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT / "../shared/data"))
SEEDS = (1, 2, 3)
SWAPPED = 0.03

Edit = Callable[[Image.Image], Image.Image]
BLURS: tuple[Edit, ...] = (
    lambda image: image.filter(ImageFilter.GaussianBlur(0.01 * max(image.size))),
    lambda image: image.filter(ImageFilter.GaussianBlur(0.02 * max(image.size))),
)
EDITS: tuple[Edit, ...] = (  # then saved as JPEG
    lambda image: image,
    lambda image: image.resize((image.width // 2, image.height // 2)),
    lambda image: image.crop((3, 3, image.width - 3, image.height - 3)),
    lambda image: ImageEnhance.Brightness(image).enhance(1.15),
)


@dataclass
class Shop:
    """Products with one photo each, and the products of the planted faults.

    Args:
        folder: for photos that are made.
        random: decides what gets a fault; each product gets one at most.
    """

    folder: Path
    random: np.random.RandomState
    products: dict[str, tuple[Path, str]] = field(default_factory=lambda: products())
    planted: dict[Kind, list[set[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids: Iterator[str] = iter(self.random.permutation(list(self.products)).tolist())
        self.categories = sorted({category for _, category in self.products.values()})

    def rows(self) -> Iterator[FeedRow]:
        """Yields the feed."""
        for product_id, (path, category) in self.products.items():
            image = ImageRef(path.name, str(path))
            yield FeedRow(product_id, {"category": category}, (image,), None, "planted")

    def edited(self, product_id: str, edit: Edit, quality: int) -> Path:
        """Returns an edited copy of a photo."""
        path = self.folder / f"{len(self.planted)}-{product_id}.jpg"
        with Image.open(self.products[product_id][0]) as image:
            edit(image.convert("RGB")).save(path, quality=quality)
        return path

    def replace(self, kind: Kind, edit: Edit) -> None:
        """Replaces the photo of a product by an edited one."""
        product_id = next(self.ids)
        path = self.edited(product_id, edit, 88)
        self.products[product_id] = path, self.products[product_id][1]
        self.planted.setdefault(kind, []).append({product_id})

    def add(self, kind: Kind, path: Path, category: str, *others: str) -> None:
        """Adds a product, whose fault concerns others too."""
        product_id = f"{kind.value}-{len(self.products)}"
        self.products[product_id] = path, category
        self.planted.setdefault(kind, []).append({product_id, *others})

    def swap_label(self) -> None:
        """Gives a product the category of others."""
        product_id = next(self.ids)
        path, category = self.products[product_id]
        other = self.random.choice([each for each in self.categories if each != category])
        self.products[product_id] = path, str(other)
        self.planted.setdefault(Kind.UNLIKE_LABEL, []).append({product_id})


def products() -> dict[str, tuple[Path, str]]:
    """Returns photo and category of each product."""
    with (DATA / "clothing/labels.csv").open(encoding="utf-8") as file:
        rows = [(DATA / "clothing" / row["image"], row["category"]) for row in csv.DictReader(file)]
    rows += [(path, "Footwear") for path in sorted((DATA / "footwear/images").iterdir())]
    return {path.stem: (path, category) for path, category in rows}


def plant(folder: Path, seed: int) -> Shop:
    """Returns the products with faults; photos that are made are in `folder`."""
    shop = Shop(folder, np.random.RandomState(seed))
    for _ in range(int(SWAPPED * len(shop.products))):
        shop.swap_label()
    for number in range(40):
        shop.replace(Kind.BLURRED_PHOTO, BLURS[number % len(BLURS)])
    for _ in range(30):
        shop.replace(Kind.SMALL_PHOTO, lambda image: image.resize((90, 90)))
    for _ in range(20):
        product_id = next(shop.ids)
        shop.add(Kind.SHARED_PHOTO, *shop.products[product_id], product_id)
    for number in range(60):
        product_id = next(shop.ids)
        path = shop.edited(product_id, EDITS[number % len(EDITS)], 65)
        shop.add(Kind.NEAR_DUPLICATE, path, shop.products[product_id][1], product_id)
    for number in range(10):
        colour = shop.random.randint(0, 256, 3)
        pixels = shop.random.normal(colour, (0, 2, 6)[number % 3], (200, 160, 3))
        path = folder / f"blank{number}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
        shop.add(Kind.BLANK_PHOTO, path, str(shop.random.choice(shop.categories)))
    return shop


def right(found: list[Finding], planted: list[set[str]]) -> tuple[int, int]:
    """Returns how many findings were planted, and how many of the planted faults were found."""
    sets = [set(finding.products) for finding in found]
    return (
        sum(any(fault <= products for fault in planted) for products in sets),
        sum(any(fault <= products for products in sets) for fault in planted),
    )


@contextmanager
def silent(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    """A stage of the work that is not shown."""
    yield lambda _: None


def audits(folder: Path) -> Iterator[tuple[Shop, Audit]]:
    """Yields the shop and the audit of each seed."""
    embedder = load_embedder(EmbeddingSettings())
    photos = PhotoSource(ImageLimits(), FetchSettings())
    catalog = Catalog(folder / "catalogue", create=True)
    for seed in SEEDS:
        photos_of_seed = folder / str(seed)
        photos_of_seed.mkdir()
        shop = plant(photos_of_seed, seed)
        indexer = Indexer(catalog, embedder.spec, lambda: embedder, photos, lambda _: None)
        indexer.sync(shop.rows, max_removal=1)
        files = PhotoFiles(photos, lambda image: image.location)
        yield shop, audit(catalog, list(Kind), silent, files=files)
    catalog.close()


def report(results: list[tuple[Shop, Audit]]) -> None:
    """Prints precision and recall of each kind, over all seeds."""
    print(f"{'kind':<18} {'planted':>8} {'found':>6} {'precision':>10} {'recall':>7}")
    for kind in Kind:
        found = sum(len(made.findings[kind]) for _, made in results)
        planted = sum(len(shop.planted.get(kind, ())) for shop, _ in results)
        if not planted:
            print(f"{kind.value:<18} {0:>8} {found:>6}")
            continue
        pairs = [right(list(m.findings[kind]), s.planted[kind]) for s, m in results]
        good, hit = (sum(each) for each in zip(*pairs, strict=True))
        precision, recall = good / max(1, found), hit / planted
        print(f"{kind.value:<18} {planted:>8} {found:>6} {precision:>10.3f} {recall:>7.3f}")


def times(rows: int = 20_000, queries: int = 2_000, k: int = 64) -> Mapping[str, float]:
    """Returns the seconds that finding the neighbours of some vectors takes."""
    vectors = normalised(np.random.RandomState(0).normal(size=(rows, 512)))
    peer = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(vectors)
    ways: dict[str, Callable[[], object]] = {
        "audit": lambda: nearest(vectors[:queries], vectors, k),
        "scikit-learn, brute force": lambda: peer.kneighbors(vectors[:queries]),
    }
    took = {}
    for name, way in ways.items():
        way()
        start = time.perf_counter()
        way()
        took[name] = time.perf_counter() - start
    return took


def main() -> None:
    """Runs the benchmark."""
    with TemporaryDirectory() as folder:
        report(list(audits(Path(folder))))
    took = times()
    print(f"\n{'64 nearest of 20,000':<28} {'ms per vector':>14} {'ratio':>6}")
    for name, seconds in took.items():
        print(f"{name:<28} {seconds / 2:>14.3f} {took['audit'] / seconds:>6.2f}")


if __name__ == "__main__":
    main()
