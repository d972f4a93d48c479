"""Reads a folder of photos, or a single photo, as a feed."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from indexer.errors import FeedError
from indexer.feeds.locations import resolved
from indexer.feeds.rows import FeedRow, ImageRef, Rejection, RowError
from indexer.feeds.values import clean, product_id

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp"}
_UNSUPPORTED = {".heic", ".heif", ".tif", ".tiff"}


def read_photo(path: Path) -> Iterator[FeedRow | Rejection]:
    """Yields one product; its id is the file name without extension."""
    yield _row(path, PurePosixPath(path.name), str(path))


def read_folder(path: Path) -> Iterator[FeedRow | Rejection]:
    """Yields every photo below `path` as a product, in the order of folders and names.

    Skips hidden files and folders, links to folders, and files that are not photos.

    Raises:
        FeedError: a folder cannot be listed; skipping it would look like the removal of its
            products.
    """
    for folder, folders, files in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        taken: dict[str, str] = {}
        for name in sorted(name for name in files if not name.startswith(".")):
            suffix = PurePosixPath(name).suffix.lower()
            below = PurePosixPath(Path(folder, name).relative_to(path))
            if suffix in _UNSUPPORTED:
                yield _rejection(path, below, f"{suffix} is not supported; save the photo as JPEG")
            elif suffix in PHOTOS:
                first = taken.setdefault(below.stem, name)
                if first == name:
                    yield _row(Path(folder, name), below, str(path))
                else:
                    reason = f"same product id as {first!r} in this folder; rename one of them"
                    yield _rejection(path, below, reason)


def _refuse(error: OSError) -> None:
    raise FeedError(f"{error.filename}: the folder cannot be listed: {error.strerror}") from error


def _row(file: Path, below: PurePosixPath, source: str) -> FeedRow | Rejection:
    try:
        name = product_id(str(below.with_suffix("")))
        category = clean("category", below.parts[0]) if len(below.parts) > 1 else None
    except RowError as error:
        return Rejection(source, None, None, f"{str(below)!r}: {error}")
    return FeedRow(
        product_id=name,
        attributes={} if category is None else {"category": category},
        images=(ImageRef(str(below), resolved(file)),),
        line=None,
        source=source,
    )


def _rejection(path: Path, below: PurePosixPath, reason: str) -> Rejection:
    name = str(below.with_suffix("")).encode("utf-8", "replace").decode()
    return Rejection(str(path), None, name, f"{str(below)!r}: {reason}")
