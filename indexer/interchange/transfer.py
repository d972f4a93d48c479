"""Imports and exports vectors as plain files."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from indexer.arrays import Ids, Vector, Vectors, batched, normalised
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import IMPORTED, require
from indexer.errors import BadParameterError, FeaturesError
from indexer.feeds import FeedRow, ImageRef, write_products_csv
from indexer.fetch import PhotoRoot
from indexer.files import storage_error
from indexer.interchange.features import name_of, product_id_of, read_features, read_names
from indexer.interchange.photos import PHOTOS, Photo, lines_of, photos_in, read_photos
from indexer.store import VECTOR_HASH, Image, NewImage, PutProduct, Reader, Records, Writer
from indexer.store.places import is_upload_path, location_of

FEATURES, NAMES, PRODUCTS, ORIGIN = "features.npy", "names.txt", "products.csv", "embedding.json"
_BATCH = 500
_NOTHING: tuple[Ids, Vectors] = (np.empty(0, np.int64), np.empty((0, 0), np.float32))


@dataclass(frozen=True)
class Imported:
    """The result of an import."""

    products: int
    vectors: int
    fingerprint: str


def export(records: Records, folder: Path, root: PhotoRoot) -> tuple[int, int]:
    """Writes features.npy, names.txt, products.csv, photos.jsonl and embedding.json.

    Row i of features.npy belongs to line i of names.txt and of photos.jsonl. Files of an earlier
    export are replaced once all new ones are complete.

    Args:
        records: to export.
        folder: to write to; created if it does not exist.
        root: that stored paths are relative to; the files have absolute paths.

    Returns:
        The numbers of products and vectors.

    Raises:
        BadParameterError: the folder has a file with one of these names that is not from an
            export.
        ImageError: paths are relative to a root, and `root` has none.
        StorageError: the folder cannot be written.
    """
    foreign = [name for name in (FEATURES, NAMES, PRODUCTS, PHOTOS) if (folder / name).exists()]
    if foreign and not (folder / ORIGIN).is_file():
        raise BadParameterError(
            f"{folder} has {', '.join(foreign)}, not written by an export; use another folder"
        )

    def locate(image: Image) -> str:
        return root.found(location_of(records.folder, image))

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".export-", dir=folder) as stage, records.reader() as reader:
            _write_vectors(reader, Path(stage), locate)
            write_products_csv(Path(stage, PRODUCTS), lambda: _feed_rows(reader, locate))
            for file in Path(stage).iterdir():
                file.replace(folder / file.name)
            return reader.counts()
    except OSError as error:
        raise storage_error(f"cannot write to {folder}", error) from error


def import_features(
    records: Records,
    features: Path,
    names: Path,
    spec: EmbeddingSpec,
    *,
    same_model: bool,
    photos: Path | None = None,
    root: PhotoRoot | None = None,
) -> Imported:
    """Adds the product of each name with its vector; several rows of a product are its photos.

    Vectors of an unknown model can be searched by product, but not by photo.

    Args:
        records: to add to.
        features: file of vectors, one per row.
        names: file of names, one per row.
        spec: of the configured model.
        same_model: the configured model made the vectors; otherwise this is assumed only if the
            `embedding.json` of an export next to `features` has its fingerprint.
        photos: folder with the photo of each row by its file name; None takes them from the
            export that `features` belongs to.
        root: that paths of photos are stored relative to.

    Raises:
        FeaturesError: a file cannot be read, or the files do not match.
        FingerprintMismatchError: the catalogue holds vectors of another model.
    """
    rows, vectors = _read(features, names, photos, root or PhotoRoot())
    known = same_model or _origin(features) == spec.fingerprint
    fingerprint = spec.fingerprint if known else IMPORTED
    with records.writer() as writer:
        if known:
            with records.reader() as reader:
                require(reader, spec)
        writer.bind(
            fingerprint=fingerprint,
            weights=spec.weights if known else IMPORTED,
            dimension=vectors.shape[1],
            fields=spec.fields if known else None,
        )
        _put(records, writer, rows)
    return Imported(len(rows), len(vectors), fingerprint)


def _read(
    features: Path, names: Path, photos: Path | None, root: PhotoRoot
) -> tuple[dict[str, list[NewImage]], Vectors]:
    """Returns the images of each product, and the vectors of all; see `import_features`."""
    listed = read_names(names)
    vectors = _unit_rows(read_features(features), features)
    if len(listed) != len(vectors):
        raise FeaturesError(f"{features} has {len(vectors)} rows, {names} has {len(listed)} names")
    shown = (
        read_photos(features, list(map(product_id_of, listed)))
        if photos is None
        else photos_in(photos, listed)
    )
    return _images_of(listed, vectors, [_portable(photo, root) for photo in shown]), vectors


def _portable(photo: Photo | None, root: PhotoRoot) -> Photo | None:
    """Returns a photo with its location as it is stored."""
    if photo is None or is_upload_path(photo.location):
        return photo
    return replace(photo, location=root.stored(photo.location))


def _put(records: Records, writer: Writer, rows: Mapping[str, Sequence[NewImage]]) -> None:
    """Stores the images of products; those that exist keep their attributes."""
    for batch in batched(rows.items(), _BATCH):
        with records.reader() as reader:
            stored = reader.products(product_id for product_id, _ in batch)
        writer.put(
            PutProduct(
                product_id,
                stored[product_id].attributes if product_id in stored else {},
                tuple(images),
            )
            for product_id, images in batch
        )


def _images_of(
    names: Sequence[str], vectors: Vectors, photos: Sequence[Photo | None]
) -> dict[str, list[NewImage]]:
    """Groups the images by product, in the order of the product's photos if known."""
    found: dict[str, list[tuple[int, NewImage]]] = {}
    for row, (name, photo) in enumerate(zip(names, photos, strict=True)):
        image = _image(name, vectors[row], photo)
        position = row if photo is None else photo.position
        found.setdefault(product_id_of(name), []).append((position, image))
    return {
        product_id: [image for _, image in sorted(images, key=itemgetter(0))]
        for product_id, images in found.items()
    }


