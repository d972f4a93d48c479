"""Thumbnails of the photos of catalogues: made once, then kept on disk."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import Literal

from PIL.Image import Resampling

from indexer.config import Settings
from indexer.errors import ImageError
from indexer.images import ImageLimits, decode
from indexer.images.memory import MIB
from indexer.store import Image, Store
from service.engine.admission import Admission
from service.engine.file_cache import FileCache
from service.engine.originals import Originals
from service.engine.sizing import yield_to_requests

ThumbnailWidth = Literal[160, 320, 640]  # pixels
MEDIA_TYPE = "image/webp"  # a third smaller than JPEG, and read by every browser since 2020
_QUALITY = 75
_MAX_RATIO = 4  # of height to width
_VERSION = 1  # of the way in which thumbnails are made
_WAIT_S = 10.0


class Thumbnails:
    """Makes thumbnails, a few at a time. Thread-safe.

    A photo on the web is not downloaded for its thumbnail: only a copy in the cache of downloaded
    photos is used.

    Args:
        settings: of photos and of the cache.
        originals: the photos.
        admission: limits the requests that wait for a thumbnail.
        threads: number of thumbnails that are made at the same time.
    """

    def __init__(
        self, settings: Settings, originals: Originals, admission: Admission, threads: int
    ) -> None:
        self._limits = settings.images.limits()
        self._originals = originals
        self._admission = admission
        folder = settings.storage.data_dir / ".thumbnails"  # not the name of a collection
        self._kept = FileCache(folder, settings.service.thumbnails_mib * MIB)
        self._coming: dict[str, Future[bytes | None]] = {}
        self._lock = threading.Lock()
        self._makers = ThreadPoolExecutor(threads, "thumbnails", yield_to_requests)

    def of(self, store: Store, image: Image, width: ThumbnailWidth) -> bytes | None:
        """Returns the thumbnail of a photo, in `MEDIA_TYPE`.

        Returns:
            None if the photo is on the web and not in the cache, if it cannot be decoded, or if
            the thumbnail takes too long.

        Raises:
            UnknownImageError: the photo cannot be read, or has changed since it was indexed.
            OverloadedError: too many requests wait for thumbnails.
        """
        key = key_of(image, width)
        if (kept := self._kept.load(key)) is not None:
            return kept
        with self._admission.admit("thumbnail"):
            try:
                return self._requested(key, store, image, width).result(timeout=_WAIT_S)
            except TimeoutError:
                return None

    def stop(self) -> None:
        """Ends the threads."""
        self._makers.shutdown(cancel_futures=True)

    def _requested(
        self, key: str, store: Store, image: Image, width: int
    ) -> "Future[bytes | None]":
        """Returns the thumbnail that another request waits for, or a new one."""
        with self._lock:
            if (coming := self._coming.get(key)) is not None:
                return coming
            until = time.monotonic() + _WAIT_S
            coming = self._makers.submit(self._make, key, store, image, width, until)
            self._coming[key] = coming
        coming.add_done_callback(partial(self._forget, key))
        return coming

    def _forget(self, key: str, _: object) -> None:
        with self._lock:
            del self._coming[key]

    def _make(self, key: str, store: Store, image: Image, width: int, until: float) -> bytes | None:
        if time.monotonic() > until:  # no request waits any more, and others are queued
            return None
        if (kept := self._kept.load(key)) is not None:  # made after the request looked for it
            return kept
        photo = self._originals.on_disk(store, image)
        if photo is None:
            return None
        try:
            data = thumbnail(photo, self._limits, width)
        except ImageError:  # for example, the limits were lowered since it was indexed
            return None
        self._kept.store(key, data)
        return data


def key_of(image: Image, width: int) -> str:
    """Returns the name of a thumbnail, which stands for its content."""
    return f"{image.content_hash}-{width}-{_VERSION}"


def thumbnail(photo: bytes, limits: ImageLimits, width: int) -> bytes:
    """Returns a photo in `MEDIA_TYPE`, upright, at most `width` wide and four times as high.

    Raises:
        ImageError: the photo cannot be decoded.
    """
    picture = decode(photo, limits, width)
    picture.thumbnail((width, _MAX_RATIO * width), Resampling.LANCZOS)
    file = BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY)
    return file.getvalue()
