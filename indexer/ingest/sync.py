"""Writes feed rows to a collection: read, fetch, decode, embed, commit.

Three stages run concurrently: threads read the photos of the next batches (`reading`), several of
each photo server at once; the caller's thread embeds one batch (`embedding`), and a thread commits
the previous one. Every batch is a
transaction, so an interruption loses at most two batches of work. The next run recognises committed
photos by their content hash.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from indexer.arrays import Vector, batched
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.kinds import bind, fits
from indexer.errors import FeedError, MassRemovalError
from indexer.feeds import FeedRow, Rejection, RowWarning
from indexer.fetch import PhotoSource
from indexer.ingest.embedding import RowEmbedder
from indexer.ingest.pipeline import Lanes, ahead
from indexer.ingest.reading import Prepared, RowReader
from indexer.ingest.removal import MAX_REMOVAL, Surplus, surplus
from indexer.ingest.report import Report
from indexer.store import Outcome, PutProduct, Records, Writer, outcome

# Products per transaction: a compromise between the cost of an fsync and the work that an
# interruption loses.
BATCH = 32
# Products whose photos are read ahead, so that the model never waits for a disk.
_AHEAD = 2 * BATCH
# Photos read at once. Each holds its bytes, up to `images.max_bytes`.
_READERS = 16
_FROM_DISK = 4  # of these

Progress = Callable[[int], None]


class Indexer:
    """Writes feed rows into a collection.

    Args:
        records: the collection to write to.
        spec: of its embeddings.
        embedder: returns the model; called only if there is a photo to embed, or `spec` lacks the
            dimension.
        photos: reads photos from disk and from the web.
        progress: called with the number of rows done since the last call, first with 0 when the
            work begins.
    """

    def __init__(
        self,
        records: Records,
        spec: EmbeddingSpec,
        embedder: Callable[[], Embedder],
        photos: PhotoSource,
        progress: Progress,
    ) -> None:
        self._records = records
        self._spec = spec
        self._embedder = embedder
        self._photos = photos
        self._reader = RowReader(records, spec, photos)
        self._embedding = RowEmbedder(records, spec, embedder, self._reader)
        self._progress = progress

    def add(self, rows: Iterable[FeedRow | Rejection]) -> Report:
        """Adds or updates the products of the rows; removes nothing.

        Raises:
            LockedError: another process is writing.
        """
        report = Report()
        with self._writer() as writer:
            self._put_all(writer, rows, report)
        return report

    def sync(
        self,
        feed: Callable[[], Iterable[FeedRow | Rejection]],
        *,
        max_removal: float = MAX_REMOVAL,
        confirm: Callable[[Surplus], None] = lambda _: None,
        remove_despite_rejects: bool = False,
    ) -> Report:
        """Makes the collection equal to the feed.

        A product whose row is rejected remains unchanged. A rejected row without a certain id may
        be of any product, so nothing is removed then, unless `remove_despite_rejects`.

        Args:
            feed: returns the rows; called twice, for the ids and for the products.
            max_removal: fraction of the products that may be removed; 1 allows any number.
            confirm: called with the products to remove before anything is changed; may raise.
            remove_despite_rejects: remove products although a rejected row has no certain id.

        Raises:
            MassRemovalError: the feed lacks too many products.
            FeedError: the feed cannot be read, or changed between the two readings; nothing is
                removed.
            LockedError: another process is writing.
        """
        report = Report()
        with self._writer() as writer:
            found = self._surplus(feed(), report, remove_despite_rejects)
            found.require_few(max_removal)
            confirm(found)
            late: set[str] = set()
            self._put_all(writer, _noting(feed(), set(found.product_ids), late), report)
            if late:
                raise FeedError(
                    f"the feed changed while it was read: {min(late)!r} was missing at first; its"
                    " rows are stored, nothing is removed; run the command again when the feed is"
                    " complete"
                )
            for batch in batched(found.product_ids, BATCH):
                report.removed += writer.remove(batch)
        return report

    def plan(
        self,
        feed: Callable[[], Iterable[FeedRow | Rejection]],
        *,
        max_removal: float = MAX_REMOVAL,
        remove_despite_rejects: bool = False,
    ) -> Report:
        """Returns what `sync` would do; writes and embeds nothing.

        Raises:
            FeedError: the feed cannot be read.
        """
        report = Report()
        found = self._surplus(feed(), report, remove_despite_rejects)
        report.removed = found.product_ids
        try:
            found.require_few(max_removal)
        except MassRemovalError as error:
            report.refused = str(error)
        self._plan_all(feed(), report)
        return report

    def plan_add(self, rows: Iterable[FeedRow | Rejection]) -> Report:
        """Returns what `add` would do; writes and embeds nothing."""
        report = Report()
        self._plan_all(rows, report)
        return report

    def _plan_all(self, rows: Iterable[FeedRow | Rejection], report: Report) -> None:
        new: set[str] = set()
        with self._readers() as readers:
            for batch in batched(self._prepared(rows, report, readers), BATCH):
                photos = {photo.content_hash for prepared in batch for photo in prepared.photos}
                with self._records.reader() as reader:
                    stored = reader.products(prepared.row.product_id for prepared in batch)
                    new |= photos - reader.known_photos(photos).keys()
                for prepared in batch:
                    product_id = prepared.row.product_id
                    report.note(product_id, outcome(prepared.put({}), stored.get(product_id)))
                self._progress(len(batch))
        report.embedded = len(new)

    @contextmanager
    def _writer(self) -> Iterator[Writer]:
        with self._records.writer() as writer:
            with self._records.reader() as reader:
                if fits(reader, self._spec):  # if not, rows with new photos are rejected
                    bind(reader, writer, self._complete_spec())
            yield writer

    def _complete_spec(self) -> EmbeddingSpec:
        """The spec with its dimension, which for a model file only the loaded model tells."""
        return self._spec if self._spec.dimension else self._embedder().spec

    @contextmanager
    def _readers(self) -> Iterator[Lanes]:
        """Provides threads that read photos; an error in the block aborts their downloads."""
        with Lanes(_READERS, lambda host: self._photos.per_host if host else _FROM_DISK) as lanes:
            try:
                yield lanes
            except BaseException:
                self._photos.close()
                raise

    def _surplus(
        self, rows: Iterable[FeedRow | Rejection], report: Report, despite_rejects: bool
    ) -> Surplus:
        """Finds the products to remove; reports those that are kept, and why."""
        with self._records.reader() as reader:
            found = surplus(reader.product_ids(), rows)
        report.warnings += found.warnings
        if found.unknown and not despite_rejects:
            report.not_removed = found.product_ids
            return replace(found, product_ids=[])
        return found

    def _put_all(self, writer: Writer, rows: Iterable[FeedRow | Rejection], report: Report) -> None:
        def commit(puts: list[PutProduct]) -> list[tuple[PutProduct, Outcome]]:
            return list(zip(puts, writer.put(puts), strict=True))

        self._progress(0)
        # If the run is interrupted, photos read ahead are dropped and embedded batches committed.
        with self._readers() as readers, ThreadPoolExecutor(1) as committer:
            puts = self._embedded(self._prepared(rows, report, readers), report)
            # A limit of 1: each batch is committed while the next one is embedded.
            for done in ahead(lambda batch: committer.submit(commit, batch).result, puts, 1):
                for put, result in done:
                    report.note(put.product_id, result)
                self._progress(len(done))

    def _embedded(self, prepared: Iterable[Prepared], report: Report) -> Iterator[list[PutProduct]]:
        """Yields batches to commit. The previous one may not be committed yet."""
        vectors: dict[str, Vector] = {}
        for batch in batched(prepared, BATCH):
            vectors, new = self._embedding.vectors(batch, vectors)
            report.embedded += new
            yield [each.put(vectors) for each in batch]

    def _prepared(
        self, rows: Iterable[FeedRow | Rejection], report: Report, readers: Lanes
    ) -> Iterator[Prepared]:
        """Yields the rows with at least one usable photo, in order."""
        good = self._good(rows, report)
        for prepared in ahead(partial(self._reader.begin, lanes=readers), good, _AHEAD):
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
                report.rejected.append(replace(row, raw_text=""))  # it may be long
                self._progress(1)


def _noting(
    rows: Iterable[FeedRow | Rejection], surplus: set[str], late: set[str]
) -> Iterator[FeedRow | Rejection]:
    """Yields the rows; adds to `late` the products that the first reading did not name."""
    for row in rows:
        if row.product_id in surplus:
            late.add(str(row.product_id))
        yield row
