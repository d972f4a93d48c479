"""From feed rows to a catalogue: read photos, embed the new ones, commit batch by batch.

Three things go on at a time: threads read the photos of the next batches, the caller's thread
embeds one, and a thread commits the one before. Every batch is a transaction, so an interrupted
run has lost at most two batches of work, and the next run finds what is done by its content hash.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vector, batched
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.kinds import bind, require
from indexer.embedding.photos import prepare
from indexer.errors import HostError, ImageError, MassRemovalError
from indexer.feeds import FeedRow, ImageRef, Rejection, RowWarning
from indexer.fetch import PhotoSource, host_of
from indexer.ingest.pipeline import ahead, threads
from indexer.ingest.removal import Surplus, surplus
from indexer.store import NewImage, Outcome, PutProduct, outcome
from indexer.store.embedded.catalog import Catalog, CatalogWriter

# Products per transaction: enough to spread the cost of an fsync, few enough to lose little.
BATCH = 32
# Products whose photos are read ahead of the network, so that it never waits for a disk.
_AHEAD = 2 * BATCH
_READERS = 4
# Pixels per pass of the network: 32 photos of side 80, 4 of side 224. Fewer take longer each,
# more take memory.
_PASS_PIXELS = 32 * 80 * 80

Progress = Callable[[int], None]


@dataclass
class HostDown:
    """A photo server that failed. Photos of it that are stored already were kept as they are.

    Attributes:
        reason: of the last failure.
        photos: how many could not be read.
        kept: how many of these are stored for the same product and URL.
        rejected: what that cost of the feed.
    """

    host: str
    reason: str = ""
    photos: int = 0
    kept: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@dataclass
class Report:
    """What a run did, or with `dry_run` would do. Product ids, in the order of the feed.

    `not_removed` are not in the feed, but rejected rows of unknown id may be theirs. `refused` says
    why `sync` would not do what `plan` has found.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    embedded: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    hosts_down: dict[str, HostDown] = field(default_factory=dict)
    warnings: list[RowWarning] = field(default_factory=list)
    not_removed: list[str] = field(default_factory=list)
    refused: str | None = None

    def note(self, product_id: str, outcome: Outcome) -> None:
        if outcome == "unchanged":
            self.unchanged += 1
        else:
            (self.added if outcome == "added" else self.updated).append(product_id)

    def note_missed(self, missed: "_Missed") -> None:
        host = host_of(missed.ref.location)
        down = self.hosts_down.setdefault(host, HostDown(host))
        down.reason = missed.reason
        down.photos += 1
        if missed.rejection is None:
            down.kept += 1
        else:
            down.rejected.append(missed.rejection)
            self.rejected.append(missed.rejection)


@dataclass(frozen=True)
class _Photo:
    """A photo that was read, or is kept as it is stored.

    `pixels` is None where the catalogue has its vector already; `vector` is that of a kept photo.
    """

    ref: ImageRef
    content_hash: str
    pixels: NDArray[np.uint8] | None
    vector: Vector | None = None


@dataclass(frozen=True)
class _Missed:
    """A photo whose server is down. There is no rejection where the stored photo is kept."""

    ref: ImageRef
    reason: str
    rejection: Rejection | None


@dataclass(frozen=True)
class _Prepared:
    row: FeedRow
    photos: list[_Photo]
    rejections: list[Rejection]
    missed: list[_Missed]

    def put(self, vectors: dict[str, Vector]) -> PutProduct:
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


