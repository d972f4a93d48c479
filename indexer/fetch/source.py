"""One way to every photo that a feed names."""

import re
from collections.abc import Sequence
from pathlib import Path

from indexer.config import FetchSettings
from indexer.fetch.addresses import Guard, Resolve, resolve
from indexer.fetch.cache import PhotoCache
from indexer.fetch.download import Downloader
from indexer.images import ImageLimits, read_photo

_MIB = 2**20
_URL = re.compile(r"https?://", re.IGNORECASE)


class PhotoSource:
    """Reads photos from disk and from the web. Thread-safe.

    Args:
        limits: what a photo may cost; bytes are checked while they come.
        settings: of downloads.
        cache: folder of downloaded photos; None keeps none.
        resolve: gives the addresses of a host.
        only_hosts: which alone may be asked, `host` or `host:port`; None for any.
    """

    def __init__(
        self,
        limits: ImageLimits,
        settings: FetchSettings,
        cache: Path | None = None,
        resolve: Resolve = resolve,
        only_hosts: Sequence[str] | None = None,
    ) -> None:
        self.limits = limits
        guard = Guard(settings.allowed_hosts, resolve, only_hosts)
        self._downloader = Downloader(guard, limits.max_bytes, settings.timeout_s)
        self._cache = PhotoCache(cache, settings.cache_mib * _MIB) if cache else None

    def read(self, location: str) -> bytes:
        """The bytes of the photo at `location`, a path or an http(s) URL.

        Raises:
            FetchError: the URL is not allowed or does not answer.
            EmptyImageError: there are no bytes.
            ImageTooLargeError: there are too many.
            ImageError: there is no readable file.
        """
        if not _URL.match(location):
            return read_photo(Path(location), self.limits)
        known = self._cache.load(location) if self._cache else None
        photo = self._downloader.get(location, known)
        if self._cache and photo is not known:
            self._cache.store(location, photo)
        return photo.data
