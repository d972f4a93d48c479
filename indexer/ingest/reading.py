"""Reads and decodes the photos of feed rows."""

from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vector
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import require
from indexer.embedding.photos import prepare
from indexer.errors import FingerprintMismatchError, HostError, ImageError
from indexer.feeds import FeedRow, ImageRef, Rejection
from indexer.fetch import PhotoSource, host_of
from indexer.ingest.report import Missed
from indexer.store import NewImage, PutProduct, Records
from indexer.store.embedded.catalog.places import is_upload_path


@dataclass(frozen=True)
class Photo:
    """A photo that was read, or a stored photo that is kept.

    `pixels` is None if its vector is stored; `vector` is set for a kept photo.
    """

    ref: ImageRef
    content_hash: str
    pixels: NDArray[np.uint8] | None
    vector: Vector | None = None


@dataclass(frozen=True)
class Prepared:
    """A row with its photos, and the photos that cannot be used."""

    row: FeedRow
    photos: list[Photo]
    rejections: list[Rejection]
    missed: list[Missed]

    def put(self, vectors: dict[str, Vector]) -> PutProduct:
        """Returns the product to write; `vectors` has those of new photos by content hash."""
        images = tuple(
            NewImage(
                photo.ref.uri,
                photo.ref.location,
                photo.content_hash,
                vectors.get(photo.content_hash),
            )
            for photo in self.photos
        )
        return PutProduct(self.row.product_id, self.row.attributes, images)


class RowReader:
    """Reads the photos of rows. Thread-safe.

    If the vectors of the collection were made with other settings, photos that a product has
    already are kept without reading them, and others are rejected.

    Args:
        records: stored photos.
        spec: of the configured model.
        photos: reads photos from disk and from the web.
    """

    def __init__(self, records: Records, spec: EmbeddingSpec, photos: PhotoSource) -> None:
        self._records = records
        self._spec = spec
        self._photos = photos

    def read(self, row: FeedRow) -> Prepared:
        """Reads the photos of a row."""
        prepared = Prepared(row, [], [], [])
        for ref in map(self._portable, row.images):
            try:
                prepared.photos.append(self._photo(row.product_id, ref))
            except HostError as error:
                kept = self._kept(row.product_id, ref)
                prepared.photos.extend(kept)
                reason = f"{host_of(ref.location)}: {error}"
                rejection = row.rejected(reason)
                prepared.missed.append(Missed(ref, str(error), None if kept else rejection))
            except (ImageError, FingerprintMismatchError) as error:
                reason = f"{ref.uri}: {error}"
                prepared.rejections.append(row.rejected(reason, str(error)))
        return prepared

    def read_again(self, photo: Photo) -> NDArray[np.uint8]:
        """Reads the pixels of a photo that has none.

        Raises:
            ImageError: the photo can no longer be used.
        """
        return self._pixels(self._photos.read(photo.ref.location))

    def _portable(self, ref: ImageRef) -> ImageRef:
        """Returns a photo with its location as it is stored."""
        if is_upload_path(ref.location):  # stored relative to the folder of its collection
            return ref
        return replace(ref, location=self._photos.root.stored(ref.location))

    def _photo(self, product_id: str, ref: ImageRef) -> Photo:
        try:
            with self._records.reader() as reader:
                require(reader, self._spec)
        except FingerprintMismatchError:
            if kept := self._kept(product_id, ref):
                return kept[0]
            raise
        return self._read(ref)

    def _read(self, ref: ImageRef) -> Photo:
        data = self._photos.read(ref.location)
        content_hash = sha256(data).hexdigest()
        with self._records.reader() as reader:
            known = reader.known_photos([content_hash])
        return Photo(ref, content_hash, None if known else self._pixels(data))

    def _kept(self, product_id: str, ref: ImageRef) -> list[Photo]:
        """Returns the stored photo of the product with this location, if any."""
        with self._records.reader() as reader:
            stored = reader.products([product_id]).get(product_id)
            same = [i for i in stored.images if i.location == ref.location] if stored else []
            if not same:
                return []
            _, (vector,) = reader.vectors([same[0].image_id])
        return [Photo(ref, same[0].content_hash, None, vector)]

    def _pixels(self, data: bytes) -> NDArray[np.uint8]:
        return prepare(data, self._photos.limits, self._spec)
