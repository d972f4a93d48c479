"""Replacing all embeddings by those of another network, while searches go on with the old ones."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from indexer.arrays import batched
from indexer.feeds import FeedRow, ImageRef
from indexer.ingest.report import Report
from indexer.ingest.sync import BATCH, Indexer
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.catalog.places import location_of

# Beside the catalogue: what an interrupted run has embedded is found by the next.
STAGING = "re-embedding"


def re_embed(catalog: Catalog, fingerprint: str, indexer: Callable[[Catalog], Indexer]) -> Report:
    """Embeds every photo again, and puts the new embeddings in place in one transaction.

    If a photo cannot be read, which the report tells, the old embeddings stay; what was embedded
    is kept for the next run. Nothing else can write meanwhile.

    Args:
        catalog: whose embeddings to replace.
        fingerprint: of the new embeddings; if the catalogue has them already, nothing is done.
        indexer: makes what embeds photos into another catalogue.

    Raises:
        LockedError: another process is writing.
        CatalogError: what is stored is damaged.
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
    """The catalogue of a run that was interrupted, if it was for the same network, or a new one."""
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
