"""The data for load tests: a catalogue, and photos that are not cached.

Both are created once and kept in the folder of the benchmark; delete it after format changes.
"""

import io
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.load.mixtures import DATA, mixtures
from examples.sample_store import draw_sample_catalog
from indexer.arrays import Vectors, batched, normalised
from indexer.config import DEFAULT_COLLECTION, load_settings
from indexer.embedding import resolve_spec
from indexer.interchange.features import read_features
from indexer.maintenance.compaction import rebuild
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog

DIMENSION = 512
PHOTOS = 24
PHOTO_BYTES = 300_000
_LONG_SIDE = 1600  # as uploaded by messengers and web shops
_QUALITIES = (98, 95, 92, 88, 84, 80, 75)
_BATCH = 2000
_BRANDS = ("Marlow & Finch", "Oudrey", "Nordvane", "Plumo", "Cottonwick")
_COLORS = ("black", "white", "navy", "red", "olive", "beige")
_KINDS = ("Shoes > Boots", "Shoes > Sneakers", "Clothing > Dresses", "Clothing > Shirts")


def vectors(folder: Path, products: int) -> Path:
    """Returns a file of vectors: mixtures of real ones, or of random ones without test data."""
    path = folder / f"vectors-{products}.npy"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(1)
        real = DATA / "feature_vector_store.p"
        corners = (
            normalised(read_features(real))
            if real.is_file()
            else normalised(rng.gamma(0.5, size=(1000, DIMENSION)))
        )
        made = np.concatenate(
            [
                mixtures(corners, min(_BATCH, products - start), rng)
                for start in range(0, products, _BATCH)
            ]
        )
        _write_whole(path, made)
    return path


def fill(products: int, environ: Mapping[str, str], folder: Path) -> None:
    """Creates the catalogue configured by `environ` unless it exists; vectors are in `folder`."""
    settings = load_settings(environ=environ)
    spec = resolve_spec(settings.embedding)
    done = settings.storage.data_dir / "made-of"
    if done.is_file() and done.read_text() == spec.fingerprint:
        return
    rows = np.load(vectors(folder, products), mmap_mode="r")
    catalog = Catalog(settings.folder_of(DEFAULT_COLLECTION), create=True)
    with catalog.writer() as writer:
        writer.bind(fingerprint=spec.fingerprint, weights=spec.weights, dimension=DIMENSION)
        for numbers in batched(range(products), _BATCH):
            writer.put(_product(number, rows[number]) for number in numbers)
    rebuild(catalog, settings.index)
    catalog.close()
    done.write_text(spec.fingerprint)


def product_id(number: int) -> str:
    """Returns the id of a product by its number."""
    return f"product-{number}"


def _product(number: int, vector: Vectors) -> PutProduct:
    name, kind = f"photos/{product_id(number)}.jpg", _KINDS[number % len(_KINDS)]
    attributes: dict[str, str | float | bool] = {
        "title": f"{kind.split()[-1]} number {number} of the autumn range, with pockets",
        "category": kind,
        "price": 10 + number % 190 + 0.9,
        "currency": "EUR",
        "in_stock": number % 10 != 7,
        "brand": _BRANDS[number % len(_BRANDS)],
        "color": _COLORS[number % len(_COLORS)],
        "link": f"https://shop.example/{product_id(number)}",
    }
    image = NewImage(name, name, f"made:{number}", vector)
    return PutProduct(product_id(number), attributes, (image,))


def photos(folder: Path) -> list[bytes]:
    """Returns JPEG files of about 300 KB and 2 megapixels: test data, or drawn."""
    kept = folder / f"photos-{PHOTOS}"
    if not (kept / "done").is_file():
        kept.mkdir(parents=True, exist_ok=True)
        found = sorted((DATA.parent / "clothing/images").glob("*.jpg"))
        if not found:
            draw_sample_catalog(folder / "drawn", products=PHOTOS)
            found = sorted((folder / "drawn/photos").glob("*.jpg"))
        for number, path in enumerate(found[:: max(1, len(found) // PHOTOS)][:PHOTOS]):
            (kept / f"{number}.jpg").write_bytes(_enlarged(path))
        (kept / "done").touch()
    return [path.read_bytes() for path in sorted(kept.glob("*.jpg"))]


def _enlarged(path: Path) -> bytes:
    """Returns the photo enlarged, as a JPEG of about `PHOTO_BYTES`."""
    with Image.open(path) as photo:
        scale = _LONG_SIDE / max(photo.size)
        size = round(photo.width * scale), round(photo.height * scale)
        large = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    for quality in _QUALITIES:
        file = io.BytesIO()
        large.save(file, "JPEG", quality=quality)
        if file.tell() <= PHOTO_BYTES * 1.1:
            break
    return file.getvalue()


def unique(photos: list[bytes]) -> Iterator[tuple[bytes, ...]]:
    """Yields the photos endlessly, in pieces; a JPEG comment makes each file unique.

    Caches by the hash of the file therefore never hit.
    """
    for number, photo in enumerate(itertools.cycle(photos)):
        comment = f"photo {number:>12}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        yield photo[:2] + segment, photo[2:]


def _write_whole(path: Path, array: Vectors) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)
