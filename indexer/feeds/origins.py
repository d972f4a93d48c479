"""Where a feed is from: a file or folder, a URL, or standard input."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Feed:
    """A feed to read.

    Attributes:
        path: of the file or folder; the extension decides the format.
        name: as the user named it, in reports and errors.
        base: folder or URL that relative links to photos start at.
    """

    path: Path
    name: str
    base: Path | str

    @classmethod
    def of(cls, path: Path) -> "Feed":
        """Returns a feed on disk."""
        return cls(path, str(path), path.absolute().parent)
