"""The commands `sync`, `add`, `merge` and `remove`."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import click

from indexer.arrays import batched
from indexer.cli.app import App, Output, reporting
from indexer.cli.errors import DONE, SOME_REJECTED
from indexer.cli.feeds import opened
from indexer.cli.options import Percentage, confirm, confirmed, waiting
from indexer.cli.outcome import output
from indexer.cli.progress import counting_bar
from indexer.errors import BadParameterError, CatalogMissingError
from indexer.feeds import Feed, FeedRow, RejectedFile, Rejection, read_feed
from indexer.feeds.sharding import Shard
from indexer.fetch import PhotoSource
from indexer.ingest import last_sync
from indexer.ingest.removal import MAX_REMOVAL, Surplus
from indexer.ingest.sync import BATCH, Indexer
from indexer.maintenance.merge import merge as run_merge
from indexer.store import Records
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME
from indexer.store.embedded.store import EmbeddedStore

Rows = Iterator[FeedRow | Rejection]

_rejected = click.option(
    "--rejected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rejected rows, with line and reason, to this CSV file, to be corrected and"
    " added.",
)
_refresh_photos = click.option(
    "--refresh-photos",
    is_flag=True,
    help="Ask the hosts of all photos at URLs, also of those downloaded within fetch.max_age.",
)
_dry_run = click.option(
    "--dry-run",
    is_flag=True,
    help="Print the plan and exit with the code that the run would have; change nothing.",
)


@click.command()
@click.argument("feed")
@_dry_run
@click.option(
    "--max-removal",
    type=Percentage(),
    metavar="PERCENT",
    help=f"Share of the products that may be removed, such as 40%.  [default: {MAX_REMOVAL:.0%}]",
)
@click.option("--allow-mass-removal", is_flag=True, help="Allow removing any number of products.")
@click.option(
    "--remove-despite-rejects",
    is_flag=True,
    help="Remove products even if rejected rows with an unknown id may be theirs.",
)
@_refresh_photos
@_rejected
@waiting
@confirmed
@reporting
def sync(
    app: App,
    feed: str,
    dry_run: bool,
    max_removal: float | None,
    allow_mass_removal: bool,
    remove_despite_rejects: bool,
    refresh_photos: bool,
    rejected: Path | None,
) -> Output:
    """Make the catalogue equal to FEED: add, update and remove products.

    FEED is a folder of photos, or a CSV, TSV, JSON Lines, Parquet or Google Merchant XML file: its
    path, its URL, or - for standard input. Photos already in the catalogue are not embedded again.
    A product whose row is rejected is left unchanged. If the id of a rejected row is unknown, no
    product is removed. Removing more than 20 % of the products must be allowed.
    """
    if allow_mass_removal and max_removal is not None:
        raise BadParameterError("pass either --max-removal or --allow-mass-removal")
    started = time.monotonic()
    limit = 1 if allow_mass_removal else MAX_REMOVAL if max_removal is None else max_removal
    with opened(app, [feed]) as feeds:
        file = RejectedFile(rejected, feeds) if rejected else None
        rows = partial(read_feed, feeds[0])
        photos = _photos(app, refresh_photos)
        with _indexer(app, photos, rows, dry_run=dry_run) as indexer:
            despite = remove_despite_rejects
            if dry_run:
                report = indexer.plan(rows, max_removal=limit, remove_despite_rejects=despite)
            else:
                asking = partial(_confirm_removal, app)
                report = indexer.sync(
                    rows, max_removal=limit, confirm=asking, remove_despite_rejects=despite
                )
        if not dry_run:
            last_sync.record(app.folder(), feed, report, time.monotonic() - started)
        return output(report, file, dry_run=dry_run)


def _confirm_removal(app: App, found: Surplus) -> None:
    if len(found.product_ids) > MAX_REMOVAL * found.present:
        confirm(app, f"Remove {len(found.product_ids):,} of {found.present:,} products?")


@click.command()
@click.argument("names", metavar="FEED_OR_IMAGE...", nargs=-1, required=True)
@click.option(
    "--shard",
    metavar="PART/PARTS",
    help="Add only one part of the products, such as 2/8; see the command merge.",
)
@_dry_run
@_refresh_photos
@_rejected
@waiting
@reporting
def add(
    app: App,
    names: tuple[str, ...],
    shard: str | None,
    dry_run: bool,
    refresh_photos: bool,
    rejected: Path | None,
) -> Output:
    """Add or update the products of feeds, folders or photos; remove nothing.

    Feeds may be paths, URLs, or - for standard input. The product id of a photo is its path
    relative to the given folder, without extension.
    """
    part = Shard.parse(shard) if shard is not None else None
    with opened(app, names) as feeds:
        file = RejectedFile(rejected, feeds) if rejected else None
        rows = partial(_rows, feeds, part)
        photos = _photos(app, refresh_photos)
        with _indexer(app, photos, rows, dry_run=dry_run) as indexer:
            report = (indexer.plan_add if dry_run else indexer.add)(rows())
        return output(report, file, dry_run=dry_run)


def _rows(feeds: Sequence[Feed], part: Shard | None) -> Rows:
    found = chain.from_iterable(map(read_feed, feeds))
    return part.of(found) if part else found


@click.command()
@click.argument(
    "folders",
    metavar="FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@waiting
@reporting
def merge(app: App, folders: tuple[Path, ...]) -> Output:
    """Add or update the products of other catalogues, with their vectors.

    FOLDER is the storage.data_dir of another run, or the folder of a collection in it. To index a
    feed on three machines, run `add FEED --shard 1/3`, 2/3 and 3/3 on them, copy their data_dirs
    to one machine, and merge them there. If several FOLDERs have a product, the last one wins. All
    must have the same embedding settings.
    """
    with ExitStack() as stack:
        sources = [
            stack.enter_context(closing(Catalog(_collection_in(app, folder)))) for folder in folders
        ]
        total = sum(map(_products, sources))
        store = stack.enter_context(closing(app.store(create=True)))
        with counting_bar("merging", lambda: total) as advance:
            report = run_merge(store, sources, app.spec, advance)
        app.maintain(store)
    return output(report, None)


@click.command()
@click.argument("product_ids", metavar="PRODUCT_ID...", nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.File(encoding="utf-8-sig"),
    help="File of product ids, one per line; - for standard input.",
)
@_dry_run
@waiting
@confirmed
@reporting
def remove(app: App, product_ids: tuple[str, ...], source: TextIO | None, dry_run: bool) -> Output:
    """Remove products."""
    try:
        listed = [line.rstrip("\r\n") for line in source or ()]
    except UnicodeDecodeError as error:
        raise BadParameterError(f"--from: {error}; save the file as UTF-8") from error
    wanted = list(dict.fromkeys([*product_ids, *filter(None, listed)]))
    if not wanted:
        raise BadParameterError("pass product ids to remove, or a file of ids with --from")
    with closing(app.store()) as store:
        removed = _existing(store, wanted)
        if not dry_run and removed:
            confirm(app, f"Remove {len(removed):,} products of {app.collection}?")
            removed = _remove(store, wanted)
            app.maintain(store)
    gone = set(removed)
    unknown = [product_id for product_id in wanted if product_id not in gone]
    done = f"dry run: {len(removed)} removed" if dry_run else f"removed {len(removed)}"
    return Output(
        {"dry_run": dry_run, "removed": removed, "unknown": unknown},
        "\n".join([done, *(f"no product {name!r}" for name in unknown)]),
        SOME_REJECTED if unknown else DONE,
    )


def _existing(records: Records, wanted: list[str]) -> list[str]:
    with records.reader() as reader:
        found = reader.products(wanted)
    return [product_id for product_id in wanted if product_id in found]


def _remove(records: Records, wanted: list[str]) -> list[str]:
    removed: list[str] = []
    with records.writer() as writer:
        for batch in batched(wanted, BATCH):
            removed += writer.remove(batch)
    return removed


def _collection_in(app: App, folder: Path) -> Path:
    """Returns the folder if it has a catalogue, otherwise that of the collection in it."""
    inside = folder / app.folder().name
    return next((each for each in (folder, inside) if (each / FILE_NAME).is_file()), inside)


def _products(catalog: Catalog) -> int:
    with catalog.reader() as reader:
        return reader.counts()[0]


def _photos(app: App, refresh: bool) -> PhotoSource:
    return app.photos if refresh else app.photo_source(app.settings.fetch.max_age_s)


@contextmanager
def _indexer(
    app: App, photos: PhotoSource, rows: Callable[[], Rows], *, dry_run: bool = False
) -> Iterator[Indexer]:
    """Opens an indexer that shows its progress over the rows."""
    with ExitStack() as stack:
        try:
            store = stack.enter_context(closing(app.store(create=not dry_run)))
        except CatalogMissingError:  # a dry run of the first command
            if not dry_run:
                raise
            empty = Path(stack.enter_context(TemporaryDirectory()))
            catalog = stack.enter_context(closing(Catalog(empty, create=True)))
            store = EmbeddedStore(catalog)
        what = "checking" if dry_run else "indexing"
        with counting_bar(what, lambda: sum(1 for _ in rows())) as advance:
            yield Indexer(store, app.spec, app.embedder, photos, advance)
        if not dry_run:
            app.maintain(store)
