"""Commands that change a catalogue from feeds: sync, add, remove."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from indexer.arrays import batched
from indexer.cli.app import App, Output, log, reporting
from indexer.cli.errors import DONE, SOME_REJECTED
from indexer.compaction import compact_when_due
from indexer.errors import BadParameterError, FeedError, ImageSearchError
from indexer.feed import Rejection, read_feed
from indexer.sync import BATCH, Indexer, Report

_SAMPLES = 10

_rejected = click.option(
    "--rejected",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rejected rows, with line and reason, to this CSV file.",
)


@click.command()
@click.argument("feed", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
@click.option(
    "--allow-mass-removal", is_flag=True, help="Remove even more than 20 % of the products."
)
@_rejected
@reporting
def sync(
    app: App, feed: Path, dry_run: bool, allow_mass_removal: bool, rejected: Path | None
) -> Output:
    """Make the catalogue equal to FEED: add, update and remove products.

    FEED is a folder of photos, a CSV, TSV, JSON Lines, Parquet or Google Merchant XML file.
    Photos that are indexed already are not embedded again.
    """
    with _indexer(app, (feed,)) as indexer:
        run = indexer.plan if dry_run else indexer.sync
        report = run(lambda: read_feed(feed), allow_mass_removal=allow_mass_removal)
    return _output(report, rejected, dry_run=dry_run)


@click.command()
@click.argument(
    "feeds", metavar="FEED_OR_IMAGE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@_rejected
@reporting
def add(app: App, feeds: tuple[Path, ...], rejected: Path | None) -> Output:
    """Add or update the products of feeds, folders or photos; remove nothing.

    The product id of a photo is its path below the folder that was named, without extension.
    """
    with _indexer(app, feeds) as indexer:
        report = indexer.add(chain.from_iterable(read_feed(feed) for feed in feeds))
    return _output(report, rejected)


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
        raise BadParameterError("name products to remove, or a file of them with --from")
    removed: list[str] = []
    catalog = app.catalog()
    with catalog.writer() as writer:
        for batch in batched(wanted, BATCH):
            removed += writer.remove(batch)
    compact_when_due(catalog, app.settings.index)
    unknown = [product_id for product_id in wanted if product_id not in set(removed)]
    lines = [f"removed {len(removed)}"] + [f"no product {name!r}" for name in unknown]
    return Output(
        {"removed": removed, "unknown": unknown},
        "\n".join(lines),
        SOME_REJECTED if unknown else DONE,
    )


@contextmanager
def _indexer(app: App, feeds: tuple[Path, ...]) -> Iterator[Indexer]:
    """An indexer that shows its progress over the feeds."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    for feed in feeds:
        read_feed(feed)  # says at once what is no feed, before there is a catalogue
    catalog = app.catalog(create=True)
    with Progress(*columns, console=log) as progress:
        task = progress.add_task("indexing", total=None, rate="")

        def count() -> None:
            with suppress(FeedError):  # the indexer meets it as well, and reports it
                rows = sum(1 for _ in chain.from_iterable(read_feed(feed) for feed in feeds))
                progress.update(task, total=rows)

        def advance(count: int) -> None:
            speed = progress.tasks[task].speed
            progress.update(task, advance=count, rate=f"{speed:.0f}/s" if speed else "")

        Thread(target=count, daemon=True).start()  # beside the work, which need not wait for it
        yield Indexer(catalog, app.spec, app.embedder, app.photos, advance)
    compact_when_due(catalog, app.settings.index)


def _output(report: Report, rejected: Path | None, *, dry_run: bool = False) -> Output:
    counts = {
        "added": len(report.added),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "unchanged": report.unchanged,
        "rejected": len(report.rejected),
        "embedded": report.embedded,
    }
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    document: dict[str, Any] = {"dry_run": dry_run, **counts}
    document["rejections"] = [asdict(rejection) for rejection in report.rejected]
    if rejected is not None:
        _write_rejections(rejected, report.rejected)
    lines = [f"would be: {summary}" if dry_run else summary]
    if dry_run:
        samples = {
            name: getattr(report, name)[:_SAMPLES] for name in ("added", "updated", "removed")
        }
        document["samples"] = samples
        lines += [f"{name}: {', '.join(ids)}" for name, ids in samples.items() if ids]
    lines += [_in_words(rejection) for rejection in report.rejected]
    return Output(document, "\n".join(lines), SOME_REJECTED if report.rejected else DONE)


def _write_rejections(file: Path, rejections: list[Rejection]) -> None:
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [column.name for column in fields(Rejection)])
            writer.writeheader()
            writer.writerows(map(asdict, rejections))
    except OSError as error:
        raise ImageSearchError(f"cannot write {file}: {error}; the rest was done") from error


def _in_words(rejection: Rejection) -> str:
    line = "" if rejection.line is None else f", line {rejection.line}"
    product = "" if rejection.product_id is None else f", product {rejection.product_id!r}"
    return f"rejected: {rejection.source}{line}{product}: {rejection.reason}"
