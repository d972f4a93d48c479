"""A temporary folder for preparing files, and errors about the copies in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import CatalogError


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Creates a temporary folder in `folder`, and deletes it afterwards. Requires a lock."""
    stage = folder / ".unfinished"
    shutil.rmtree(stage, ignore_errors=True)  # left by a process that was killed
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def copies_named(stage: Path, original: Path) -> Iterator[None]:
    """Replaces the paths of copies in `stage` by those of the files in `original` in errors.

    The copies no longer exist when the user reads the error.
    """
    try:
        yield
    except CatalogError as error:
        # The relative path last, because the others may end with it.
        for path in (stage.resolve(), stage.absolute(), stage):
            error.text = error.text.replace(f"{path}/", f"{original}/")
        raise
