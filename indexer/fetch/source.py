"""Reads photos by location: path or URL."""

from collections.abc import Sequence
from pathlib import Path

from indexer.config import FetchSettings
from indexer.errors import HostError, ImageError
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
        max_age_s: seconds for which a cached photo is used without asking its host again.

    Attributes:
        per_host: maximum of concurrent downloads from one host, which the caller keeps.
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
        max_age_s: float = 0,
    ) -> None:
        self.limits = limits
        self.root = root or PhotoRoot()
        self.per_host = settings.per_host
        self._max_age_s = max_age_s
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
        if self._cache is None:
            return self._downloader.get(location, None).data
        return self._revalidated(self._cache, location)

    def kept(self, url: str) -> bytes | None:
        """Returns the cached photo of a URL without revalidating it; None if not cached."""
        kept = self._cache.load(url) if self._cache else None
        return kept.photo.data if kept else None

    def _revalidated(self, cache: PhotoCache, url: str) -> bytes:
        kept = cache.load(url)
        known = kept.photo if kept else None
        if kept and 0 <= kept.age_s < self._max_age_s:
            return kept.photo.data
        try:
            photo = self._downloader.get(url, known)
        except HostError:
            raise
        except ImageError:  # the host has answered: it no longer has this photo
            cache.discard(url)
            raise
        if photo is known:
            cache.confirm(url)
        else:
            cache.store(url, photo)
        return photo.data

    def close(self) -> None:
        """Aborts the downloads of other threads and rejects new ones."""
        self._downloader.close()
