"""Connections with a total time limit, including name lookup and slow responses."""

import os
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from contextvars import ContextVar
from functools import cached_property
from threading import Event, Lock, Thread, Timer
from types import TracebackType
from typing import Self, TypeVar

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.response import HTTPResponse

from indexer.errors import HostError, ImageError
from indexer.fetch.addresses import Target

_CONNECT_S = 5.0
READ_S = 15.0  # between two packets
_HOSTS = 16  # with connections kept for the next photo

T = TypeVar("T")


class Deadline:
    """Aborts the request of this thread after `seconds`, or when another thread calls `cut`.

    Timeouts of single reads are not enough: a server that sends a byte now and then never
    exceeds them. Leaving the block after the deadline raises HostError even if the request
    seemed to succeed, because an aborted response can look complete.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds
        self._over = Event()
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._lookup: Future[object] | None = None
        self._timer = Timer(seconds, self.cut)
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
        self._replace_socket(None)
        if self.left <= 0 and isinstance(error, ImageError | None):
            raise HostError(
                f"the photo was not received within {self._seconds:g} seconds"
            ) from error

    @property
    def left(self) -> float:
        """Remaining seconds; 0 or less after the deadline."""
        return self._end - time.monotonic()

    def cut(self) -> None:
        """Aborts the request now."""
        self._end = time.monotonic()  # so that `left` is 0 whatever the resolution of the clock
        self._over.set()
        with self._lock:
            if self._lookup is not None:
                self._lookup.cancel()
            if self._socket is not None:
                with suppress(OSError):  # closed already, or not connected yet
                    self._socket.shutdown(socket.SHUT_RDWR)

    def watch(self, connecting: socket.socket) -> None:
        """Sets the socket that `cut` shuts down.

        Raises:
            TimeoutError: the deadline has passed.
        """
        # A duplicate of the descriptor, because TLS detaches the socket from its object.
        self._replace_socket(socket.socket(fileno=os.dup(connecting.fileno())))
        self._require_time()

    def within(self, work: Callable[[], T]) -> T:
        """Runs `work` in another thread and returns its result.

        Work that exceeds the deadline continues there and its result is discarded, because a
        name lookup cannot be aborted.

        Raises:
            TimeoutError: the deadline has passed.
            Exception: whatever `work` raises.
        """
        future: Future[T] = Future()
        with self._lock:
            self._lookup = future  # type: ignore[assignment]  # it is only cancelled
        Thread(target=_settle, args=(future, work), daemon=True).start()
        self._require_time()
        try:
            return future.result(self.left)
        except CancelledError:
            raise TimeoutError("deadline exceeded") from None

    def pause(self, seconds: float) -> None:
        """Waits for `seconds`, or until the request is aborted."""
        self._over.wait(seconds)

    def _require_time(self) -> None:
        if self.left <= 0:
            raise TimeoutError("deadline exceeded")

    def _replace_socket(self, new: socket.socket | None) -> None:
        with self._lock:
            old, self._socket = self._socket, new
        if old is not None:
            old.close()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    with suppress(InvalidStateError):  # cancelled meanwhile
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)


_deadline: ContextVar[Deadline] = ContextVar("_deadline")


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        """Connects to an address, as urllib3 does, but so that `cut` can abort the connecting."""
        new = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            new.settimeout(self.timeout)
            _deadline.get().watch(new)
            new.connect((self.host, self.port))
            new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            new.close()
            timed_out = isinstance(error, TimeoutError)
            kind = ConnectTimeoutError if timed_out else NewConnectionError
            raise kind(self, str(error)) from error
        return new

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as in urllib3
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
    """Keeps connections to checked addresses open for the next request. Thread-safe.

    Args:
        read_s: maximum seconds without a packet.
    """

    def __init__(self, read_s: float) -> None:
        self._read_s = read_s
        # Ignores the proxy settings of the environment: a proxy would resolve the name again.
        self._manager = PoolManager(_HOSTS, maxsize=_HOSTS)
        self._manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The TLS context shared by all connections, because loading certificates is slow."""
        return ssl.create_default_context()

    def get(self, target: Target, headers: dict[str, str], deadline: Deadline) -> BaseHTTPResponse:
        """Sends a request to the first address that accepts a connection.

        Returns:
            The response, with its body unread.

        Raises:
            urllib3.exceptions.HTTPError: the request failed.
            ValueError: the URL cannot be sent in a request.
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
            timeout=Timeout(connect=min(_CONNECT_S, left), read=min(self._read_s, left)),
            retries=False,
            redirect=False,
            preload_content=False,
        )
