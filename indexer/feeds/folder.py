"""Reads a folder of photos, or a single photo, as a feed."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from indexer.errors import FeedError
from indexer.feeds.locations import resolved
from indexer.feeds.rows import FeedRow, ImageRef, Rejection, RowError
from indexer.feeds.values import clean, product_id

PHOTOS = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".gif", ".bmp"}
_UNSUPPORTED = {
    *(".heic", ".heif", ".hif", ".tif", ".tiff", ".jp2", ".jxl", ".svg", ".ico", ".tga", ".psd"),
    *(".dng", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".eps", ".apng"),
}
# First bytes of JPEG, PNG, GIF, TIFF; WebP, AVIF and HEIC say it behind four bytes or eight.
_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8|II\*\0|MM\0\*|RIFF....WEBP|....ftyp(avi|hei|hev|mif|msf)",
    re.DOTALL,
)


def read_photo(path: Path) -> Iterator[FeedRow | Rejection]:
    """Yields one product; its id is the file name without extension."""
    yield _row(path, PurePosixPath(path.name), str(path))


def read_folder(path: Path) -> Iterator[FeedRow | Rejection]:
    """Yields every photo below `path` as a product, in the order of folders and names.

    Follows symbolic links, except into a folder that it is in already. Skips hidden files and
    folders, and files that are not photos.

    Raises:
        FeedError: a folder cannot be listed; skipping it would look like the removal of its
            products.
    """
    inside = {Path(path): frozenset({os.path.realpath(path)})}  # real folders on the way to each
    for folder, folders, files in os.walk(path, onerror=_refuse, followlinks=True):
        around = inside.pop(Path(folder))
        reals = {name: os.path.realpath(Path(folder, name)) for name in folders}
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and reals[name] not in around
        )
        inside |= {Path(folder, name): around | {reals[name]} for name in folders}
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
            elif reason := _unread(Path(folder, name)):
                rejection = _rejection(path, below, reason)
                yield replace(rejection, product_id=None, raw_text=str(below))


def _unread(file: Path) -> str:
    """Returns why a file without the extension of a photo may be one; empty if it cannot be."""
    try:
        if not file.is_file():
            return "" if file.exists() else "the symbolic link leads nowhere; correct it"
        with file.open("rb") as stream:
            is_photo = _SIGNATURE.match(stream.read(16))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "this is a photo, but its extension is not one of a photo; rename it" if is_photo else ""


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
