"""Merges catalogues, with their vectors; nothing is embedded again."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from indexer.arrays import batched
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import bind, difference, kind_of
from indexer.errors import FingerprintMismatchError
from indexer.ingest.report import Report
from indexer.ingest.sync import Progress
from indexer.store import Product, Records, Writer, outcome
from indexer.store.embedded.catalog import Catalog, CatalogReader
from indexer.store.embedded.catalog.writer import as_puts
from indexer.store.places import is_uploaded, location_of
from indexer.store.uploads import UploadedPhotos

_BATCH = 500


def merge(
    records: Records, sources: Sequence[Catalog], spec: EmbeddingSpec, progress: Progress
) -> Report:
    """Adds or updates the products of the sources in `records`; removes nothing.

    Every batch is a transaction. Products that are already equal are not written, so an
    interrupted merge can be repeated. If several sources have a product, the last one wins.

    Args:
        records: to merge into.
        sources: to merge from.
        spec: of the configured model, which must have made all vectors.
        progress: called with the number of products done.

    Raises:
        LockedError: another process is writing.
        FingerprintMismatchError: a catalogue holds embeddings of another model; nothing is changed.
        DamagedError: a catalogue is damaged.
    """
    report = Report()
    for source in sources:
        _require_kind(source, spec)
    with records.writer() as writer:
        with records.reader() as reader:
            if dimension := spec.dimension or _dimension(sources):
                bind(reader, writer, replace(spec, dimension=dimension))
        for source in sources:
            with source.reader() as wanted:
                for batch in batched(list(wanted.product_ids()), _BATCH):
                    _put(source, records, writer, wanted, batch, report)
                    progress(len(batch))
    return report


def _dimension(catalogs: Sequence[Catalog]) -> int:
    """Returns the dimension of the vectors of any of the catalogues; 0 if all are empty."""
    for catalog in catalogs:
        with catalog.reader() as reader:
            if reader.dimension:
                return reader.dimension
    return 0


def _require_kind(source: Catalog, spec: EmbeddingSpec) -> None:
    with source.reader() as reader:
        found = kind_of(reader)
        if found and found.fingerprint != spec.fingerprint:
            raise FingerprintMismatchError(
                f"{source.folder}: {difference(found, spec)}; use the settings it was made with"
            )


def _put(
    source: Catalog,
    records: Records,
    writer: Writer,
    wanted: CatalogReader,
    product_ids: list[str],
    report: Report,
) -> None:
    with records.reader() as reader:
        stored = reader.products(product_ids)
    found = wanted.products(product_ids)
    differing = [
        product
        for product_id, product in found.items()
        if outcome(product, stored.get(product_id)) != "unchanged"
    ]
    _copy_uploads(source, records, differing)
    puts = as_puts(wanted, differing)
    for put, result in zip(puts, writer.put(puts), strict=True):
        report.note(put.product_id, result)
    report.unchanged += len(product_ids) - len(differing)


def _copy_uploads(source: Catalog, records: Records, products: list[Product]) -> None:
    """Copies the files of uploads. Skips missing files, which `verify` reports."""
    uploads = UploadedPhotos(records)
    for image in (image for product in products for image in product.images):
        if is_uploaded(image):
            with suppress(FileNotFoundError):
                data = Path(location_of(source.folder, image)).read_bytes()
                uploads.save(Path(location_of(records.folder, image)), data)
