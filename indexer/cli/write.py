"""The commands `sync`, `add`, `merge` and `remove`."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import click

from indexer.arrays import batched
from indexer.cli.app import App, Output, reporting
from indexer.cli.errors import DONE, SOME_REJECTED
from indexer.cli.outcome import output
from indexer.cli.progress import counting_bar
from indexer.errors import BadParameterError
from indexer.feeds import FeedRow, RejectedFile, Rejection, read_feed
from indexer.feeds.sharding import Shard
from indexer.fetch import PhotoSource
from indexer.ingest.sync import BATCH, Indexer
from indexer.maintenance.merge import merge as run_merge
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.catalog import FILE_NAME

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


@click.command()
@click.argument("feed", type=click.Path(path_type=Path))
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the plan and exit with the code that the run would have; change nothing.",
)
@click.option(
    "--allow-mass-removal", is_flag=True, help="Allow removing more than 20 % of the products."
)
@click.option(
    "--remove-despite-rejects",
    is_flag=True,
    help="Remove products even if rejected rows with an unknown id may be theirs.",
)
@_refresh_photos
@_rejected
@reporting
def sync(
    app: App,
    feed: Path,
    dry_run: bool,
    allow_mass_removal: bool,
    remove_despite_rejects: bool,
    refresh_photos: bool,
    rejected: Path | None,
) -> Output:
    """Make the catalogue equal to FEED: add, update and remove products.

    FEED is a folder of photos, a CSV, TSV, JSON Lines, Parquet or Google Merchant XML file.
    Photos already in the catalogue are not embedded again. A product whose row is rejected is left
    unchanged. If the id of a rejected row is unknown, no product is removed.
    """
    _require_feed(feed)
    file = RejectedFile(rejected, [feed]) if rejected else None
    photos = _photos(app, refresh_photos)
    with _indexer(app, photos, lambda: read_feed(feed), dry_run=dry_run) as indexer:
        run = indexer.plan if dry_run else indexer.sync
        report = run(
            lambda: read_feed(feed),
            allow_mass_removal=allow_mass_removal,
            remove_despite_rejects=remove_despite_rejects,
        )
    return output(report, file, dry_run=dry_run)


@click.command()
@click.argument(
    "feeds", metavar="FEED_OR_IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--shard",
    metavar="PART/PARTS",
    help="Add only one part of the products, such as 2/8; see the command merge.",
)
@_refresh_photos
@_rejected
@reporting
def add(
    app: App,
    feeds: tuple[Path, ...],
    shard: str | None,
    refresh_photos: bool,
    rejected: Path | None,
) -> Output:
    """Add or update the products of feeds, folders or photos; remove nothing.

    The product id of a photo is its path relative to the given folder, without extension.
    """
    part = Shard.parse(shard) if shard is not None else None
    for feed in feeds:
        _require_feed(feed)
    file = RejectedFile(rejected, feeds) if rejected else None

    def rows() -> Iterator[FeedRow | Rejection]:
        found = chain.from_iterable(read_feed(feed) for feed in feeds)
        return part.of(found) if part else found

    with _indexer(app, _photos(app, refresh_photos), rows) as indexer:
        report = indexer.add(rows())
    return output(report, file)


@click.command()
@click.argument(
    "folders",
    metavar="FOLDER...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@reporting
def merge(app: App, folders: tuple[Path, ...]) -> Output:
    """Add or update the products of other catalogues, with their vectors.

    FOLDER is the storage.data_dir of another run, or the folder of a collection in it. To index a
    feed on three machines, run `add FEED --shard 1/3`, 2/3 and 3/3 on them, copy their data_dirs
    to one machine, and merge them there. If several FOLDERs have a product, the last one wins. All
    must have the same embedding settings.
    """
    with ExitStack() as opened:
        sources = [
            opened.enter_context(closing(Catalog(_collection_in(app, folder))))
            for folder in folders
        ]
        total = sum(map(_products, sources))
        catalog = app.catalog(create=True)
        with counting_bar("merging", lambda: total) as advance:
            report = run_merge(catalog, sources, app.spec, advance)
        app.maintain(catalog)
    return output(report, None)


@click.command()
@click.argument("product_ids", metavar="PRODUCT_ID...", nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.File(encoding="utf-8-sig"),
    help="File of product ids, one per line.",
)
@reporting
def remove(app: App, product_ids: tuple[str, ...], source: TextIO | None) -> Output:
    """Remove products."""
    try:
        listed = [line.rstrip("\r\n") for line in source or ()]
    except UnicodeDecodeError as error:
        raise BadParameterError(f"--from: {error}; save the file as UTF-8") from error
    wanted = list(dict.fromkeys([*product_ids, *filter(None, listed)]))
    if not wanted:
        raise BadParameterError("pass product ids to remove, or a file of ids with --from")
    removed: list[str] = []
    catalog = app.catalog()
    with catalog.writer() as writer:
        for batch in batched(wanted, BATCH):
            removed += writer.remove(batch)
    app.maintain(catalog)
    unknown = [product_id for product_id in wanted if product_id not in set(removed)]
    lines = [f"removed {len(removed)}"] + [f"no product {name!r}" for name in unknown]
    return Output(
        {"removed": removed, "unknown": unknown},
        "\n".join(lines),
        SOME_REJECTED if unknown else DONE,
    )


def _collection_in(app: App, folder: Path) -> Path:
    """Returns the folder if it has a catalogue, otherwise that of the collection in it."""
    inside = folder / app.folder().name
    return next((each for each in (folder, inside) if (each / FILE_NAME).is_file()), inside)


def _products(catalog: Catalog) -> int:
    with catalog.reader() as reader:
        return reader.counts()[0]


def _require_feed(feed: Path) -> None:
    """Reads the first row of a feed, so that no catalogue is created for an invalid feed.

    Raises:
        FeedError: the feed cannot be read.
    """
    next(read_feed(feed), None)


def _photos(app: App, refresh: bool) -> PhotoSource:
    return app.photo_source(0) if refresh else app.photos


@contextmanager
def _indexer(
    app: App,
    photos: PhotoSource,
    rows: Callable[[], Iterator[FeedRow | Rejection]],
    *,
    dry_run: bool = False,
) -> Iterator[Indexer]:
    """Opens an indexer that shows its progress over the rows."""
    with ExitStack() as opened:
        if dry_run and not (app.folder() / FILE_NAME).is_file():
            empty = Path(opened.enter_context(TemporaryDirectory()))
            catalog = opened.enter_context(closing(Catalog(empty, create=True)))
        else:
            catalog = app.catalog(create=not dry_run)
        what = "checking" if dry_run else "indexing"
        with counting_bar(what, lambda: sum(1 for _ in rows())) as advance:
            yield Indexer(catalog, app.spec, app.embedder, photos, advance)
        if not dry_run:
            app.maintain(catalog)
