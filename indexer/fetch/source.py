"""One way to every photo that a feed names."""

from collections.abc import Sequence
from pathlib import Path

from indexer.config import FetchSettings
from indexer.fetch.addresses import Guard, Resolve, resolve
from indexer.fetch.cache import PhotoCache
from indexer.fetch.download import Downloader
from indexer.fetch.urls import is_url
from indexer.images import ImageLimits, read_photo

_MIB = 2**20


class PhotoSource:
    """Reads photos from disk and from the web. Thread-safe.

    Args:
        limits: what a photo may cost; bytes are checked while they come.
        settings: of downloads.
        cache: folder of downloaded photos; None keeps none.
        resolve: gives the addresses of a host.
        only_hosts: which alone may be asked, `host` or `host:port`; None for any.
        patience: failures in a row after which a host is asked no more; None asks for ever.
    """

    def __init__(
        self,
        limits: ImageLimits,
        settings: FetchSettings,
        cache: Path | None = None,
        resolve: Resolve = resolve,
        only_hosts: Sequence[str] | None = None,
        patience: int | None = None,
    ) -> None:
        self.limits = limits
        guard = Guard(settings.allowed_hosts, resolve, only_hosts)
        self._downloader = Downloader(guard, limits.max_bytes, settings.timeout_s, patience)
        self._cache = PhotoCache(cache, settings.cache_mib * _MIB) if cache else None

    def read(self, location: str) -> bytes:
        """The bytes of the photo at `location`, a path or an http(s) URL.

        Raises:
            HostError: the host of the URL is down or too slow, or is asked no more.
            FetchError: the URL is not allowed or gives no photo.
            EmptyImageError: there are no bytes.
            ImageTooLargeError: there are too many.
            ImageError: there is no readable file.
        """
        if not is_url(location):
            return read_photo(Path(location), self.limits)
        known = self._cache.load(location) if self._cache else None
        photo = self._downloader.get(location, known)
        if self._cache and photo is not known:
            self._cache.store(location, photo)
        return photo.data

    def kept(self, url: str) -> bytes | None:
        """The photo of a URL as a run has kept it; nobody is asked whether it changed."""
        known = self._cache.load(url) if self._cache else None
        return known.data if known else None

    def close(self) -> None:
        """Cuts off the downloads of other threads; later ones are refused."""
        self._downloader.close()
