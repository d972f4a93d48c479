"""A light load generator: one thread, non-blocking sockets, persistent connections.

It shares the cores with the server and therefore does little: requests are prepared bytes, and
only a few headers of a response are parsed. `Run.cpu_s` is its CPU time.
"""

import heapq
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *\d", re.IGNORECASE)
_CHUNK = 1 << 18  # bytes
NO_ANSWER = 0  # as a status
_RETRY_LATER = (NO_ANSWER, 503)
_PAUSE_S = 0.5  # of a client after one of these

Address = tuple[str, int]


@dataclass(frozen=True)
class Request:
    """A request, ready to send."""

    kind: str
    parts: tuple[bytes, ...]  # sent one after the other


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of a request. Times in seconds; `due` is when it should have been sent."""

    kind: str
    due: float
    sent: float
    done: float
    status: int
    retry_after: bool
    body: bytes

    @property
    def ms(self) -> float:
        """Milliseconds since sending, which never waits for the server; see also `Run.late_ms`."""
        return 1000 * (self.done - self.sent)


@dataclass
class Run:
    """The result of a load. `missed` requests were not sent, because all connections were busy."""

    replies: list[Reply]
    end: float  # of the sending; replies may arrive later
    seconds: float
    cpu_s: float
    missed: int = 0

    def only(self, kind: str) -> list[Reply]:
        """Returns the replies to one kind of request."""
        return [reply for reply in self.replies if reply.kind == kind]

    def rate(self, status: int = 200) -> float:
        """Returns the replies with this status per second, without those after the end."""
        counted = sum(r.status == status and r.done <= self.end for r in self.replies)
        return counted / self.seconds

    @property
    def late_ms(self) -> float:
        """The 99th percentile of the generator's own delay in milliseconds."""
        return float(np.percentile([1000 * (r.sent - r.due) for r in self.replies], 99))


def percentile(replies: list[Reply], percent: float) -> float:
    """Returns a percentile of the milliseconds; nan without replies."""
    return float(np.percentile([r.ms for r in replies], percent)) if replies else float("nan")


