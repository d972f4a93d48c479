"""The connection of a client, and its state."""

import re
from dataclasses import dataclass
from socket import socket
from typing import Any

from service.server.incoming import Incoming
from service.server.outgoing import Outgoing

# Pieces are large because each call takes Python's lock. Only the main loop uses the buffer.
_scratch = memoryview(bytearray(1_048_576))
# Bytes of a head; gunicorn's parser limits its parts more strictly.
MAX_HEAD = 65_536
_MAX_REQUEST_LINE = 8192
_BARE_LF = re.compile(rb"(?<!\r)\n")


@dataclass
class Exchange:
    """A request and its body.

    Attributes:
        request: as gunicorn parsed it.
        photo: whether it may carry a photo.
        probe: whether it is a health check or a scrape.
        expects: whether the client waits for `100 Continue`.
        asked: whether the application has seen the head and wants the body.
        held: bytes of memory granted to it.
    """

    request: Any
    body: Incoming
    photo: bool
    probe: bool
    expects: bool
    asked: bool = False
    held: int = 0


class Connection:
    """The non-blocking connection of a client.

    Attributes:
        raw: the socket.
        sock: the file-like object to which gunicorn writes an answer.
        client: address of the client.
        server: address of the listener.
        inbox: bytes received and not used yet.
        exchange: the request that is being read or answered.
        served: number of parsed requests.
        since: start of the current stage (`time.monotonic`).
        until: deadline of the current stage.
    """

    def __init__(self, raw: socket, client: Any, server: Any) -> None:
        raw.setblocking(False)
        self.raw = raw
        self.sock = Outgoing(raw)
        self.client = client
        self.server = server
        self.inbox = bytearray()
        self._searched = 0  # bytes of the inbox without the end of a head
        self.exchange: Exchange | None = None
        self.served = 0
        self.since = 0.0
        self.until = 0.0

    def receive(self) -> bool | None:
        """Receives what has arrived; returns None if nothing has, False at the end."""
        try:
            size = self.raw.recv_into(_scratch)
        except BlockingIOError:
            return None
        except OSError:
            return False
        self.inbox += _scratch[:size]
        return size > 0

    def take_head(self) -> bytes | None:
        """The next head, if it is complete; or what can be none, for gunicorn to say why."""
        # What came before was searched before, except for an end that it has a part of.
        start = max(0, self._searched - 3)
        end = self.inbox.find(b"\r\n\r\n", start)
        if end >= 0:
            end += 4
        elif self._can_be_none(start):
            end = len(self.inbox)
        else:
            self._searched = len(self.inbox)
            return None
        self._searched = 0
        head = bytes(self.inbox[:end])
        del self.inbox[:end]
        return head

    def _can_be_none(self, start: int) -> bool:
        size = len(self.inbox)
        endless = size > _MAX_REQUEST_LINE and self.inbox.find(b"\r\n", 2) < 0
        return size > MAX_HEAD or endless or _BARE_LF.search(self.inbox, start) is not None

    def end_exchange(self) -> None:
        """Forgets the request, answered or not."""
        if self.exchange:
            self.exchange.body.close()
            self.exchange = None

    def close(self) -> bool:
        """Closes the socket and gives up all else; False if that was done before."""
        if self.raw.fileno() < 0:
            return False
        self.end_exchange()
        self.sock.close()
        self.raw.close()
        return True
