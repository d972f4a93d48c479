"""The commands `snapshot create`, `list`, `verify`, `restore` and `prune`."""

from collections.abc import Sequence

import click
from rich.table import Table

from indexer.cli.app import App, Output, log, reporting
from indexer.cli.check import findings
from indexer.cli.options import asks, confirm, confirmed, waiting
from indexer.maintenance.attachments import ATTACHMENTS, Attachment
from indexer.maintenance.manifest import Manifest
from indexer.maintenance.restore import Plan, plan
from indexer.maintenance.restore import restore as restore_catalog
from indexer.maintenance.snapshots import Entry, Snapshots

_FINGERPRINT = 12  # characters, as in errors
_EFFECTS = {
    "missing": "a new catalogue would be created",
    "undamaged": "the catalogue would be changed to these in one transaction",
    "damaged": "the damaged catalogue would be moved aside",
}
_without = click.option(
    "--without",
    type=click.Choice(ATTACHMENTS),
    multiple=True,
    help="Leave out uploaded photos, API keys, events or judgements. Repeatable.",
)


@click.group()
def snapshot() -> None:
    """Create, verify and restore snapshots of a catalogue.

    Snapshots are in the folder storage.snapshot_dir. NAME is a name from `list`, or the absolute
    path of a snapshot that was copied elsewhere.
    """


@snapshot.command()
@_without
@waiting
@reporting
def create(app: App, without: tuple[str, ...]) -> Output:
    """Copy all that a recovery elsewhere needs. Searches and writers continue meanwhile.

    A snapshot has the catalogue and its index file, the photos uploaded over HTTP, the hashes of
    the API keys, the recorded searches and events, and the judgements of raters; the last three
    are those of all collections.
    """
    with log.status("copying and checking"):
        manifest = _snapshots(app).create(app.catalog(), _wanted(without))
    text = f"{manifest.name}: {manifest.products} products as of seq {manifest.seq}"
    missing = f"{manifest.missing_photos} uploaded photos are missing or damaged; see `verify`"
    return Output(manifest.model_dump(), text, notes=[missing] if manifest.missing_photos else [])


@snapshot.command("list")
@reporting
def list_(app: App) -> Output:
    """List the snapshots, oldest first."""
    entries = _snapshots(app).entries()
    return Output({"snapshots": [_document(entry) for entry in entries]}, _table(entries))


@snapshot.command()
@click.argument("name")
@reporting
def verify(app: App, name: str) -> Output:
    """Verify the checksums of snapshot NAME. The exit code is 1 if a file is damaged."""
    with log.status("reading everything"):
        return findings(_snapshots(app).verify(name))


@snapshot.command()
@click.argument("name")
@click.option(
    "--allow-fingerprint",
    metavar="PREFIX",
    help="Restore embeddings with this fingerprint although the settings differ.",
)
@_without
@click.option(
    "--dry-run", is_flag=True, help="Check the snapshot and say what would be done; change nothing."
)
@waiting
@confirmed
@reporting
def restore(
    app: App, name: str, allow_fingerprint: str | None, without: tuple[str, ...], dry_run: bool
) -> Output:
    """Restore the catalogue from snapshot NAME.

    Running services pick up the change. A damaged catalogue is moved aside; the output names the
    folder. API keys, events and judgements are restored only where there are none, so that a
    revoked key stays revoked.
    """
    source = (_snapshots(app), name, app.folder(), app.spec, allow_fingerprint)
    if dry_run:
        with log.status("checking"):
            return _planned(plan(*source, attachments=_wanted(without)))
    manifest = _snapshots(app).manifest(name)
    present = app.collection
    confirm(app, f"Replace the products of {present} by the {manifest.products:,} of {name}?")
    with log.status("checking and restoring"):
        done = restore_catalog(*source, wait_s=app.wait_s, attachments=_wanted(without))
        app.maintain(app.store())
    document = {
        "dry_run": False,
        "restored": done.manifest.name,
        "seq": done.seq,
        "products": done.manifest.products,
        "images": done.manifest.images,
        "moved_aside": None if done.aside is None else str(done.aside),
        "attachments": list(done.attachments),
    }
    text = f"restored {done.manifest.products} products; the catalogue is now at seq {done.seq}"
    if done.attachments:
        text += f"\nrestored: {', '.join(done.attachments)}"
    if done.aside:
        text += f"\nthe damaged catalogue is in {done.aside}"
    return Output(document, text)


@snapshot.command()
@click.option("--keep", type=click.IntRange(1), required=True, help="Number of snapshots to keep.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed; change nothing.")
@waiting
@confirmed
@reporting
def prune(app: App, keep: int, dry_run: bool) -> Output:
    """Remove the oldest snapshots, but never the newest intact one."""
    snapshots = _snapshots(app)
    old = snapshots.prunable(keep) if dry_run or asks(app) else []
    if old and not dry_run:
        confirm(app, f"Remove {len(old)} snapshots: {', '.join(old)}?")
    removed = old if dry_run else snapshots.prune(keep)
    text = f"removed: {', '.join(removed) or 'nothing'}"
    document = {"dry_run": dry_run, "removed": removed}
    return Output(document, f"dry run: {text}" if dry_run else text)


def _planned(planned: Plan) -> Output:
    manifest, effect = planned.manifest, _EFFECTS[planned.catalogue]
    text = f"dry run: {manifest.products} products as of seq {manifest.seq}; {effect}"
    document = {
        "dry_run": True,
        "restored": manifest.name,
        "products": manifest.products,
        "images": manifest.images,
        "catalogue": planned.catalogue,
    }
    return Output(document, text)


def _wanted(without: Sequence[str]) -> list[Attachment]:
    return [each for each in ATTACHMENTS if each not in without]


def _snapshots(app: App) -> Snapshots:
    app.require_embedded()
    return Snapshots(app.settings.snapshots_of(app.collection), app.wait_s)


def _document(entry: Entry) -> dict[str, object]:
    if entry.manifest is None:
        return {"name": entry.name, "problem": entry.problem}
    return entry.manifest.model_dump()


def _table(entries: list[Entry]) -> Table:
    columns = ("name", "seq", "products", "images", "MB", "model", "weights", "side", "fingerprint")
    table = Table(*columns, box=None)
    for entry in entries:
        if manifest := entry.manifest:
            size = sum(file.bytes for file in manifest.files.values()) / 1e6
            numbers = (manifest.seq, manifest.products, manifest.images, f"{size:.1f}")
            table.add_row(entry.name, *map(str, numbers), *_model(manifest))
        else:
            table.add_row(entry.name, entry.problem)
    return table


def _model(manifest: Manifest) -> tuple[str, str, str, str]:
    """Returns the cells of what made the vectors; empty if there are none or it is unknown."""
    known = manifest.embedding or {}
    model, side = (str(known.get(name, "")) for name in ("model", "input_size"))
    return model, manifest.weights or "", side, (manifest.fingerprint or "")[:_FINGERPRINT]