class _Connection:
    """A connection, idle or with one request."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(address)
        self.request: Request | None = None
        self.due = self.sent = 0.0
        self._left: list[memoryview] = []
        self._received = bytearray()
        self.reusable = True

    def begin(self, request: Request, due: float) -> None:
        self.request, self.due, self.sent = request, due, time.monotonic()
        self._left = [memoryview(part) for part in request.parts]
        self._received.clear()

    def send(self) -> bool:
        """Sends as much as possible; returns whether anything is left to send."""
        try:
            while self._left:
                count = self.socket.sendmsg(self._left)
                while self._left and count >= len(self._left[0]):
                    count -= len(self._left.pop(0))
                if count:
                    self._left[0] = self._left[0][count:]
        except BlockingIOError:
            return True
        except OSError:  # there may still be a response to read
            self._left, self.reusable = [], False
        return bool(self._left)

    def receive(self, keep_body: bool) -> Reply | None:
        """Returns the reply if it is complete; `NO_ANSWER` if the server closed the connection."""
        try:
            piece = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""
        if self.request is None:  # the server closed an idle connection
            self.reusable = False
            return self.reply(NO_ANSWER)
        self._received += piece
        head, separator, body = bytes(self._received).partition(_HEAD_END)
        length = _LENGTH.search(head) if separator else None
        if length and len(body) >= int(length[1]):
            self.reusable &= not self._left and not _CLOSES.search(head)
            status, retry = int(head[9:12]), bool(_RETRY.search(head))
            return self.reply(status, retry, body if keep_body else b"")
        if piece:
            return None
        self.reusable = False
        return self.reply(NO_ANSWER)

    def reply(self, status: int, retry_after: bool = False, body: bytes = b"") -> Reply:
        """Creates the reply to the current request."""
        kind = self.request.kind if self.request else ""
        return Reply(kind, self.due, self.sent, time.monotonic(), status, retry_after, body)


class Generator:
    """Sends requests to one address and collects the replies."""

    def __init__(self, address: Address, *, keep_bodies: bool = False) -> None:
        self._address = address
        self._keep = keep_bodies
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self.busy = 0
        self.replies: list[Reply] = []

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def start(self, request: Request, due: float | None = None) -> None:
        """Sends a request on an idle or a new connection."""
        connection = self._idle.pop() if self._idle else self._open()
        connection.begin(request, time.monotonic() if due is None else due)
        self.busy += 1
        self._send(connection)

    def step(self, wait_s: float, on_reply: Callable[[Reply], None] = lambda _: None) -> None:
        """Handles the sockets that are ready; waits for up to `wait_s` seconds."""
        for key, events in self._selector.select(max(0.0, wait_s)):
            connection: _Connection = key.data
            if events & selectors.EVENT_WRITE and connection.request:
                self._send(connection)
            if events & selectors.EVENT_READ:
                reply = connection.receive(self._keep)
                if reply:
                    self._finish(connection, reply, on_reply)

    def give_up(self) -> None:
        """Ends all pending requests as not answered."""
        for key in list(self._selector.get_map().values()):
            connection: _Connection = key.data
            if connection.request:
                connection.reusable = False
                self._finish(connection, connection.reply(NO_ANSWER), lambda _: None)

    def _open(self) -> _Connection:
        connection = _Connection(self._address)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _send(self, connection: _Connection) -> None:
        more = selectors.EVENT_WRITE if connection.send() else 0
        if self._selector.get_key(connection.socket).events != selectors.EVENT_READ | more:
            events = selectors.EVENT_READ | more
            self._selector.modify(connection.socket, events, connection)

    def _finish(
        self, connection: _Connection, reply: Reply, on_reply: Callable[[Reply], None]
    ) -> None:
        asked, connection.request = connection.request, None
        if connection.reusable:
            self._idle.append(connection)
        else:
            if connection in self._idle:
                self._idle.remove(connection)
            self._selector.unregister(connection.socket)
            connection.socket.close()
        if asked:
            self.busy -= 1
            self.replies.append(reply)
            on_reply(reply)


def closed_loop(
    address: Address,
    requests: Iterator[Request],
    *,
    clients: int,
    seconds: float,
    keep_bodies: bool = False,
) -> Run:
    """Runs clients that each send the next request after a reply, with a pause after a 503."""
    with Generator(address, keep_bodies=keep_bodies) as generator:
        for _ in range(clients):  # the first request of each client is warm-up
            generator.start(next(requests))
        drain(generator)
        generator.replies.clear()
        start, cpu = time.monotonic(), time.process_time()
        end = start + seconds
        turns = [start] * clients  # when each waiting client sends again

        def answered(reply: Reply) -> None:
            heapq.heappush(turns, reply.done + (_PAUSE_S if reply.status in _RETRY_LATER else 0))

        while (now := time.monotonic()) < end:
            while turns and turns[0] <= now:
                heapq.heappop(turns)
                generator.start(next(requests))
            generator.step(min([*turns[:1], end]) - now, answered)
        cpu = time.process_time() - cpu
        drain(generator)
        return Run(generator.replies, end, seconds, cpu)


def open_loop(
    address: Address,
    streams: list[tuple[float, Iterator[Request]]],
    *,
    seconds: float,
    max_connections: int = 2000,
) -> Run:
    """Sends the requests of each stream at a constant rate, independent of the replies."""
    missed = 0
    with Generator(address) as generator:
        start, cpu = time.monotonic(), time.process_time()
        end = start + seconds
        due = [(start, number) for number in range(len(streams))]
        while (now := time.monotonic()) < end:
            while due[0][0] <= now:
                at, number = due[0]
                rate, requests = streams[number]
                if generator.busy < max_connections:
                    generator.start(next(requests), at)
                else:
                    missed += 1
                heapq.heapreplace(due, (at + 1 / rate, number))
            generator.step(min(due[0][0], end) - time.monotonic())
        cpu = time.process_time() - cpu
        drain(generator)
        return Run(generator.replies, end, seconds, cpu, missed)


def drain(generator: Generator, patience_s: float = 30) -> None:
    """Waits for pending requests."""
    end = time.monotonic() + patience_s
    while generator.busy and (now := time.monotonic()) < end:
        generator.step(end - now)
    generator.give_up()
