"""Paths of photos relative to one folder, so that photos and catalogue can be moved."""

import os
from pathlib import Path

from indexer.config.settings import StorageSettings
from indexer.errors import ImageError

# Starts the stored location of a photo below the root. No path or URL starts with it, and names
# of imported vectors are never read.
_PREFIX = "root:"


class PhotoRoot:
    """The folder that stored paths of photos are relative to.

    Args:
        folder: of the photos; None stores absolute paths.

    Attributes:
        folder: its absolute path; symbolic links are resolved on use.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = None if folder is None else folder.absolute()

    @classmethod
    def of(cls, storage: StorageSettings) -> "PhotoRoot":
        """Returns the root that the settings name."""
        return cls(None if storage.photo_root == "none" else storage.photo_root)

    def stored(self, location: str) -> str:
        """Returns a location for storage: a resolved path below the root becomes relative to it."""
        if self.folder is None:
            return location
        path, root = Path(location), os.path.realpath(self.folder)
        return f"{_PREFIX}{path.relative_to(root)}" if path.is_relative_to(root) else location

    def found(self, location: str) -> str:
        """Returns where to read a stored location: an absolute path or a URL.

        Raises:
            ImageError: it is relative to the root, but none is set.
        """
        if not self.holds(location):
            return location
        if self.folder is None:
            raise ImageError(
                "the path is stored relative to the folder of the photos",
                "set storage.photo_root to that folder",
            )
        return str(self.folder / location.removeprefix(_PREFIX))

    @staticmethod
    def holds(location: str) -> bool:
        """Returns whether a stored location is relative to the root."""
        return location.startswith(_PREFIX)