class Indexer:
    """Writes feed rows into a catalogue.

    Args:
        catalog: to write to.
        spec: of the embeddings it holds.
        embedder: called once there is a photo to embed; a run without new photos needs none.
        photos: reads them, from disk and from the web.
        progress: called with the number of rows that are done.
    """

    def __init__(
        self,
        catalog: Catalog,
        spec: EmbeddingSpec,
        embedder: Callable[[], Embedder],
        photos: PhotoSource,
        progress: Progress,
    ) -> None:
        self._catalog = catalog
        self._spec = spec
        self._embedder = embedder
        self._photos = photos
        self._progress = progress

    def add(self, rows: Iterable[FeedRow | Rejection]) -> Report:
        """Adds or changes the products of the rows, removes nothing.

        Raises:
            LockedError: another process is writing.
            FingerprintMismatchError: the catalogue holds embeddings of another kind.
        """
        report = Report()
        with self._writer() as writer:
            self._put_all(writer, rows, report)
        return report

    def sync(
        self,
        feed: Callable[[], Iterable[FeedRow | Rejection]],
        *,
        allow_mass_removal: bool,
        remove_despite_rejects: bool = False,
    ) -> Report:
        """Makes the catalogue equal to the feed, which is read twice: for its ids, then to add.

        A product whose row is rejected stays as it is. While the id of a rejected row is not known,
        any product may be the one of that row: then nothing is removed, unless
        `remove_despite_rejects`.

        Raises:
            MassRemovalError: the feed lacks so many products that it is more likely broken.
            LockedError: another process is writing.
            FingerprintMismatchError: the catalogue holds embeddings of another kind.
        """
        report = Report()
        with self._writer() as writer:
            found = self._surplus(feed(), report, remove_despite_rejects)
            if not allow_mass_removal:
                found.require_few()
            self._put_all(writer, feed(), report)
            for batch in batched(found.product_ids, BATCH):
                report.removed += writer.remove(batch)
        return report

    def plan(
        self,
        feed: Callable[[], Iterable[FeedRow | Rejection]],
        *,
        allow_mass_removal: bool,
        remove_despite_rejects: bool = False,
    ) -> Report:
        """What `sync` would do, or refuse to do; writes nothing and embeds nothing.

        Raises:
            FingerprintMismatchError: as `sync`.
        """
        with self._catalog.snapshot() as snapshot:
            require(snapshot, self._spec)
        report = Report()
        found = self._surplus(feed(), report, remove_despite_rejects)
        report.removed = found.product_ids
        if not allow_mass_removal:
            try:
                found.require_few()
            except MassRemovalError as error:
                report.refused = str(error)
        new: set[str] = set()
        with self._readers() as readers:
            for batch in batched(self._prepared(feed(), report, readers), BATCH):
                photos = {photo.content_hash for prepared in batch for photo in prepared.photos}
                with self._catalog.snapshot() as snapshot:
                    stored = snapshot.products(prepared.row.product_id for prepared in batch)
                    new |= photos - snapshot.known_photos(photos).keys()
                for prepared in batch:
                    product_id = prepared.row.product_id
                    report.note(product_id, outcome(prepared.put({}), stored.get(product_id)))
        report.embedded = len(new)
        return report

    @contextmanager
    def _writer(self) -> Iterator[CatalogWriter]:
        with self._catalog.writer() as writer:
            with self._catalog.snapshot() as snapshot:
                bind(snapshot, writer, self._spec)
            yield writer

    @contextmanager
    def _readers(self) -> Iterator[Executor]:
        """Threads to read photos with. What ends the run ends their downloads."""
        with threads(_READERS) as readers:
            try:
                yield readers
            except BaseException:
                self._photos.close()
                raise

    def _surplus(
        self, rows: Iterable[FeedRow | Rejection], report: Report, despite_rejects: bool
    ) -> Surplus:
        """What to remove; the report tells what is not, and why."""
        with self._catalog.snapshot() as snapshot:
            found = surplus(snapshot.product_ids(), rows)
        report.warnings += found.warnings
        if found.unknown and not despite_rejects:
            report.not_removed = found.product_ids
            return replace(found, product_ids=[])
        return found

    def _put_all(
        self, writer: CatalogWriter, rows: Iterable[FeedRow | Rejection], report: Report
    ) -> None:
        def commit(puts: list[PutProduct]) -> list[tuple[PutProduct, Outcome]]:
            return list(zip(puts, writer.put(puts), strict=True))

        # Whatever ends the run: what is read is dropped, what is embedded is committed.
        with self._readers() as readers, ThreadPoolExecutor(1) as committer:
            puts = self._embedded(self._prepared(rows, report, readers), report)
            # One ahead: a batch is committed while the next is embedded, and before that is.
            for done in ahead(committer, commit, puts, 1):
                for put, result in done:
                    report.note(put.product_id, result)
                self._progress(len(done))

    def _embedded(
        self, prepared: Iterable[_Prepared], report: Report
    ) -> Iterator[list[PutProduct]]:
        """Batches to commit. The one before may not be in the catalogue yet."""
        vectors: dict[str, Vector] = {}
        for batch in batched(prepared, BATCH):
            vectors = self._vectors(batch, vectors, report)
            yield [each.put(vectors) for each in batch]

    def _vectors(
        self, batch: Sequence[_Prepared], before: dict[str, Vector], report: Report
    ) -> dict[str, Vector]:
        """The vector of every photo of the batch, by content hash.

        Args:
            before: those of the batch before.
        """
        photos = {p.content_hash: p for prepared in batch for p in prepared.photos}
        vectors = {key: before[key] for key in photos if key in before}
        vectors |= {key: p.vector for key, p in photos.items() if p.vector is not None}
        with self._catalog.snapshot() as snapshot:
            known = snapshot.known_photos(photos.keys() - vectors)
            ids, stored = snapshot.vectors(list(known.values()))
        by_id = dict(zip(ids.tolist(), stored, strict=True))
        vectors |= {content_hash: by_id[image_id] for content_hash, image_id in known.items()}
        new = [photo for key, photo in photos.items() if key not in vectors]
        for chunk in batched(new, max(1, _PASS_PIXELS // self._spec.input_size**2)):
            pixels = np.stack([self._pixels(photo) for photo in chunk])
            embedded = self._embedder().embed_batch(pixels)
            vectors |= {p.content_hash: v for p, v in zip(chunk, embedded, strict=True)}
        report.embedded += len(new)
        return vectors

    def _pixels(self, photo: _Photo) -> NDArray[np.uint8]:
        if photo.pixels is not None:
            return photo.pixels
        # Known when it was read, but an earlier batch has replaced the only product with it.
        return self._prepare_pixels(self._photos.read(photo.ref.location))

    def _prepared(
        self, rows: Iterable[FeedRow | Rejection], report: Report, readers: Executor
    ) -> Iterator[_Prepared]:
        """Rows with at least one good photo, in order."""
        for prepared in ahead(readers, self._prepare, self._good(rows, report), _AHEAD):
            report.rejected += prepared.rejections
            for missed in prepared.missed:
                report.note_missed(missed)
            if prepared.photos:
                yield prepared
            else:
                self._progress(1)

    def _good(self, rows: Iterable[FeedRow | Rejection], report: Report) -> Iterator[FeedRow]:
        for row in rows:
            if isinstance(row, FeedRow):
                report.warnings += [
                    RowWarning(row.source, row.line, row.product_id, each) for each in row.warnings
                ]
                yield row
            else:
                report.rejected.append(row)
                self._progress(1)

    def _prepare(self, row: FeedRow) -> _Prepared:
        prepared = _Prepared(row, [], [], [])
        for ref in row.images:
            try:
                prepared.photos.append(self._read(ref))
            except HostError as error:
                kept = self._kept(row.product_id, ref)
                prepared.photos.extend(kept)
                reason = f"{host_of(ref.location)}: {error}"
                rejection = Rejection(row.source, row.line, row.product_id, reason)
                prepared.missed.append(_Missed(ref, str(error), None if kept else rejection))
            except ImageError as error:
                reason = f"{ref.uri}: {error}"
                prepared.rejections.append(
                    Rejection(row.source, row.line, row.product_id, reason, cause=str(error))
                )
        return prepared

    def _read(self, ref: ImageRef) -> _Photo:
        data = self._photos.read(ref.location)
        content_hash = sha256(data).hexdigest()
        with self._catalog.snapshot() as snapshot:
            known = snapshot.known_photos([content_hash])
        return _Photo(ref, content_hash, None if known else self._prepare_pixels(data))

    def _kept(self, product_id: str, ref: ImageRef) -> list[_Photo]:
        """The photo that the product has of this location, if any."""
        with self._catalog.snapshot() as snapshot:
            stored = snapshot.products([product_id]).get(product_id)
            same = [i for i in stored.images if i.location == ref.location] if stored else []
            if not same:
                return []
            _, (vector,) = snapshot.vectors([same[0].image_id])
        return [_Photo(ref, same[0].content_hash, None, vector)]

    def _prepare_pixels(self, data: bytes) -> NDArray[np.uint8]:
        return prepare(data, self._photos.limits, self._spec)
