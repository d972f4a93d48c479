"""Waits for clients: heads, bodies, answers that are read slowly, and the end of connections.

All of it runs in the main loop, where no call waits; a request has a thread only while the
application works on it. How many connections wait, and for how long, is limited for each stage.
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
from service.server.waiting import Waiting

_HEAD_S = 10.0
# A body or an answer that goes on, but slower than this on the whole, is given up.
_SLOWEST = 16_384  # bytes a second
_LINGER_S = 2.0
_LINGER_AT_MOST_S = 30.0
# What clients have not taken yet of their answers, all together.
_MOST_PENDING = 64 * 1024 * 1024
# Bytes of unfinished bodies, in temporary files.
_MOST_UNFINISHED = 1024 * 1024 * 1024
# Connections that are read in one turn of the main loop, of those that send a body.
_BULK = 4
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """What the front leaves to the worker."""

    log: Logger

    def begin(self, connection: Connection, head: bytes) -> None:
        """A head is complete."""

    def body_is_there(self, connection: Connection, exchange: Exchange) -> None:
        """The body of the request is, or will never be."""

    def closed(self) -> None:
        """A connection is."""


@dataclass(frozen=True)
class _Ready:
    """What to do when the client of a connection is ready."""

    connection: Connection
    room: Waiting
    then: Callable[[Connection], None]


class Front:
    """
    Args:
        poller: of the main loop. `dispatch` understands its entries for connections; the data of
            any other is called with its file.
        host: see above.
        idle_s: for which a connection stays open between requests.
        stalled_s: for which a client may send nothing of a body, or take nothing of an answer.
    """

    def __init__(self, poller: BaseSelector, host: Host, idle_s: float, stalled_s: float) -> None:
        self._poller = poller
        self._host = host
        self._idle_s = idle_s
        self._stalled_s = stalled_s
        self._head_s = _HEAD_S
        self._heads = Waiting(512)
        self._idle = Waiting(512)
        self._bodies = Waiting(256)
        self._answers = Waiting(256)
        self._lingering = Waiting(256)

    def dispatch(self, events: Sequence[tuple[SelectorKey, int]]) -> None:
        """Handles what is ready: everything small, and a few of those that send much."""
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
        """Takes a new connection; its request is often there already."""
        if connection.receive() is False:
            self.close(connection)
        else:
            self.attempt(connection, partial(self.go_on, connection))

    def go_on(self, connection: Connection) -> None:
        """Goes on with the next request, which may be there already."""
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
        self._wait(connection, self._bodies, partial(self._on_body, exchange))

    def deliver(self, connection: Connection, *, keep: bool) -> None:
        """Sends what is left of an answer; then the connection ends, unless it is to be kept."""
        connection.since = time.monotonic()
        connection.until = connection.since + self._stalled_s
        connection.sock.flush()
        if connection.sock.done:
            self._delivered(connection, keep)
            return
        self._wait(connection, self._answers, partial(self._on_writable, keep), EVENT_WRITE)
        while sum(waiting.sock.pending for waiting in self._answers) > _MOST_PENDING:
            self.close(next(iter(self._answers)))

    def expire(self) -> None:
        """Gives up those whose time is over."""
        for room in (self._heads, self._idle, self._answers, self._lingering):
            for connection in room.late():
                self.close(connection)
        for connection in self._bodies.late():
            if exchange := connection.exchange:
                exchange.body.broken = True
                self._leave(connection)
                self._host.body_is_there(connection, exchange)

    def stop_idle(self, moment: float) -> None:
        """Closes by then what is between requests, and soon what will be."""
        self._idle.until(moment)
        self._heads.until(moment)
        self._idle_s = self._head_s = _LINGER_S

    def shed(self) -> None:
        """Closes one connection, as the system gives no more."""
        for room in (self._lingering, self._heads, self._idle, self._answers, self._bodies):
            if len(room):
                self.close(next(iter(room)))
                return

    def close(self, connection: Connection) -> None:
        """Ends a connection at once."""
        self._leave(connection)
        if connection.close():
            self._host.closed()

    def attempt(self, connection: Connection, step: Callable[[], None]) -> None:
        """Takes a step for a connection; a fault of ours costs this connection alone."""
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
        received = connection.receive()
        if received is False:
            exchange.body.broken = True
        self.feed(connection, exchange)
        body = exchange.body
        if body.complete or body.broken:
            self._leave(connection)
            self._host.body_is_there(connection, exchange)
        elif received:
            connection.until = self._deadline(connection, body.size)
            self._bodies.add(connection)
            self._limit_disk()

    def _limit_disk(self) -> None:
        bodies = (waiting.exchange.body.size for waiting in self._bodies if waiting.exchange)
        if sum(bodies) > _MOST_UNFINISHED:
            self.close(next(iter(self._bodies)))

    def feed(self, connection: Connection, exchange: Exchange) -> None:
        """Adds what came to the body."""
        try:
            exchange.body.feed(connection.inbox)
        except OSError as error:  # the disk is full
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
        """Reads what a client still sends: closed with unread bytes, the connection would be reset,
        and the client might never see its answer."""
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
            last = connection.since + _LINGER_AT_MOST_S
            connection.until = min(time.monotonic() + _LINGER_S, last)

    def _deadline(self, connection: Connection, moved: int) -> float:
        slowest = connection.since + self._stalled_s + moved / _SLOWEST
        return min(time.monotonic() + self._stalled_s, slowest)
