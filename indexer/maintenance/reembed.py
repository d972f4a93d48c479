"""Replaces all embeddings by those of another model.

Searches use the old embeddings meanwhile, and other writers go on: the photos are embedded into a
catalogue of their own. As the last step, that catalogue is brought up to date with what was changed
meanwhile, and its embeddings replace the old ones in one transaction.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from indexer.arrays import Vectors, batched
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import bind
from indexer.feeds import FeedRow, ImageRef
from indexer.files import storage_error, writer_lock
from indexer.ingest.report import Report
from indexer.ingest.sync import BATCH, Indexer
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.attributes import products_changed_since
from indexer.store.embedded.catalog.writer import as_puts
from indexer.store.places import location_of

# Folder next to the catalogue, so that a run continues what an interrupted one has embedded.
STAGING = "re-embedding"


def re_embed(catalog: Catalog, fingerprint: str, indexer: Callable[[Catalog], Indexer]) -> Report:
    """Embeds every photo again, and replaces the embeddings in one transaction.

    If a photo cannot be read, the report names it and the old embeddings remain; the new ones
    are kept for the next run. The catalogue's lock is held only for the last step.

    Args:
        catalog: whose embeddings to replace.
        fingerprint: of the new embeddings; nothing is done if the catalogue already has it.
        indexer: returns an `Indexer` that embeds into the given catalogue.

    Raises:
        LockedError: another process is doing the same, or is writing at the last step.
        CatalogError: the catalogue is damaged.
    """
    with _staging_folder(catalog) as folder:
        with catalog.reader() as reader:
            seq, product_ids = reader.seq, list(reader.product_ids())
            if reader.fingerprint == fingerprint:
                return Report()
        with closing(Catalog(folder / fingerprint[:12], create=True)) as staging:
            run = indexer(staging)
            report = run.add(_rows(catalog, product_ids))
            if not report.rejected:
                report = _replace(catalog, staging, run, seq, report)
        if not report.rejected:
            _clear(folder)
        return report


def transform(
    catalog: Catalog, spec: EmbeddingSpec, function: Callable[[Vectors], Vectors]
) -> None:
    """Replaces all embeddings by a function of them, in one transaction; reads no photo.

    Args:
        catalog: whose embeddings to replace.
        spec: of the new embeddings.
        function: maps float32 (n, d) to float32 (n, spec.dimension), rows of length 1.

    Raises:
        LockedError: another process is writing, or is replacing the embeddings.
        CatalogError: the catalogue is damaged.
    """
    with _staging_folder(catalog) as folder, catalog.writer() as writer:
        _clear(folder)
        with closing(Catalog(folder / spec.fingerprint[:12], create=True)) as staging:
            with staging.writer() as into, staging.reader() as empty, catalog.reader() as reader:
                bind(empty, into, spec)
                for batch in batched(reader.product_ids(), BATCH):
                    into.put(as_puts(reader, list(reader.products(batch).values()), function))
            with staging.reader() as transformed:
                writer.copy_from(transformed)
        _clear(folder)


@contextmanager
def _staging_folder(catalog: Catalog) -> Iterator[Path]:
    """Locks the folder of new embeddings, so that no other run uses or deletes them."""
    folder = catalog.folder / STAGING
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise storage_error(f"{folder}: cannot be created", error) from error
    with writer_lock(folder):
        yield folder


def _clear(folder: Path) -> None:
    """Deletes all new embeddings, but not the lock file, which other processes may have open."""
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each, ignore_errors=True)


def _replace(catalog: Catalog, staging: Catalog, run: Indexer, seq: int, before: Report) -> Report:
    """Embeds what was changed after `seq`, and replaces the embeddings if all photos were read."""
    with catalog.writer() as writer:
        with catalog.reader() as reader:
            product_ids = set(reader.product_ids())
            changed = products_changed_since(reader, seq)
        # None if the journal has a gap: then all may have changed.
        late = product_ids if changed is None else changed & product_ids
        report = run.add(_rows(catalog, sorted(late)))
        report.embedded += before.embedded
        if report.rejected:
            return report
        with staging.reader() as embedded:
            gone = sorted(set(embedded.product_ids()) - product_ids)
        with staging.writer() as cleaner:
            cleaner.remove(gone)
        with staging.reader() as embedded:
            writer.copy_from(embedded)
    return report


def _rows(catalog: Catalog, product_ids: Iterable[str]) -> Iterator[FeedRow]:
    for batch in batched(product_ids, BATCH):
        with catalog.reader() as reader:
            products = reader.products(batch).values()
        for product in products:
            images = tuple(
                ImageRef(image.uri, location_of(catalog.folder, image)) for image in product.images
            )
            yield FeedRow(product.product_id, product.attributes, images, None, "catalogue")
