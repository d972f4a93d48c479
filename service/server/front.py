"""Waits for clients: heads, bodies, slowly read answers and closing connections.

It runs in the main loop, where no call blocks; a request has a thread only while the application
works on it. Each stage limits the number of connections and their time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import sample
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from socket import SHUT_WR
from typing import Protocol

from gunicorn.glogging import Logger

from service.server.connection import Connection, Exchange
from service.server.incoming import Kept
from service.server.waiting import Waiting

_HEAD_S = 10.0
# A body or an answer with a lower mean rate is given up.
_SLOWEST = 16_384  # bytes a second
_LINGER_S = 2.0
_MAX_LINGER_S = 30.0
# Bytes of answers that clients have not read yet, in total.
_MAX_PENDING = 64 * 1024 * 1024
# Bytes of bodies in temporary files; those that are complete and wait for memory count too.
_MAX_IN_FILES = 1024 * 1024 * 1024
# Connections with bodies that one pass of the main loop reads.
_BULK = 4
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """The part of the worker that `Front` calls."""

    log: Logger

    def begin(self, connection: Connection, head: bytes) -> None:
        """Handles a complete head."""

    def body_is_there(self, connection: Connection, exchange: Exchange) -> None:
        """Handles a request whose body is complete or broken."""

    def closed(self) -> None:
        """Counts a closed connection."""


@dataclass(frozen=True)
class _Ready:
    """The step to take when the socket of a connection is ready."""

    connection: Connection
    room: Waiting
    then: Callable[[Connection], None]


class Front:
    """Reads requests and sends answers for a worker, without blocking.

    Args:
        poller: of the main loop; `dispatch` calls the data of foreign entries with their file.
        host: the worker.
        kept: memory and disk of all bodies.
        idle_s: seconds for which a connection stays open between requests.
        stalled_s: seconds for which a client may neither send nor read anything.
    """

    def __init__(
        self, poller: BaseSelector, host: Host, kept: Kept, idle_s: float, stalled_s: float
    ) -> None:
        self._poller = poller
        self._host = host
        self._kept = kept
        self._idle_s = idle_s
        self._stalled_s = stalled_s
        self._head_s = _HEAD_S
        self._heads = Waiting(512)
        self._idle = Waiting(512)
        self._bodies = Waiting(256)
        self._answers = Waiting(256)
        self._lingering = Waiting(256)

    def dispatch(self, events: Sequence[tuple[SelectorKey, int]]) -> None:
        """Handles ready connections: all except bulk transfers, of which a few per call."""
        bulk = []
        for key, _ in events:
            ready = key.data
            if not isinstance(ready, _Ready):
                ready(key.fileobj)
            elif ready.room in (self._bodies, self._lingering):
                bulk.append(ready)
            else:
                self._step(ready)
        for ready in bulk if len(bulk) <= _BULK else sample(bulk, _BULK):
            self._step(ready)

    def _step(self, ready: _Ready) -> None:
        if ready.connection in ready.room:  # an event before this one may have closed it
            self.attempt(ready.connection, partial(ready.then, ready.connection))

    def open(self, connection: Connection) -> None:
        """Adds a new connection; its request has often arrived already."""
        if connection.receive() is False:
            self.close(connection)
        else:
            self.attempt(connection, partial(self.go_on, connection))

    def go_on(self, connection: Connection) -> None:
        """Starts the next request, which may have arrived already."""
        if head := connection.take_head():
            self._host.begin(connection, head)
            return
        connection.since = time.monotonic()
        if connection.served and not connection.inbox:
            connection.until = connection.since + self._idle_s
            self._wait(connection, self._idle, self._on_head)
        else:
            connection.until = connection.since + self._head_s
            self._wait(connection, self._heads, self._on_head)

    def want_body(self, connection: Connection, exchange: Exchange) -> None:
        """Reads the body of a request; `body_is_there` follows."""
        connection.since = time.monotonic()
        if exchange.expects:
            connection.sock.sendall(_CONTINUE)
            connection.sock.flush()
            connection.sock.sent = 0
        connection.until = connection.since + self._stalled_s
        then = partial(self._on_body, exchange)
        self._wait(connection, self._bodies, then, _awaited(exchange))

    def deliver(self, connection: Connection, *, keep: bool) -> None:
        """Sends the rest of an answer, then closes the connection unless `keep`."""
        connection.since = time.monotonic()
        connection.until = connection.since + self._stalled_s
        connection.sock.flush()
        if connection.sock.done:
            self._delivered(connection, keep)
            return
        self._wait(connection, self._answers, partial(self._on_writable, keep), EVENT_WRITE)
        while sum(waiting.sock.pending for waiting in self._answers) > _MAX_PENDING:
            self.close(next(iter(self._answers)))

    def expire(self) -> None:
        """Closes connections past their deadline; reports their unfinished bodies as broken."""
        for room in (self._heads, self._idle, self._answers, self._lingering):
            for connection in room.late():
                self.close(connection)
        for connection in self._bodies.late():
            if exchange := connection.exchange:
                exchange.body.broken = True
                self._leave(connection)
                self._host.body_is_there(connection, exchange)

    def stop_idle(self, moment: float) -> None:
        """Closes connections between requests by this moment, later ones after a short wait."""
        self._idle.until(moment)
        self._heads.until(moment)
        self._idle_s = self._head_s = _LINGER_S

    def shed(self) -> None:
        """Closes one connection when the process is out of file descriptors."""
        for room in (self._lingering, self._heads, self._idle, self._answers, self._bodies):
            if len(room):
                self.close(next(iter(room)))
                return

    def close(self, connection: Connection) -> None:
        """Closes a connection at once."""
        self._leave(connection)
        if connection.close():
            self._host.closed()

    def attempt(self, connection: Connection, step: Callable[[], None]) -> None:
        """Runs a step; an unexpected error closes this connection only."""
        try:
            step()
        except Exception:
            self._host.log.exception("fault in handling a connection")
            self.close(connection)

    def _wait(
        self,
        connection: Connection,
        room: Waiting,
        then: Callable[[Connection], None],
        event: int = EVENT_READ,
    ) -> None:
        self._poller.register(connection.raw, event, _Ready(connection, room, then))
        if displaced := room.add(connection):
            self.close(displaced)

    def _leave(self, connection: Connection) -> None:
        for room in (self._heads, self._idle, self._bodies, self._answers, self._lingering):
            if connection in room:
                room.remove(connection)
                self._poller.unregister(connection.raw)

    def _on_head(self, connection: Connection) -> None:
        if connection.receive() is False:
            self.close(connection)
        elif head := connection.take_head():
            self._leave(connection)
            self._host.begin(connection, head)
        elif connection in self._idle and connection.inbox:
            self._leave(connection)
            self.go_on(connection)

    def _on_body(self, exchange: Exchange, connection: Connection) -> None:
        body = exchange.body
        paused = body.paused
        received = paused or connection.receive()
        if received is False:
            body.broken = True
        self.feed(connection, exchange)
        if body.complete or body.broken:
            self._leave(connection)
            self._host.body_is_there(connection, exchange)
        elif received:
            connection.until = self._deadline(connection, body.size)
            self._bodies.add(connection)
            if body.paused != paused:
                then = partial(self._on_body, exchange)
                ready = _Ready(connection, self._bodies, then)
                self._poller.modify(connection.raw, _awaited(exchange), ready)
            self._limit_disk()

    def _limit_disk(self) -> None:
        if self._kept.in_files > _MAX_IN_FILES and len(self._bodies):
            self.close(next(iter(self._bodies)))

    def feed(self, connection: Connection, exchange: Exchange) -> None:
        """Adds received bytes to the body."""
        try:
            exchange.body.feed(connection.inbox)
        except OSError as error:  # such as a full disk
            self._host.log.error("a request's body cannot be kept: %s", error)
            exchange.body.broken = True

    def _on_writable(self, keep: bool, connection: Connection) -> None:
        before = connection.sock.sent
        connection.sock.flush()
        if connection.sock.done:
            self._leave(connection)
            self._delivered(connection, keep)
        elif connection.sock.sent > before:
            connection.until = self._deadline(connection, connection.sock.sent)
            self._answers.add(connection)

    def _delivered(self, connection: Connection, keep: bool) -> None:
        exchange = connection.exchange
        over = not keep and exchange and exchange.body.whole and not connection.inbox
        connection.end_exchange()
        if over or connection.sock.lost:  # nothing is unread, so the system delivers the answer
            self.close(connection)
        elif keep:
            connection.sock.sent = 0
            self.go_on(connection)
        else:
            self._linger(connection)

    def _linger(self, connection: Connection) -> None:
        """Reads and drops what the client still sends.

        Closing a socket with unread bytes resets the connection; the client may lose its answer.
        """
        try:
            connection.raw.shutdown(SHUT_WR)
        except OSError:
            self.close(connection)
            return
        connection.since = time.monotonic()
        connection.until = connection.since + _LINGER_S
        self._wait(connection, self._lingering, self._on_lingering)

    def _on_lingering(self, connection: Connection) -> None:
        received = connection.receive()
        connection.inbox.clear()
        if received is False:
            self.close(connection)
        elif received:
            last = connection.since + _MAX_LINGER_S
            connection.until = min(time.monotonic() + _LINGER_S, last)

    def _deadline(self, connection: Connection, moved: int) -> float:
        slowest = connection.since + self._stalled_s + moved / _SLOWEST
        return min(time.monotonic() + self._stalled_s, slowest)


def _awaited(exchange: Exchange) -> int:
    """Returns the event after which the body is read on."""
    # A socket to which nothing is sent is always writable: received chunks wait for their turn.
    return EVENT_WRITE if exchange.body.paused else EVENT_READ
