"""Where photos are. Uploaded ones are stored by their place in the collection's folder.

The folder may be moved, so their absolute path is made when it is needed.
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
    """The location of an uploaded photo of this format (as `recognise` names it)."""
    return f"{UPLOADS}/{content_hash[:2]}/{content_hash}.{form.lower()}"


def is_uploaded(image: Image) -> bool:
    """Whether the photo was uploaded, so that its file is in the collection's folder."""
    return _place_in_folder(image.location, image.content_hash)[0] == ""


def location_of(folder: Path, image: Image) -> str:
    """Where to read the photo: an absolute path, a URL, or what a name of it says.

    Args:
        folder: of the collection.
    """
    return str(folder.absolute() / image.location) if is_uploaded(image) else image.location


def stored_location(folder: Path, location: str, content_hash: str) -> str:
    """How a location is stored: that of an uploaded photo of this folder without the folder."""
    parent, place = _place_in_folder(location, content_hash)
    if not parent or os.path.realpath(parent) != os.path.realpath(folder):
        return location
    return place


def place_anywhere(location: str, content_hash: str) -> str | None:
    """The place of an uploaded photo whose folder may have been moved; None for all others."""
    parent, place = _place_in_folder(location, content_hash)
    return place if parent else None


def _place_in_folder(location: str, content_hash: str) -> tuple[str | None, str]:
    """The folder and the place of an uploaded photo: (None, "") if it cannot be one."""
    found = _UPLOADED.fullmatch(location) if content_hash in location else None
    if found is None or found[4] != content_hash:
        return None, ""
    return found[1] or "", found[2]
