"""Reads photos by location: path or URL."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from indexer.config import FetchSettings
from indexer.errors import HostError, ImageError
from indexer.fetch.addresses import Guard, Resolve, resolve
from indexer.fetch.cache import Kept, PhotoCache
from indexer.fetch.download import Download, Downloader
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

    def read_unless(
        self, location: str, is_stored: Callable[[str], bool]
    ) -> tuple[str, bytes | None]:
        """Reads a photo, unless its content is stored and known to be unchanged.

        Args:
            location: as for `read`.
            is_stored: returns whether the content with a hash is stored.

        Returns:
            The SHA-256 of the photo, and its bytes or None.

        Raises:
            ImageError: as `read`.
        """
        kept = self._cache.load(location) if self._cache and is_url(location) else None
        if self._cache and kept and not kept.photo.data and is_stored(kept.content_hash):
            if self._is_recent(kept):
                return kept.content_hash, None
            photo = self._asked(self._cache, location, kept.photo)
            if photo is kept.photo:
                return kept.content_hash, None
            data = photo.data
        else:
            data = self.read(location)
        return sha256(data).hexdigest(), data

    def kept(self, url: str) -> bytes | None:
        """Returns the cached photo of a URL without revalidating it; None if not cached."""
        kept = self._cache.load(url) if self._cache else None
        return kept.photo.data or None if kept else None

    def _revalidated(self, cache: PhotoCache, url: str) -> bytes:
        kept = cache.load(url)
        if kept is None or not kept.photo.data:
            return self._asked(cache, url, None).data
        if self._is_recent(kept):
            return kept.photo.data
        return self._asked(cache, url, kept.photo).data

    def _is_recent(self, kept: Kept) -> bool:
        return 0 <= kept.age_s < self._max_age_s

    def _asked(self, cache: PhotoCache, url: str, known: Download | None) -> Download:
        """Asks the host of a photo; returns `known` if it has not changed."""
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
        return photo

    def close(self) -> None:
        """Aborts the downloads of other threads and rejects new ones."""
        self._downloader.close()
