"""Clients that leave undone what a server waits for. Each kind runs in a thread until told to stop.

`size` is the number of unfinished heads at once; the other kinds follow from it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from select import select

from tests.processes import address_of

_SMALL_BUFFER = 4096
_PATIENCE_S = 30


@dataclass
class Attack:
    """A service under attack; `running` is cleared to end it."""

    url: str
    photo: str
    stop: threading.Event
    opened: int = 0

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """A new connection; a small buffer makes the server feel how slowly it is read."""
        connection = socket.socket()
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(_PATIENCE_S)
        connection.connect(address_of(self.url))
        self.opened += 1
        return connection


Kind = Callable[[Attack], None]


@contextmanager
def attacking(kind: Kind, attack: Attack) -> Iterator[None]:
    """Runs a kind of client beside what is done in the block."""
    thread = threading.Thread(target=kind, args=(attack,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        attack.stop.set()
        thread.join(2 * _PATIENCE_S)


def never_closing(every_s: float) -> Kind:
    """Read the answer to HTTP/1.0 and leave the connection open."""

    def run(attack: Attack) -> None:
        with ExitStack() as kept:
            while True:
                began = time.monotonic()
                kept.enter_context(_asked(attack, "HTTP/1.0", "X-Client: leaves"))
                if attack.stop.wait(max(0, every_s - (time.monotonic() - began))):
                    return

    return run


def closing_late(every_s: float, after_s: float) -> Kind:
    """Ask for `Connection: close`, read the answer and close a little later, as from far away."""

    def one(attack: Attack) -> None:
        with _asked(attack, "HTTP/1.1", "Connection: close"):
            time.sleep(after_s)

    def run(attack: Attack) -> None:
        while not attack.stop.wait(every_s):
            threading.Thread(target=one, args=(attack,), daemon=True).start()

    return run


def unfinished(most: int, beginning: bytes) -> Kind:
    """Send the beginning of a request and no more, on so many connections; renew lost ones."""

    def run(attack: Attack) -> None:
        held: list[socket.socket] = []
        while not attack.stop.is_set():
            held = [connection for connection in held if _is_open(connection)]
            with suppress(OSError):
                while len(held) < most and not attack.stop.is_set():
                    held.append(attack.connect())
                    held[-1].sendall(beginning)
            attack.stop.wait(1)
        for connection in held:
            connection.close()

    return run


def reading_byte_by_byte(most: int) -> Kind:
    """Ask for a large photo and read ten bytes of it a second."""

    def run(attack: Attack) -> None:
        held: list[socket.socket] = []
        request = f"GET {attack.photo} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        while not attack.stop.wait(0.1):
            held = [connection for connection in held if _is_open(connection, read=True)]
            with suppress(OSError):
                # Not all at once: reading so many photos from the disk is work of another kind.
                for _ in range(min(5, most - len(held))):
                    held.append(attack.connect(_SMALL_BUFFER))
                    held[-1].sendall(request)
        for connection in held:
            connection.close()

    return run


def in_tiny_chunks(most: int, *heads: bytes) -> Kind:
    """Send chunks of one byte until there is an answer, on so many connections at once."""

    def one(attack: Attack, head: bytes) -> None:
        pieces = 1000 * b"1\r\nX\r\n"
        while not attack.stop.is_set():
            with suppress(OSError), attack.connect() as connection:
                connection.sendall(head)
                while not attack.stop.is_set() and not select([connection], [], [], 0)[0]:
                    connection.sendall(pieces)

    def run(attack: Attack) -> None:
        with ThreadPoolExecutor(most) as senders:
            for number in range(most):
                senders.submit(one, attack, heads[number % len(heads)])

    return run


def _asked(attack: Attack, version: str, header: str) -> socket.socket:
    """A connection whose answer was read."""
    connection = attack.connect()
    with suppress(OSError):
        connection.sendall(f"GET /healthz {version}\r\nHost: a\r\n{header}\r\n\r\n".encode())
        answer = b""
        while b"}" not in answer and (piece := connection.recv(4096)):
            answer += piece
    return connection


def _is_open(connection: socket.socket, *, read: bool = False) -> bool:
    """Whether it is; with `read`, a byte is taken off it."""
    connection.settimeout(0)  # otherwise `recv` waits first
    try:
        peek = 0 if read else socket.MSG_PEEK
        ended = connection.recv(1, socket.MSG_DONTWAIT | peek) == b""
    except BlockingIOError:
        ended = False
    except OSError:
        ended = True
    if ended:
        connection.close()
    else:
        connection.settimeout(_PATIENCE_S)
    return not ended