def _write_vectors(reader: Reader, folder: Path, locate: Callable[[Image], str]) -> None:
    chunks = list(reader.all_vectors()) or [_NOTHING]
    np.save(folder / FEATURES, np.concatenate([vectors for _, vectors in chunks]))
    with (folder / NAMES).open("w", encoding="utf-8", newline="\n") as names:
        for ids, _ in chunks:
            images = reader.images(ids.tolist())
            names.writelines(f"{name_of(images[i].product_id, '.jpg')}\n" for i in ids.tolist())
    with (folder / PHOTOS).open("w", encoding="utf-8", newline="\n") as photos:
        for ids, _ in chunks:
            photos.writelines(lines_of(reader, ids, locate))
    origin = {"fingerprint": reader.fingerprint, "weights": reader.weights}
    (folder / ORIGIN).write_text(json.dumps(origin) + "\n", encoding="utf-8")


def _feed_rows(reader: Reader, locate: Callable[[Image], str]) -> Iterator[FeedRow]:
    for batch in batched(list(reader.product_ids()), _BATCH):
        for product in reader.products(batch).values():
            images = tuple(ImageRef(image.uri, locate(image)) for image in product.images)
            yield FeedRow(product.product_id, product.attributes, images, None, "")


def _origin(features: Path) -> str | None:
    """Returns the fingerprint in an export's embedding.json; None if there is none."""
    try:
        fingerprint = json.loads((features.parent / ORIGIN).read_bytes())["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(fingerprint)


def _unit_rows(raw: np.ndarray, features: Path) -> Vectors:
    try:
        return normalised(raw)
    except ValueError as error:
        raise FeaturesError(f"{features}: {error}") from error


def _image(name: str, vector: Vector, photo: Photo | None) -> NewImage:
    if photo is not None:
        return NewImage(photo.uri, photo.location, photo.sha256, vector)
    # The photo is unknown, so the hash of the vector replaces its content hash.
    return NewImage(name, name, f"{VECTOR_HASH}{sha256(vector.tobytes()).hexdigest()}", vector)
