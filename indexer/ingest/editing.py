"""Changes of single products, sent over HTTP.

Photos are downloaded, decoded and embedded before the writer lock is taken. The lock is held for
milliseconds, so the command line can write in between.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.arrays import Vector
from indexer.embedding.kinds import bind, fingerprint_of, fits
from indexer.embedding.photos import QueryEmbedder
from indexer.errors import (
    FingerprintMismatchError,
    ImageError,
    ImageSearchError,
    LockedError,
    PreconditionError,
    UnknownProductError,
)
from indexer.feeds import change_attributes
from indexer.fetch import PhotoSource
from indexer.images.recognition import recognise
from indexer.search import Searcher
from indexer.store import (
    Attributes,
    AttributeValue,
    NewImage,
    Product,
    PutProduct,
    Store,
    Writer,
    revision,
)
from indexer.store.places import location_of
from indexer.store.uploads import UploadedPhotos, content_hash

# Maximum wait for another writer; changes take milliseconds, an import takes minutes.
WAIT_S = 5.0
_POLL_S = 0.02
# Changes per transaction.
_BATCH = 32

# Whether a change may be made, given the `revision` of the stored product; None if there is none.
Precondition = Callable[[str | None], bool]


@dataclass(frozen=True)
class Put:
    """Adds or replaces a product. A photo is the bytes of its file, or an http(s) URL."""

    product_id: str
    attributes: Attributes
    photos: tuple[bytes | str, ...]
    warnings: tuple[str, ...] = ()  # of the attributes
    precondition: Precondition | None = None


@dataclass(frozen=True)
class Patch:
    """Changes columns of an existing product (`indexer.feeds.read_changes`); None removes one."""

    product_id: str
    attributes: Mapping[str, AttributeValue | None]
    precondition: Precondition | None = None


@dataclass(frozen=True)
class Delete:
    """Removes an existing product."""

    product_id: str
    precondition: Precondition | None = None


@dataclass(frozen=True)
class Done:
    """A stored change.

    Attributes:
        outcome: "added", "updated", "unchanged" or "removed".
        seq: state of the catalogue with the change.
        revision: of the product; None if it was removed.
        warnings: about the attributes, as for a feed row.
    """

    outcome: str
    seq: int
    revision: str | None = None
    warnings: tuple[str, ...] = ()


Change = Put | Patch | Delete
Result = Done | ImageSearchError  # the error if the change was not made


@dataclass(frozen=True)
class _Ready:
    """A product to write, and its uploaded photos by path.

    `fingerprint` is that of its vectors; None if it has no new ones.
    """

    product: PutProduct
    fingerprint: str | None
    uploads: dict[Path, bytes]
    warnings: tuple[str, ...]
    precondition: Precondition | None


class Editor:
    """Changes the products of one collection. Thread-safe.

    Args:
        store: of the collection.
        searcher: of the collection.
        embedder: embeds the photos, as for searches.
        photos: downloads photos given by URL.
    """

    def __init__(
        self,
        store: Store,
        searcher: Searcher,
        embedder: Callable[[], QueryEmbedder],
        photos: PhotoSource,
    ) -> None:
        self._searcher = searcher
        self._embedder = embedder
        self._store = store
        self._photos = photos
        self._uploads = UploadedPhotos(store)

    def apply(self, changes: Sequence[Change]) -> list[Result]:
        """Makes changes; returns the result of each, in order. A failed change stops no other.

        Changes without an error are durable and visible to the next search. If the catalogue
        cannot be written, the changes of this transaction and of all later ones have that error.
        """
        results: list[Result] = []
        for group in _groups(changes):
            try:
                results += self._commit([self._prepared(change) for change in group])
            except ImageSearchError as error:
                return results + [error] * (len(changes) - len(results))
        return results

    def _prepared(self, change: Change) -> _Ready | Patch | Delete | ImageSearchError:
        if not isinstance(change, Put):
            return change
        images, uploads = [], {}
        try:
            with self._store.reader() as reader:
                fingerprint = fingerprint_of(reader, self._searcher.spec)
            for number, photo in enumerate(change.photos):
                image, data = self._image(number, photo)
                images.append(image)
                if isinstance(photo, bytes):
                    uploads[Path(image.location)] = data
        except ImageSearchError as error:
            return error
        product = PutProduct(change.product_id, change.attributes, tuple(images))
        return _Ready(product, fingerprint, uploads, change.warnings, change.precondition)

    def _image(self, number: int, photo: bytes | str) -> tuple[NewImage, bytes]:
        try:
            data = self._photos.read(photo) if isinstance(photo, str) else photo
            digest, form = content_hash(data), recognise(data)
            vector = self._vector(digest, data)
        except ImageError as error:
            error.text = f"images[{number}]: {error.text}"
            raise
        if isinstance(photo, str):
            return NewImage(photo, photo, digest, vector), data
        path = self._uploads.path(digest, form)
        return NewImage(path.name, str(path), digest, vector), data

    def _vector(self, digest: str, data: bytes) -> Vector:
        with self._store.reader() as reader:
            if known := reader.known_photos([digest]):
                stored: Vector = reader.vectors(list(known.values()))[1][0]
                return stored
            self._searcher.require_photo_search(reader)
        embedded: Vector = self._embedder().embed([data]).vectors[0]
        return embedded

    def _commit(self, group: Sequence[_Ready | Patch | Delete | ImageSearchError]) -> list[Result]:
        if all(isinstance(item, ImageSearchError) for item in group):
            return [item for item in group if isinstance(item, ImageSearchError)]
        with self._writer() as writer:
            with self._store.reader() as reader:
                ids = [_id_of(item) for item in group if not isinstance(item, ImageSearchError)]
                before = reader.products(ids)
            work = [_resolved(item, before) for item in group]
            unpatched = [item for item, same in zip(group, work, strict=True) if item is same]
            self._keep_photos(writer, unpatched)
            outcomes: dict[str, str] = {}
            if puts := [item.product for item in work if isinstance(item, _Ready)]:
                done = writer.put(puts)
                outcomes |= {put.product_id: what for put, what in zip(puts, done, strict=True)}
            if removals := [item.product_id for item in work if isinstance(item, Delete)]:
                outcomes |= dict.fromkeys(writer.remove(removals), "removed")
            with self._store.reader() as reader:
                seq, after = reader.seq, reader.products(ids)
            # The changes are committed; errors from here on are not theirs.
            old = (image for product in before.values() for image in product.images)
            folder = self._store.folder
            self._uploads.remove_unused(Path(location_of(folder, image)) for image in old)
        return [
            item if isinstance(item, ImageSearchError) else _done(item, outcomes, seq, after)
            for item in work
        ]

    def _keep_photos(
        self, writer: Writer, group: Sequence[_Ready | Patch | Delete | ImageSearchError]
    ) -> None:
        ready = [item for item in group if isinstance(item, _Ready)]
        with self._store.reader() as reader:
            spec = self._searcher.spec
            current = fingerprint_of(reader, spec)
            if any(item.fingerprint != current for item in ready):
                raise FingerprintMismatchError(
                    "the vectors of the collection were replaced meanwhile; send the request again"
                )
            if ready and spec and fits(reader, spec):
                bind(reader, writer, spec)
        for item in ready:
            for path, data in item.uploads.items():
                self._uploads.save(path, data)

    @contextmanager
    def _writer(self) -> Iterator[Writer]:
        """Waits for the writer lock.

        Raises:
            LockedError: another process still holds it after `WAIT_S`.
        """
        end = time.monotonic() + WAIT_S
        with ExitStack() as stack:
            while True:
                try:
                    writer = stack.enter_context(self._store.writer())
                    break
                except LockedError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(_POLL_S)
            yield writer


def _groups(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Splits changes into groups with at most one change per product, in order."""
    group: dict[str, Change] = {}
    for change in changes:
        if change.product_id in group or len(group) == _BATCH:
            yield list(group.values())
            group = {}
        group[change.product_id] = change
    if group:
        yield list(group.values())


