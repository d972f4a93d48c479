"""Reads and decodes the photos of feed rows."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from threading import BoundedSemaphore

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vector
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import require
from indexer.embedding.photos import prepare
from indexer.errors import FingerprintMismatchError, HostError, ImageError, ImageSearchError
from indexer.feeds import FeedRow, ImageRef, Rejection
from indexer.fetch import PhotoSource, host_of, is_url
from indexer.ingest.pipeline import Lanes
from indexer.ingest.report import Missed
from indexer.store import NewImage, PutProduct, Records
from indexer.store.places import is_upload_path

# Photos decoded at once, which bounds the memory of decoding.
_DECODERS = 4


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
        self._decoders = BoundedSemaphore(_DECODERS)

    def begin(self, row: FeedRow, lanes: Lanes) -> Callable[[], Prepared]:
        """Begins to read the photos of a row side by side; returns what waits for them.

        Args:
            row: of a feed.
            lanes: one for each host; paths have the lane "".
        """
        reading = [
            lanes.submit(_lane(ref), partial(self._prepared, row, ref))
            for ref in map(self._portable, row.images)
        ]
        return partial(_joined, row, reading)

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

    def _prepared(self, row: FeedRow, ref: ImageRef) -> Prepared:
        """Reads one photo of a row."""
        try:
            return Prepared(row, [self._photo(row.product_id, ref)], [], [])
        except HostError as error:
            return self._without_host(row, ref, error)
        except (ImageError, FingerprintMismatchError) as error:
            return _unusable(row, ref, error)

    def _without_host(self, row: FeedRow, ref: ImageRef, error: HostError) -> Prepared:
        """Returns the stored or cached photo of a host that is down, or the rejection."""
        if kept := self._kept(row.product_id, ref):
            return Prepared(row, kept, [], [Missed(ref, str(error), "stored")])
        if data := self._photos.kept(ref.location):
            try:
                photo = self._recognised(ref, sha256(data).hexdigest(), data)
            except ImageError as unusable:
                return _unusable(row, ref, unusable)
            return Prepared(row, [photo], [], [Missed(ref, str(error), "cached")])
        rejection = row.rejected(f"{host_of(ref.location)}: {error}")
        return Prepared(row, [], [], [Missed(ref, str(error), rejection)])

    def _photo(self, product_id: str, ref: ImageRef) -> Photo:
        try:
            with self._records.reader() as reader:
                require(reader, self._spec)
        except FingerprintMismatchError:
            if kept := self._kept(product_id, ref):
                return kept[0]
            raise
        content_hash, data = self._photos.read_unless(ref.location, self._is_stored)
        return self._recognised(ref, content_hash, data)

    def _recognised(self, ref: ImageRef, content_hash: str, data: bytes | None) -> Photo:
        """Decodes a photo, unless its vector is stored."""
        if data is None or self._is_stored(content_hash):
            return Photo(ref, content_hash, None)
        return Photo(ref, content_hash, self._pixels(data))

    def _is_stored(self, content_hash: str) -> bool:
        with self._records.reader() as reader:
            return bool(reader.known_photos([content_hash]))

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
        with self._decoders:
            return prepare(data, self._photos.limits, self._spec)


def _lane(ref: ImageRef) -> str:
    return host_of(ref.location) if is_url(ref.location) else ""


def _unusable(row: FeedRow, ref: ImageRef, error: ImageSearchError) -> Prepared:
    return Prepared(row, [], [row.rejected(f"{ref.uri}: {error}", str(error))], [])


def _joined(row: FeedRow, reading: list[Future[Prepared]]) -> Prepared:
    """Waits for the photos of a row, and returns them in its order."""
    joined = Prepared(row, [], [], [])
    for prepared in (each.result() for each in reading):
        joined.photos.extend(prepared.photos)
        joined.rejections.extend(prepared.rejections)
        joined.missed.extend(prepared.missed)
    return joined
