"""Connections that end when their time is over, whatever the server still sends."""

import socket
import ssl
import time
from contextlib import suppress
from contextvars import ContextVar
from functools import cached_property
from threading import Timer
from types import TracebackType
from typing import Self

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import HTTPResponse

from indexer.errors import FetchError, ImageError
from indexer.fetch.addresses import Target

_CONNECT_S = 5.0
_READ_S = 15.0  # between two packets
_HOSTS = 16  # with connections that are kept for the next photo


class Deadline:
    """Cuts off this thread's request after `seconds`.

    Timeouts of single reads do not: a server that sends a byte now and then keeps them all.
    On leaving after that time a FetchError is raised, whatever came of the request: an answer
    that was cut off can look complete.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer = Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _deadline.set(self)
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        _deadline.reset(self._token)
        if self.left <= 0 and isinstance(error, ImageError | None):
            raise FetchError(
                f"the photo did not come within {self._seconds:g} seconds; offer it on a faster"
                " server"
            ) from error

    @property
    def left(self) -> float:
        """Seconds; 0 or less when it has passed."""
        return self._end - time.monotonic()

    def watch(self, connected: socket.socket) -> None:
        """Makes `connected` the one to cut off. Raises TimeoutError where it is too late."""
        self._socket = connected
        if self.left <= 0:
            raise TimeoutError("too late")

    def _cut(self) -> None:
        self._end = time.monotonic()  # now for certain, however the clocks are rounded
        if self._socket is not None:
            with suppress(OSError):  # closed already
                # Of the class, because that of SSLSocket takes the encryption off the reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


_deadline: ContextVar[Deadline] = ContextVar("_deadline")


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        if self.sock is not None:
            _deadline.get().watch(self.sock)
        return super().getresponse()


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class Connections:
    """Connections to addresses that were checked, kept for the next request. Thread-safe."""

    def __init__(self) -> None:
        # Not of the environment: a proxy would resolve the name again.
        self._manager = PoolManager(_HOSTS, maxsize=_HOSTS)
        self._manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """One for all connections: reading the certificates takes as long as many photos."""
        return ssl.create_default_context()

    def get(self, target: Target, headers: dict[str, str], deadline: Deadline) -> BaseHTTPResponse:
        """The answer, its body unread, of the first address that accepts a connection.

        Raises urllib3's HTTPError, or ValueError where the URL fits no request.
        """
        *others, last = target.addresses
        for address in others:
            try:
                return self._get(address, target, headers, deadline)
            except (NewConnectionError, ConnectTimeoutError):
                continue
        return self._get(last, target, headers, deadline)

    def _get(
        self, address: str, target: Target, headers: dict[str, str], deadline: Deadline
    ) -> BaseHTTPResponse:
        tls: dict[str, object] = {}
        if target.scheme == "https":
            tls = {"ssl_context": self._tls, "server_hostname": target.host}
        pool = self._manager.connection_from_host(address, target.port, target.scheme, tls)
        left = max(deadline.left, 0.001)
        return pool.urlopen(
            "GET",
            target.path,
            headers={"Host": target.host_header, **headers},
            timeout=Timeout(connect=min(_CONNECT_S, left), read=min(_READ_S, left)),
            retries=False,
            redirect=False,
            preload_content=False,
        )
