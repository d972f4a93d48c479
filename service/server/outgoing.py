"""The answer to a request: sent as the client reads it, buffered until then."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from socket import socket
from typing import IO

# So much is collected before it is sent: each call costs a turn at Python's lock.
_COLLECTED = 262_144
_FILE_PIECE = 1_048_576
_TOGETHER = 16


@dataclass
class _Part:
    """A part of an open file."""

    file: int
    offset: int
    count: int


class Outgoing:
    """Stands in for the client's socket in gunicorn; no call blocks.

    Attributes:
        pending: bytes in memory that are not sent yet.
        sent: bytes sent.
        lost: whether the client has gone or the answer cannot be completed.
    """

    def __init__(self, raw: socket) -> None:
        self._raw = raw
        self._pieces: deque[memoryview | _Part] = deque()
        self.pending = 0
        self.sent = 0
        self.lost = False

    @property
    def done(self) -> bool:
        """Whether everything is sent."""
        return not self._pieces

    @property
    def begun(self) -> bool:
        """Whether a part of the answer was written."""
        return bool(self.sent or self._pieces)

    def sendall(self, data: bytes) -> None:
        if data:
            self._pieces.append(memoryview(data))
            self.pending += len(data)
            if self.pending > _COLLECTED:
                self.flush()

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> None:
        size = os.fstat(file.fileno()).st_size - offset if count is None else count
        if size:
            self._pieces.append(_Part(os.dup(file.fileno()), offset, size))
            self.flush()

    def gettimeout(self) -> float:
        return 0.0

    def shutdown(self, _how: int) -> None:
        """Drops a failed answer; gunicorn calls this and would block otherwise."""
        raise OSError("closed by the worker")

    def close(self) -> None:
        """Gives up what is not sent yet."""
        self.lost = True
        for piece in self._pieces:
            if isinstance(piece, _Part):
                os.close(piece.file)
        self._pieces.clear()
        self.pending = 0

    def flush(self) -> None:
        """Sends what the client takes now."""
        try:
            while self._pieces:
                if isinstance(first := self._pieces[0], _Part):
                    self._send_file(first)
                else:
                    self._send_bytes()
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def _send_bytes(self) -> None:
        sent = self._raw.sendmsg(list(islice(self._in_memory(), _TOGETHER)))
        self.sent += sent
        self.pending -= sent
        for piece in list(islice(self._in_memory(), _TOGETHER)):
            self._pieces.popleft()
            if sent < len(piece):
                self._pieces.appendleft(piece[sent:])
                return
            sent -= len(piece)

    def _in_memory(self) -> Iterator[memoryview]:
        for piece in self._pieces:
            if isinstance(piece, _Part):
                return
            yield piece

    def _send_file(self, part: _Part) -> None:
        size = min(part.count, _FILE_PIECE)
        sent = os.sendfile(self._raw.fileno(), part.file, part.offset, size)
        if not sent:
            raise OSError("the file is shorter than it was")
        self.sent += sent
        part.offset += sent
        part.count -= sent
        if not part.count:
            os.close(part.file)
            self._pieces.popleft()
