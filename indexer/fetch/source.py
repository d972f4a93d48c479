"""Reads photos by location: path or URL."""

from collections.abc import Sequence
from pathlib import Path

from indexer.config import FetchSettings
from indexer.fetch.addresses import Guard, Resolve, resolve
from indexer.fetch.cache import PhotoCache
from indexer.fetch.download import Downloader
from indexer.fetch.root import PhotoRoot
from indexer.fetch.urls import is_url
from indexer.images import ImageLimits, read_photo

_MIB = 2**20


class PhotoSource:
    """Reads photos from disk and from the web. Thread-safe.

    Args:
        limits: maximum size of a photo; bytes are counted while downloading.
        settings: of downloads.
        cache: folder of downloaded photos; None disables the cache.
        resolve: resolves host names.
        only_hosts: the only permitted hosts, `host` or `host:port`; None permits any.
        patience: consecutive failures after which no more requests are sent to a host; None for
            no limit.
        root: that stored paths are relative to.
    """

    def __init__(
        self,
        limits: ImageLimits,
        settings: FetchSettings,
        cache: Path | None = None,
        resolve: Resolve = resolve,
        only_hosts: Sequence[str] | None = None,
        patience: int | None = None,
        root: PhotoRoot | None = None,
    ) -> None:
        self.limits = limits
        self.root = root or PhotoRoot()
        guard = Guard(settings.allowed_hosts, resolve, only_hosts)
        self._downloader = Downloader(guard, limits.max_bytes, settings.timeout_s, patience)
        self._cache = PhotoCache(cache, settings.cache_mib * _MIB) if cache else None

    def read(self, location: str) -> bytes:
        """Reads the bytes of the photo at `location`: a path, a stored path or an http(s) URL.

        Raises:
            HostError: the host of the URL is down, too slow or blocked after failures.
            FetchError: the URL is not permitted or does not return a photo.
            EmptyImageError: the photo has no bytes.
            ImageTooLargeError: the photo is larger than the limit.
            ImageError: there is no readable file.
        """
        if not is_url(location):
            return read_photo(Path(self.root.found(location)), self.limits)
        known = self._cache.load(location) if self._cache else None
        photo = self._downloader.get(location, known)
        if self._cache and photo is not known:
            self._cache.store(location, photo)
        return photo.data

    def kept(self, url: str) -> bytes | None:
        """Returns the cached photo of a URL without revalidating it; None if not cached."""
        known = self._cache.load(url) if self._cache else None
        return known.data if known else None

    def close(self) -> None:
        """Aborts the downloads of other threads and rejects new ones."""
        self._downloader.close()
