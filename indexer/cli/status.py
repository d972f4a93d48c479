"""The command `status`."""

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from indexer.cli.app import App, Output, reading
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import Kind, difference, kind_of, way_out
from indexer.errors import CatalogMissingError
from indexer.files import writer_of
from indexer.ingest import last_sync
from indexer.maintenance.neighbours import damage_of, state_of
from indexer.maintenance.sizes import sizes
from indexer.maintenance.snapshots import Snapshots
from indexer.store import Store
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.neighbours import NeighboursError
from indexer.store.embedded.store import EmbeddedStore


@click.command()
@reading
def status(app: App) -> Output:
    """Show what is in the collection, what made its vectors, and its last sync and snapshot.

    `fingerprint`, `weights` and `trained` are those of the stored vectors; `settings` has those of
    the configured model, if it is another one.
    """
    spec, missing = app.usable
    unusable = {"fingerprint": "", "weights": app.embedding.weights, "trained": True}
    document = {
        "collection": app.collection,
        "folder": str(app.folder()),
        "products": 0,
        "images": 0,
        "seq": 0,
        **(_model(spec) if spec else unusable),
        "settings": None,
        "photo_search": spec is not None,
        "neighbours": None,
        "last_sync": None,
        "writer": None,
        "newest_snapshot": _newest_snapshot(app),
        "bytes": None,
        "detail": "",
    }
    try:
        with closing(app.store()) as store:
            document |= _stored(store, spec, missing) | _folder(app.folder())
    except CatalogMissingError:
        where = "storage.data_dir" if app.settings.index.backend == "faiss" else "milvus.uri"
        document["detail"] = f"no catalogue here yet: add products, or correct {where}"
    table = Table.grid(padding=(0, 2))
    for key, value in document.items():
        table.add_row(*_told(key, value))
    return Output(document, table)


def _folder(folder: Path) -> dict[str, Any]:
    """Returns what the folder of a collection says for `status`."""
    done = last_sync.read(folder)
    return {
        "last_sync": done and done.model_dump(mode="json"),
        "writer": writer_of(folder),
        "bytes": asdict(sizes(folder)),
    }


def _newest_snapshot(app: App) -> dict[str, Any] | None:
    entries = Snapshots(app.settings.snapshots_of(app.collection)).entries()
    usable = [entry.manifest for entry in entries if entry.manifest]
    if not usable:
        return None
    return {name: getattr(usable[-1], name) for name in ("name", "created_at", "seq", "products")}


def _told(key: str, value: Any) -> tuple[str, str]:
    """Returns a line of the status as text."""
    if key == "writer":
        return key, "none" if value is None else f"process {value}"
    if key == "bytes" and value:
        return key, ", ".join(f"{name} {each / 1e6:,.1f} MB" for name, each in value.items())
    if isinstance(value, dict):
        text = ", ".join(f"{name} {each}" for name, each in value.items())
        return ("settings differ", f"yes: {text}") if key == "settings" else (key, text)
    if value is None:
        return ("settings differ", "no") if key == "settings" else (key, "none")
    return key, str(value)


def _stored(store: Store, spec: EmbeddingSpec | None, missing: str) -> dict[str, Any]:
    """Returns what a catalogue says for `status`.

    Args:
        store: of the collection.
        spec: of the configured model; None if it cannot be used.
        missing: why it cannot.
    """
    document: dict[str, Any] = {}
    if isinstance(store, EmbeddedStore):
        try:
            document["neighbours"], document["detail"] = _neighbours(store.catalog)
        except NeighboursError as error:
            document["detail"] = str(error)
    with store.reader() as reader:
        products, images = reader.counts()
        document |= {"products": products, "images": images, "seq": reader.seq}
        found = kind_of(reader)
    if found:
        document |= _model(found)
    if found and spec and found.fingerprint != spec.fingerprint:
        told = filter(None, (difference(found, spec), way_out(found)))
        document |= {"settings": _model(spec), "photo_search": False, "detail": "; ".join(told)}
    elif missing:
        document["detail"] = f"only searches by product are answered: {missing}"
    return document


def _model(model: EmbeddingSpec | Kind) -> dict[str, Any]:
    return {"fingerprint": model.fingerprint, "weights": model.weights, "trained": model.trained}


def _neighbours(catalog: Catalog) -> tuple[dict[str, Any] | None, str]:
    """Returns the state of the table of neighbours, None if there is none, and its damage.

    Raises:
        NeighboursError: the header of the table is damaged.
    """
    if (state := state_of(catalog)) is None:
        return None, ""
    damage = damage_of(catalog)
    document = {
        "k": state.k,
        "seq": state.seq,
        "changed_images": state.changed_images,
        "in_use": state.in_use and not damage,
    }
    return document, damage
