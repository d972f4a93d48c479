"""The photos of catalogues, served only while they are unchanged since they were indexed.

Write access to a folder of photos must not control what the service serves. Locations were
resolved when they were indexed, so a symbolic link in one was added later and is refused. The
content is compared with the hash in the catalogue.
"""

import os
import stat
from hashlib import sha256
from io import FileIO
from pathlib import Path
from threading import BoundedSemaphore

from indexer.config import Settings
from indexer.errors import ImageError
from indexer.fetch import PhotoRoot, PhotoSource, is_url
from indexer.images import ImageLimits
from indexer.images.recognition import recognise
from indexer.store import VECTOR_HASH, Image, Store
from indexer.store.places import location_of
from service.errors import OverloadedError, UnknownImageError

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | getattr(os, "O_PATH", os.O_RDONLY)
# Non-blocking, because opening a pipe in the place of a photo would block the thread.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_HEAD = 256  # bytes that identify the format
_PIECE = 1 << 20
# Limit on threads that wait for photo servers, so that a slow server does not delay searches.
_DOWNLOADS = 2
_DOWNLOAD_S = 5.0


class Originals:
    """Reads the photos of collections, from disk and from the web. Thread-safe.

    URLs come from the catalogue, never from a request. They are fetched with the settings and the
    cache of the command line, so only hosts that `fetch` allows are contacted.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits = settings.images.limits()
        self._root = PhotoRoot.of(settings.storage)
        timeout_s = min(settings.fetch.timeout_s, _DOWNLOAD_S)
        fetch = settings.fetch.model_copy(update={"timeout_s": timeout_s})
        self._web = PhotoSource(self._limits, fetch, settings.photo_cache)
        self._downloads = BoundedSemaphore(_DOWNLOADS)

    def read(self, store: Store, image: Image) -> bytes:
        """Returns the bytes of a photo, downloaded if need be.

        Raises:
            UnknownImageError: the photo cannot be read, or has changed since it was indexed.
            OverloadedError: too many threads wait for photo servers.
        """
        if (data := self.on_disk(store, image)) is not None:
            return data
        data = self._downloaded(image)
        if not _is_of(data, image):
            raise _changed(image)
        return data

    def on_disk(self, store: Store, image: Image) -> bytes | None:
        """Returns the bytes of a photo; None if it would have to be downloaded.

        Raises:
            UnknownImageError: the photo cannot be read, or has changed since it was indexed.
        """
        if not is_url(image.location):
            with self.open(store, image) as file:
                return file.read()
        kept = self._web.kept(image.location)
        return kept if kept is not None and _is_of(kept, image) else None

    def open(self, store: Store, image: Image) -> FileIO:
        """Opens the file of a photo, at its beginning; the caller closes it.

        Raises:
            UnknownImageError: the photo is not a local file, or was removed or changed.
        """
        return _opened(store, image, self._root, self._limits)

    def _downloaded(self, image: Image) -> bytes:
        if not self._downloads.acquire(blocking=False):
            raise OverloadedError(retry_after_s=1)
        try:
            return self._web.read(image.location)
        except ImageError as error:
            raise UnknownImageError(f"{image.uri!r} cannot be read now: {error}") from error
        finally:
            self._downloads.release()


def _opened(store: Store, image: Image, root: PhotoRoot, limits: ImageLimits) -> FileIO:
    try:
        path = Path(root.found(location_of(store.folder, image)))
    except ImageError as error:
        raise UnknownImageError(f"image {image.image_id}: {error.text}", error.hint) from None
    below = root.folder if root.holds(image.location) else None
    # Imported vectors have names of photos that were never read here.
    if not path.is_absolute() or image.content_hash.startswith(VECTOR_HASH):
        raise UnknownImageError(f"image {image.image_id} is not a file of this service")
    try:
        descriptor = _descriptor(path, below or store.folder.absolute())
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
    """Returns the media type of an opened photo, by its first bytes."""
    try:
        return f"image/{recognise(os.pread(file.fileno(), _HEAD, 0)).lower()}"
    except ImageError:  # the file was changed in the meantime
        return "application/octet-stream"


def _descriptor(path: Path, trusted: Path) -> int:
    """Opens a file; follows symbolic links only in the `trusted` part of its path."""
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
        if place > limits.max_bytes:  # the file grows while it is read
            return False
    return digest.hexdigest() == image.content_hash


def _is_of(data: bytes, image: Image) -> bool:
    return sha256(data).hexdigest() == image.content_hash


def _changed(image: Image) -> UnknownImageError:
    return UnknownImageError(
        f"the photo of image {image.image_id} is not the one that was indexed", "index it again"
    )