def _id_of(item: _Ready | Patch | Delete) -> str:
    return item.product.product_id if isinstance(item, _Ready) else item.product_id


def _resolved(
    item: _Ready | Patch | Delete | ImageSearchError, before: Mapping[str, Product]
) -> _Ready | Delete | ImageSearchError:
    """Checks preconditions and applies patches; call with the writer lock held."""
    if isinstance(item, ImageSearchError):
        return item
    stored = before.get(_id_of(item))
    if item.precondition and not item.precondition(_revision(stored)):
        found = "was added or changed meanwhile" if stored else "does not exist"
        return PreconditionError(
            f"product {_id_of(item)!r} {found}; get it, and repeat the change with its ETag"
        )
    if isinstance(item, _Ready):
        return item
    if stored is None:
        return UnknownProductError(f"there is no product {item.product_id!r} in this collection")
    if isinstance(item, Delete):
        return item
    try:
        parsed = change_attributes(stored.attributes, item.attributes)
    except ImageSearchError as error:
        return error
    images = tuple(NewImage(i.uri, i.location, i.content_hash, None) for i in stored.images)
    product = PutProduct(item.product_id, parsed.attributes, images)
    return _Ready(product, None, {}, parsed.warnings, None)


def _done(
    item: _Ready | Delete, outcomes: Mapping[str, str], seq: int, after: Mapping[str, Product]
) -> Done:
    product_id = _id_of(item)
    stored = after.get(product_id)
    warnings = item.warnings if isinstance(item, _Ready) else ()
    return Done(outcomes[product_id], seq, _revision(stored), warnings)


def _revision(stored: Product | None) -> str | None:
    return None if stored is None else revision(stored)
