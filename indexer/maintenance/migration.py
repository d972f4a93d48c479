"""Copies a collection between two stores, with its vectors, and compares them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from indexer.arrays import batched
from indexer.errors import MassRemovalError
from indexer.ingest.removal import MAX_REMOVAL
from indexer.ingest.sync import Progress
from indexer.maintenance.comparison import Comparison, compare
from indexer.store import Outcome, Product, Reader, Store, Writer, outcome
from indexer.store.embedded.catalog.writer import as_puts

# Products of one version of the destination; a version takes Milvus a second.
_BATCH = 2000


@dataclass
class Changes:
    """What a migration changes in the destination, as numbers of products."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    def note(self, change: Outcome) -> None:
        """Counts the change of a product."""
        setattr(self, change, getattr(self, change) + 1)


def plan(
    source: Store, destination: Store | None, *, max_removal: float = MAX_REMOVAL
) -> tuple[Changes, str]:
    """Returns what `migrate` would do, and why it would refuse to, if so; changes nothing.

    Args:
        source: to copy from.
        destination: to copy to; None if it does not exist.
        max_removal: fraction of the destination's products that may be removed.
    """
    changes = Changes()
    with source.reader() as wanted:
        if destination is None:
            changes.added = wanted.counts()[0]
            return changes, ""
        with destination.reader() as stored:
            surplus = list(_surplus(wanted, stored))
            changes.removed = len(surplus)
            for batch in batched(wanted.product_ids(), _BATCH):
                for _, change in _compared(wanted, stored, batch):
                    changes.note(change)
            return changes, _refusal(surplus, stored, max_removal)


def migrate(
    source: Store,
    destination: Store,
    *,
    max_removal: float = MAX_REMOVAL,
    progress: Progress = lambda _: None,
    copied: Callable[[], None] = lambda: None,
) -> tuple[Changes, Comparison]:
    """Makes the destination equal to the source, then compares them.

    Every batch is one version of the destination. Products that are already equal are not written,
    so an interrupted run can be repeated. Most of it is copied while others may write to the
    source; nobody can while the rest is copied and compared.

    Args:
        source: to copy from.
        destination: to copy to. Products that the source does not have are removed.
        max_removal: fraction of the destination's products that may be removed.
        progress: called with the number of products done.
        copied: called before the comparison.

    Raises:
        LockedError: another process is writing.
        FingerprintMismatchError: the destination holds embeddings of another model.
        MassRemovalError: more than `max_removal` would be removed.
        CatalogError: one of them cannot be read or written, or is damaged.
    """
    changes = Changes()
    with source.reader() as reader:
        seq = reader.seq
    _copy(source, destination, changes, progress, max_removal)
    with source.writer():  # nothing else can change the source from here on
        with source.reader() as reader:
            is_old = reader.seq != seq
        if is_old:
            changes.unchanged = 0
            _copy(source, destination, changes, lambda _: None, max_removal)
        copied()
        return changes, compare(source, destination)


def _copy(
    source: Store,
    destination: Store,
    changes: Changes,
    progress: Progress,
    max_removal: float,
) -> None:
    with destination.writer() as writer, source.reader() as listed:
        with destination.reader() as stored:
            surplus = list(_surplus(listed, stored))
            if refusal := _refusal(surplus, stored, max_removal):
                raise MassRemovalError(refusal)
        _bind(listed, writer)
        for batch in batched(listed.product_ids(), _BATCH):
            # Its own reader, because Milvus deletes versions that ended more than 10 minutes ago.
            with source.reader() as wanted:
                _put(wanted, destination, writer, batch, changes)
            progress(len(batch))
        for batch in batched(surplus, _BATCH):
            changes.removed += len(writer.remove(batch))


def _bind(source: Reader, writer: Writer) -> None:
    if source.fingerprint is not None and source.dimension is not None:
        writer.bind(
            fingerprint=source.fingerprint,
            weights=str(source.weights),
            dimension=source.dimension,
            fields=source.embedding_fields,
        )


def _put(
    wanted: Reader, destination: Store, writer: Writer, product_ids: list[str], changes: Changes
) -> None:
    with destination.reader() as stored:
        compared = list(_compared(wanted, stored, product_ids))
    differing = [product for product, change in compared if change != "unchanged"]
    if differing:
        writer.put(as_puts(wanted, differing))
    for _, change in compared:
        changes.note(change)


def _compared(
    wanted: Reader, stored: Reader, product_ids: Iterable[str]
) -> Iterator[tuple[Product, Outcome]]:
    """Yields the wanted products, and how writing them would change the stored ones."""
    found = wanted.products(product_ids)
    present = stored.products(found)
    for product_id, product in found.items():
        yield product, outcome(product, present.get(product_id))


def _surplus(wanted: Reader, stored: Reader) -> Iterator[str]:
    """Yields the stored product ids that are not wanted. Both readers give them in order."""
    ids = wanted.product_ids()
    next_wanted = next(ids, None)
    for product_id in stored.product_ids():
        while next_wanted is not None and next_wanted < product_id:
            next_wanted = next(ids, None)
        if next_wanted != product_id:
            yield product_id


def _refusal(surplus: list[str], stored: Reader, limit: float) -> str:
    """Returns why so many products are not removed; "" if they are."""
    present = stored.counts()[0]
    if len(surplus) <= limit * present:
        return ""
    return (
        f"{len(surplus)} of the {present} products of the destination are not in the source, such"
        f" as {surplus[0]!r}; removing more than {limit:.0%} needs --allow-mass-removal"
    )
