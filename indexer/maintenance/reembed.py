"""Replaces all embeddings by those of another model; searches use the old ones meanwhile."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.arrays import batched
from indexer.feeds import FeedRow, ImageRef
from indexer.ingest.report import Report
from indexer.ingest.sync import BATCH, Indexer
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.catalog.places import location_of

# Next to the catalogue, so that a run continues what an interrupted one has embedded.
STAGING = "re-embedding"


def re_embed(catalog: Catalog, fingerprint: str, indexer: Callable[[Catalog], Indexer]) -> Report:
    """Embeds every photo again, and replaces the embeddings in one transaction.

    If a photo cannot be read, the report names it and the old embeddings remain; the new ones
    are kept for the next run. The writer's lock is held meanwhile.

    Args:
        catalog: whose embeddings to replace.
        fingerprint: of the new embeddings; nothing is done if the catalogue already has it.
        indexer: returns an `Indexer` that embeds into the given catalogue.

    Raises:
        LockedError: another process is writing.
        CatalogError: the catalogue is damaged.
    """
    report, folder = Report(), catalog.folder / STAGING
    with catalog.writer() as writer, catalog.reader() as reader:
        if reader.fingerprint != fingerprint:
            staging = _staging(folder, fingerprint)
            report = indexer(staging).sync(
                lambda: _rows(reader, catalog.folder), allow_mass_removal=True
            )
            if not report.rejected:
                with staging.reader() as embedded:
                    writer.copy_from(embedded)
            staging.close()
        if not report.rejected:
            shutil.rmtree(folder, ignore_errors=True)
    return report


def _staging(folder: Path, fingerprint: str) -> Catalog:
    """Opens the catalogue of an interrupted run for the same model, or creates a new one."""
    catalog = Catalog(folder, create=True)
    with catalog.reader() as reader:
        usable = reader.fingerprint in (None, fingerprint)
    if usable:
        return catalog
    catalog.close()
    shutil.rmtree(folder)
    return Catalog(folder, create=True)


def _rows(reader: CatalogReader, folder: Path) -> Iterator[FeedRow]:
    for batch in batched(list(reader.product_ids()), BATCH):
        for product in reader.products(batch).values():
            images = tuple(
                ImageRef(image.uri, location_of(folder, image)) for image in product.images
            )
            yield FeedRow(product.product_id, product.attributes, images, None, "catalogue")
