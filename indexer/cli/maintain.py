"""The commands `init`, `compact` and `rebuild`."""

from contextlib import closing
from typing import cast

import click

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import FAILED
from indexer.cli.options import waiting
from indexer.cli.progress import progress_bar
from indexer.embedding.base import unit_rows
from indexer.embedding.head import Head
from indexer.embedding.weights import mapping
from indexer.ingest.report import Report
from indexer.ingest.sync import Indexer
from indexer.maintenance import compaction, reembed
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.segments import Segment
from indexer.store.uploads import UploadedPhotos


@click.command()
@reporting
def init(app: App) -> Output:
    """Create an empty catalogue, for a store whose products are added over HTTP.

    `add`, `sync` and `import-features` create the catalogue themselves; the service does not.
    """
    with closing(app.store(create=True)) as store, store.reader() as reader:
        products, _ = reader.counts()
    folder = app.folder().absolute()
    return Output(
        {"folder": str(folder), "products": products},
        f"catalogue in {folder}, {products} products",
    )


@click.command()
@waiting
@reporting
def compact(app: App) -> Output:
    """Write a new index file if anything has changed since the last one.

    Commands that change much of the catalogue do this automatically. Also deletes uploaded photos
    that no product uses.
    """
    catalog = app.catalog()
    with log.status("compacting"):
        with catalog.writer():
            UploadedPhotos(catalog).sweep()
        segment = compaction.compact(catalog, app.settings.index)
    app.maintain_neighbours(catalog)
    return _output(segment)


@click.command()
@click.option(
    "--re-embed",
    is_flag=True,
    help="First embed every photo again with the configured model.",
)
@waiting
@reporting
def rebuild(app: App, re_embed: bool) -> Output:
    """Write a new index from the vectors in the catalogue.

    In Milvus, copies the rows into a new Milvus collection with the index of the settings; services
    and other commands continue meanwhile. --re-embed is for collections on this machine.

    After a change of the embedding settings, --re-embed reads every photo again from its original
    location and replaces all vectors in one step. Services and other commands continue meanwhile.
    An interrupted run can be continued. If a photo cannot be read, nothing is replaced. If only a
    whitening or a head from `finetune` was added, the stored vectors are mapped and no photo is
    read.
    """
    if app.settings.index.backend == "milvus" and not re_embed:
        return _rebuild_rows(app)
    catalog = app.catalog()
    unread = _re_embed(app, catalog).rejected if re_embed else []
    if unread:
        lines = [f"{rejection.product_id}: {rejection.reason}" for rejection in unread]
        return Output(
            {"unread": lines},
            "\n".join(["nothing was replaced; restore or remove these photos:", *lines]),
            FAILED,
        )
    with log.status("rebuilding"):
        segment = compaction.rebuild(catalog, app.settings.index)
    app.maintain_neighbours(catalog)
    return _output(segment)


def _rebuild_rows(app: App) -> Output:
    from indexer.store.milvus.rebuilding import rebuild as copy_rows  # an optional library
    from indexer.store.milvus.store import MilvusStore

    with closing(app.store()) as store, log.status("copying"):
        state = copy_rows(cast(MilvusStore, store))
    document = {"table": state.table, "seq": state.seq, "images": state.images}
    return Output(document, f"{state.table}: {state.images} images as of seq {state.seq}")


def _re_embed(app: App, catalog: Catalog) -> Report:
    with catalog.reader() as reader:
        (products, _), fingerprint = reader.counts(), reader.fingerprint
    if added := _added(app, fingerprint or ""):
        with log.status("mapping the stored vectors"):
            reembed.transform(catalog, app.spec, lambda vectors: unit_rows(added(vectors)))
        return Report()
    with progress_bar("embedding", products) as advance:

        def indexer(into: Catalog) -> Indexer:
            advance(0)
            return Indexer(into, app.spec, app.embedder, app.photos, advance)

        return reembed.re_embed(catalog, app.spec.fingerprint, indexer)


def _added(app: App, fingerprint: str) -> Head | None:
    """Returns the layer from stored vectors to the configured ones; None if photos are needed."""
    whitening = app.whitening
    if whitening and fingerprint == whitening.fingerprint:
        whitening.require_fit(app.unwhitened.fingerprint)
        return whitening.head
    return mapping(app.spec, fingerprint)


def _output(segment: Segment) -> Output:
    document = {
        "segment": segment.path.name,
        "seq": segment.seq,
        "images": segment.images,
        "kind": segment.kind,
        "bytes": segment.bytes,
    }
    text = f"{segment.path.name}: {segment.images} images as of seq {segment.seq}, {segment.kind}"
    return Output(document, text)
