"""The files of the catalogue's photos: opened only while they are what was indexed.

Whoever may write to a folder of photos must not decide what the service serves. A location was
resolved when it was indexed, so a symbolic link in it came later and is refused; the content is
compared with the hash that the catalogue holds.
"""

import os
import stat
from hashlib import sha256
from io import FileIO
from pathlib import Path

from indexer.errors import ImageError
from indexer.images import ImageLimits
from indexer.images.recognition import recognise
from indexer.store import Image
from indexer.store.embedded.catalog import Catalog
from service.errors import UnknownImageError

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
# Without waiting, or a pipe in the place of a photo would hold the thread.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_HEAD = 256  # bytes that tell the format
_PIECE = 1 << 20


def open_photo(catalog: Catalog, image: Image, limits: ImageLimits) -> FileIO:
    """The file of a photo, at its beginning; the caller closes it.

    Raises:
        UnknownImageError: it is not a file here, is gone or is not what was indexed.
    """
    path = Path(image.location)
    # Imported vectors come with the name of a photo that was never read here.
    if not path.is_absolute() or image.content_hash.startswith("vector:"):
        raise UnknownImageError(f"image {image.image_id} is not a file of this service")
    try:
        descriptor = _descriptor(path, catalog.folder.absolute())
    except FileNotFoundError:
        raise UnknownImageError(f"the file of image {image.image_id} is gone") from None
    except (OSError, ValueError):
        raise _changed(image) from None
    try:
        if not _is_as_indexed(descriptor, image, limits):
            raise _changed(image)
        return FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def media_type(file: FileIO) -> str:
    """The media type of a photo that was opened, by its first bytes."""
    try:
        return f"image/{recognise(os.pread(file.fileno(), _HEAD, 0)).lower()}"
    except ImageError:  # the file was changed in the meantime
        return "application/octet-stream"


def _descriptor(path: Path, trusted: Path) -> int:
    """Opens a file; follows links in the part of its path that is `trusted`, and no others."""
    root = trusted if path.is_relative_to(trusted) else Path(path.anchor)
    *folders, name = path.relative_to(root).parts
    folder = os.open(root, os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY))
    try:
        for part in folders:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)


def _is_as_indexed(descriptor: int, image: Image, limits: ImageLimits) -> bool:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limits.max_bytes:
        return False
    digest, place = sha256(), 0
    while piece := os.pread(descriptor, _PIECE, place):
        digest.update(piece)
        place += len(piece)
        if place > limits.max_bytes:  # it grows while it is read
            return False
    return digest.hexdigest() == image.content_hash


def _changed(image: Image) -> UnknownImageError:
    return UnknownImageError(
        f"the file of image {image.image_id} is not the photo that was indexed; index it again"
    )
