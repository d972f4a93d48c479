"""A folder to prepare files in, which is gone afterwards."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import CatalogError


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder in `folder` to prepare something in, gone afterwards. Needs a lock."""
    stage = folder / ".unfinished"
    shutil.rmtree(stage, ignore_errors=True)  # of one who was killed
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def copies_named(stage: Path, original: Path) -> Iterator[None]:
    """Makes errors of a catalogue name the files in `original` instead of their copies in `stage`.

    A copy is gone when its error is read.
    """
    try:
        yield
    except CatalogError as error:
        # The relative path last, as it may be the end of the others.
        for path in (stage.resolve(), stage.absolute(), stage):
            error.text = error.text.replace(f"{path}/", f"{original}/")
        raise
