"""One photo from one URL: redirects, limits, second tries."""

import math
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from ssl import SSLCertVerificationError
from threading import Lock
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
from indexer.fetch.connections import Connections, Deadline
from indexer.fetch.hosts import Hosts
from indexer.fetch.urls import host_of

_REDIRECTS = 3
_PAUSES_S = (0.5, 1.0)  # before the second and the third try
_CHUNK = 2**18
_TRY_AGAIN = {429, 500, 502, 503, 504}
_HEADERS = {
    "User-Agent": f"visual-product-search/{__version__}",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
}


@dataclass(frozen=True)
class Download:
    """A photo from the web, and what to ask its server with whether it has changed.

    `source` is the URL that answered, after redirects; the validators are of that one only.
    """

    data: bytes
    source: str
    etag: str | None
    last_modified: str | None

    @property
    def validators(self) -> dict[str, str]:
        """Headers of a conditional request; empty where the server gave nothing to ask with."""
        known = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in known.items() if value}


class _TransientError(HostError):
    """Another try may succeed, `after` seconds or more. `slow` if this one took its full time."""

    def __init__(self, reason: str, after: float = 0, *, slow: bool = False) -> None:
        super().__init__(f"{reason}; check that the URL opens in a browser, then try again")
        self.after = after
        self.slow = slow


class Downloader:
    """Downloads photos. Thread-safe.

    Args:
        guard: of the URLs and their redirects.
        max_bytes: of a photo, whatever its compression on the way.
        seconds: for a photo, with redirects and all tries.
        patience: failures in a row after which a server is asked no more; None asks for ever.
    """

    def __init__(
        self, guard: Guard, max_bytes: int, seconds: float, patience: int | None = None
    ) -> None:
        self._guard = guard
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._connections = Connections()
        self._hosts = Hosts(patience)
        self._lock = Lock()
        self._running: set[Deadline] = set()
        self._closed = False

    def get(self, url: str, known: Download | None) -> Download:
        """The photo at `url`, which is `known` itself if the server says so.

        Raises FetchError, EmptyImageError or ImageTooLargeError.
        """
        host = host_of(url)
        try:
            with self._limited() as deadline:
                photo = self._persistently(host, url, known, deadline)
        except HostError as error:
            self._hosts.failed(host, error)
            raise
        except ImageError:
            self._hosts.answered(host)
            raise
        self._hosts.answered(host)
        return photo

    def close(self) -> None:
        """Cuts off what is under way in other threads; nothing can be downloaded any more."""
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
                    raise FetchError("photos are not downloaded any more")
                self._running.add(deadline)
            try:
                yield deadline
            finally:
                with self._lock:
                    self._running.remove(deadline)

    def _persistently(
        self, host: str, url: str, known: Download | None, deadline: Deadline
    ) -> Download:
        pauses = iter(_PAUSES_S)
        while True:
            self._hosts.require(host)
            try:
                return self._follow(url, known, deadline)
            except _TransientError as failure:
                wait = max(failure.after, next(pauses, math.inf))
                if wait >= deadline.left:
                    raise
                if failure.slow:
                    self._hosts.failed(host, failure)
                deadline.pause(wait)

    def _follow(self, url: str, known: Download | None, deadline: Deadline) -> Download:
        for _ in range(1 + _REDIRECTS):
            try:
                target = deadline.within(partial(self._guard.check, url))
                validators = known.validators if known and known.source == url else {}
                response = self._connections.get(target, _HEADERS | validators, deadline)
                with closing(response):
                    if location := response.get_redirect_location():
                        url = urljoin(url, location)
                    elif response.status == 304 and known and validators:
                        response.drain_conn()
                        return known
                    else:
                        return self._download(response, url)
            except (HTTPError, OSError, ValueError) as error:
                raise _explained(error) from error
        raise FetchError(
            f"the photo's URL redirects more than {_REDIRECTS} times; send the final URL"
        )

    def _download(self, response: BaseHTTPResponse, url: str) -> Download:
        if response.status in _TRY_AGAIN:
            after = _retry_after(response.headers.get("Retry-After", "0"))
            raise _TransientError(f"the photo's server answered {response.status}", after)
        if response.status != 200:
            raise FetchError(
                f"the photo's server answered {response.status}; check that the URL opens in a"
                " browser without logging in"
            )
        data = self._body(response)
        if not data:
            raise EmptyImageError("the photo's server sent an empty file")
        etag, changed = response.headers.get("ETag"), response.headers.get("Last-Modified")
        return Download(data, url, etag, changed)

    def _body(self, response: BaseHTTPResponse) -> bytes:
        announced = response.headers.get("Content-Length", "")
        too_large = announced.isdecimal() and int(announced) > self._max_bytes
        body = BytesIO()  # gives its contents without a copy
        while not too_large and (chunk := response.read(_CHUNK)):
            body.write(chunk)
            too_large = body.tell() > self._max_bytes
        if too_large:
            raise ImageTooLargeError(
                f"the photo has more than {self._max_bytes:,} bytes; use a smaller one"
            )
        return body.getvalue()


def _explained(error: Exception) -> FetchError:
    """The error to show. What urllib3 says has addresses, which a client must not learn."""
    if refused := _certificate_error(error):
        return HostError(
            f"the certificate of the photo's server is not valid ({refused.verify_message})",
            "renew it, or name your own authority in SSL_CERT_FILE",
        )
    if isinstance(error, socket.gaierror | NewConnectionError | ConnectTimeoutError):
        # urllib3 makes the refusal of a connection a kind of time-out.
        slow = isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError)
        return _TransientError("the photo's server cannot be found or reached", slow=slow)
    if isinstance(error, ValueError):
        return FetchError("the photo's server redirects to an invalid URL")
    if isinstance(error, ReadTimeoutError):
        return _TransientError("the photo's server stopped answering", slow=True)
    return _TransientError("the connection to the photo's server broke off")


def _certificate_error(error: BaseException | None) -> SSLCertVerificationError | None:
    while error is not None and not isinstance(error, SSLCertVerificationError):
        error = error.__context__
    return error


def _retry_after(header: str) -> float:
    """Seconds from now, which the header gives as a number or as a date."""
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
