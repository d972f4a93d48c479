"""Locations of photos. Those of uploads are stored relative to the collection's folder.

The folder may be moved, so absolute paths are computed on use.
"""

import os
import re
from pathlib import Path

from indexer.store.records import Image

UPLOADS = "photos"
_UPLOADED = re.compile(
    rf"(?:(.*)/)?({UPLOADS}/([0-9a-f]{{2}})/(\3[0-9a-f]{{62}})\.[a-z]+)", re.DOTALL
)


def uploaded_place(content_hash: str, form: str) -> str:
    """Returns the relative path of an upload; `form` is its format from `recognise`."""
    return f"{UPLOADS}/{content_hash[:2]}/{content_hash}.{form.lower()}"


def is_uploaded(image: Image) -> bool:
    """Returns whether the photo is an upload, whose file is in the collection's folder."""
    return _place_in_folder(image.location, image.content_hash)[0] == ""


def location_of(folder: Path, image: Image) -> str:
    """Returns where to read a photo: an absolute path, a URL, or the name given on import.

    Args:
        folder: of the collection.
        image: the photo.
    """
    return str(folder.absolute() / image.location) if is_uploaded(image) else image.location


def stored_location(folder: Path, location: str, content_hash: str) -> str:
    """Returns a location for storage; uploads in this folder are stored relative to it."""
    parent, place = _place_in_folder(location, content_hash)
    if not parent or os.path.realpath(parent) != os.path.realpath(folder):
        return location
    return place


def is_upload_path(location: str) -> bool:
    """Returns whether a path has the form of an upload in any folder."""
    return _UPLOADED.fullmatch(location) is not None


def place_anywhere(location: str, content_hash: str) -> str | None:
    """Returns the relative path of an upload in any folder; None for other photos."""
    parent, place = _place_in_folder(location, content_hash)
    return place if parent else None


def _place_in_folder(location: str, content_hash: str) -> tuple[str | None, str]:
    """Returns folder and relative path of an upload; (None, "") for other photos."""
    found = _UPLOADED.fullmatch(location) if content_hash in location else None
    if found is None or found[4] != content_hash:
        return None, ""
    return found[1] or "", found[2]
