"""The commands `ratings export` and `ratings import`."""

from pathlib import Path

import click

from indexer.cli.app import App, Output, reporting
from indexer.events import RatingStore
from indexer.events.rating_files import read_ratings, write_ratings


@click.group()
def ratings() -> None:
    """Back up and restore the judgements of the rating page.

    They are of all collections. Snapshots do not contain them.
    """


@ratings.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@reporting
def export_(app: App, file: Path) -> Output:
    """Write all judgements to FILE as CSV. An earlier export is replaced."""
    store = _store(app)
    try:
        written = write_ratings(file, store.all())
    finally:
        store.close()
    return Output({"ratings": written, "file": str(file)}, f"exported {written} ratings to {file}")


@ratings.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@reporting
def import_(app: App, file: Path) -> Output:
    """Add the judgements of FILE, an export. Of two on the same, the newer one stays.

    Nothing is imported if a line is wrong. An import that was interrupted can be repeated.
    """
    number = sum(1 for _ in read_ratings(file))  # raises if a line is wrong
    app.settings.storage.data_dir.mkdir(parents=True, exist_ok=True)
    store = _store(app)
    try:
        store.merge(read_ratings(file))
    finally:
        store.close()
    return Output({"ratings": number, "file": str(file)}, f"read {number} ratings of {file}")


def _store(app: App) -> RatingStore:
    settings = app.settings
    return RatingStore(settings.storage.data_dir, settings.ratings.max_mib)
