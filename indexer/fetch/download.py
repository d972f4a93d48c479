"""Downloads a photo from a URL, with redirects, limits and retries."""

import math
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from ssl import SSLCertVerificationError
from threading import Lock
from typing import BinaryIO
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from indexer import __version__
from indexer.errors import EmptyImageError, FetchError, HostError, ImageError, ImageTooLargeError
from indexer.fetch.addresses import Guard
from indexer.fetch.connections import READ_S, Connections, Deadline
from indexer.fetch.hosts import Hosts
from indexer.fetch.urls import host_of

_REDIRECTS = 3
_PAUSES_S = (0.5, 1.0)  # before the first and the second retry
_CHUNK = 2**18  # bytes
_RETRYABLE = {429, 500, 502, 503, 504}
_HEADERS = {
    "User-Agent": f"visual-product-search/{__version__}",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True)
class Download:
    """A downloaded photo, and the validators for revalidating it.

    Attributes:
        data: bytes of the photo.
        source: the final URL after redirects; the validators are valid only for it.
        etag: header `ETag` of the response.
        last_modified: header `Last-Modified` of the response.
    """

    data: bytes
    source: str
    etag: str | None
    last_modified: str | None

    @property
    def validators(self) -> dict[str, str]:
        """Headers of a conditional request; empty if the server sent no validators."""
        known = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in known.items() if value}


class _TransientError(HostError):
    """A failure that a retry may fix.

    Args:
        reason: what failed.
        after: seconds to wait before the retry, at least.
        slow: the attempt ended by a timeout.
    """

    def __init__(self, reason: str, after: float = 0, *, slow: bool = False) -> None:
        super().__init__(f"{reason}; check that the URL opens in a browser, then try again")
        self.after = after
        self.slow = slow


class Downloader:
    """Downloads photos. Thread-safe.

    Args:
        guard: checks URLs and redirects.
        max_bytes: maximum size of a photo, decompressed.
        seconds: time limit for a photo, including redirects and retries.
        patience: consecutive failures after which no more requests are sent to a server; None
            for no limit.
        accept: media types to ask for.
        read_s: maximum seconds without a packet; None for that of photos.
    """

    def __init__(
        self,
        guard: Guard,
        max_bytes: int,
        seconds: float,
        patience: int | None = None,
        accept: str = "image/*",
        read_s: float | None = None,
    ) -> None:
        self._guard = guard
        self._headers = _HEADERS | {"Accept": accept}
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._connections = Connections(READ_S if read_s is None else read_s)
        self._hosts = Hosts(patience)
        self._lock = Lock()
        self._running: set[Deadline] = set()
        self._closed = False

    def get(self, url: str, known: Download | None, into: BinaryIO | None = None) -> Download:
        """Downloads the photo at `url`.

        Args:
            url: of the photo.
            known: an earlier download, returned as it is if the server reports no change.
            into: file that receives the bytes instead of the result.

        Raises:
            HostError: the server is down, too slow or misconfigured.
            FetchError: the URL is not permitted or does not return a photo.
            EmptyImageError: the response has no bytes.
            ImageTooLargeError: the photo is larger than `max_bytes`.
        """
        host, began = host_of(url), time.monotonic()
        try:
            with self._limited() as deadline:
                photo = self._with_retries(host, deadline, partial(self._follow, url, known, into))
        except HostError as error:
            self._hosts.failed(host, error, began)
            raise
        except ImageError:
            self._hosts.answered(host)
            raise
        self._hosts.answered(host)
        return photo

    def close(self) -> None:
        """Aborts the downloads of other threads and rejects new ones."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for deadline in running:
            deadline.cut()

    @contextmanager
    def _limited(self) -> Iterator[Deadline]:
        with Deadline(self._seconds) as deadline:
            with self._lock:
                if self._closed:
                    raise HostError("downloads have been stopped")
                self._running.add(deadline)
            try:
                yield deadline
            finally:
                with self._lock:
                    self._running.remove(deadline)

    def _with_retries(
        self, host: str, deadline: Deadline, attempt: Callable[[Deadline], Download]
    ) -> Download:
        pauses = iter(_PAUSES_S)
        while True:
            self._hosts.require(host)
            began = time.monotonic()
            try:
                return attempt(deadline)
            except _TransientError as failure:
                if failure.slow:
                    self._hosts.failed(host, failure, began)
                wait = max(failure.after, next(pauses, math.inf))
                if wait >= deadline.left:
                    raise
                deadline.pause(wait)

    def _follow(
        self, url: str, known: Download | None, into: BinaryIO | None, deadline: Deadline
    ) -> Download:
        for _ in range(1 + _REDIRECTS):
            try:
                target = deadline.within(partial(self._guard.check, url))
                validators = known.validators if known and known.source == url else {}
                response = self._connections.get(target, self._headers | validators, deadline)
                with closing(response):
                    if location := response.get_redirect_location():
                        url = urljoin(url, location)
                    elif response.status == 304 and known and validators:
                        response.drain_conn()
                        return known
                    else:
                        return self._download(response, url, into)
            except (HTTPError, OSError, ValueError) as error:
                raise _explained(error) from error
        raise FetchError(
            f"the photo's URL redirects more than {_REDIRECTS} times; send the final URL"
        )

    def _download(self, response: BaseHTTPResponse, url: str, into: BinaryIO | None) -> Download:
        if response.status in _RETRYABLE:
            after = _retry_after(response.headers.get("Retry-After", "0"))
            raise _TransientError(f"the photo server returned {response.status}", after)
        if response.status != 200:
            raise FetchError(
                f"the photo server returned {response.status}; check that the URL opens in a"
                " browser without logging in"
            )
        body = into or BytesIO()
        self._receive(response, body)
        if not body.tell():
            raise EmptyImageError("the photo server sent an empty file")
        etag, changed = response.headers.get("ETag"), response.headers.get("Last-Modified")
        data = body.getvalue() if isinstance(body, BytesIO) else b""  # does not copy
        return Download(data, url, etag, changed)

    def _receive(self, response: BaseHTTPResponse, body: BinaryIO) -> None:
        announced = response.headers.get("Content-Length", "")
        too_large = announced.isdecimal() and int(announced) > self._max_bytes
        body.seek(0)
        body.truncate()  # what a failed attempt left
        while not too_large and (chunk := response.read(_CHUNK)):
            body.write(chunk)
            too_large = body.tell() > self._max_bytes
        if too_large:
            raise ImageTooLargeError(
                f"the photo has more than {self._max_bytes:,} bytes; use a smaller one"
            )


def _explained(error: Exception) -> FetchError:
    """Converts an error to one that is safe to show: urllib3's texts contain addresses."""
    if refused := _certificate_error(error):
        return HostError(
            f"the certificate of the photo server is not valid ({refused.verify_message})",
            "renew it, or set SSL_CERT_FILE to the certificate of your own authority",
        )
    if isinstance(error, socket.gaierror | NewConnectionError | ConnectTimeoutError):
        # In urllib3 a refused connection is a subclass of the timeout.
        slow = isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError)
        return _TransientError("the photo server cannot be found or reached", slow=slow)
    if isinstance(error, ValueError):
        return FetchError("the photo server redirects to an invalid URL")
    if isinstance(error, ReadTimeoutError):
        return _TransientError("the photo server stopped responding", slow=True)
    return _TransientError("the connection to the photo server was lost")


def _certificate_error(error: BaseException | None) -> SSLCertVerificationError | None:
    while error is not None and not isinstance(error, SSLCertVerificationError):
        error = error.__context__
    return error


def _retry_after(header: str) -> float:
    """Parses `Retry-After`, a number of seconds or a date, to seconds from now."""
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
