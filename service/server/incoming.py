"""The body of a request, buffered as it arrives."""

import io
import re
from tempfile import SpooledTemporaryFile
from threading import Lock
from typing import IO

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_MAX_LINE = 4096
_MAX_TRAILERS = 16_384
# Chunks have a mean size of at least this many bytes, except in bodies of few chunks: each chunk
# takes the main loop as long as many bytes do.
_MIN_MEAN_CHUNK = 64
_FEW_CHUNKS = 1000
# Of a chunk: its size, its bytes and its end.
_STEPS_A_CHUNK = 3
_CHUNKS_A_CALL = 256


def max_body_bytes(of_a_photo: int) -> int:
    """Returns the largest accepted body in bytes."""
    # Base64 takes 4 bytes for 3; parameters and multipart headers fit into the rest.
    return of_a_photo * 4 // 3 + 65_536


class Kept:
    """Memory and disk that all buffered bodies share; only the main loop takes from them.

    Args:
        memory: bytes to keep in memory; the rest goes to temporary files.

    Attributes:
        in_files: bytes in temporary files.
    """

    def __init__(self, memory: int) -> None:
        self._free = memory
        self.in_files = 0
        self._lock = Lock()

    def take(self, size: int) -> bool:
        """Takes `size` bytes; returns whether they were free."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give_back(self, size: int) -> None:
        with self._lock:
            self._free += size

    def count_in_files(self, size: int) -> None:
        """Counts `size` more bytes in files, or fewer if it is negative."""
        with self._lock:
            self.in_files += size


class Incoming:
    """A body, in memory or in a temporary file.

    Args:
        kept: memory of all bodies.
        length: of the body in bytes; None for a chunked body.
        limit: bytes to keep; the rest of a longer body stays unread.

    Attributes:
        size: bytes so far.
        paused: `feed` has to be called again, as it moves a limited number of chunks per call.
        complete: nothing more is to come.
        cut: there is more than is kept, so that the connection cannot be used again.
        broken: it ended too early, or its chunks are malformed or tiny.
    """

    def __init__(self, kept: Kept, length: int | None, limit: int) -> None:
        self._kept = kept
        self._held: int | None = 0  # of that memory; None if the body is in a file
        self._in_file = 0
        self._length = length
        self._limit = limit
        self._file = SpooledTemporaryFile()  # noqa: SIM115  # closed by `close`
        self._step = self._chunk_size if length is None else self._rest
        self._left = length or 0
        self._chunks = 0
        self._trailers = 0
        self.size = 0
        self.paused = False
        self.complete = length == 0
        self.cut = False
        self.broken = False

    @property
    def fits(self) -> bool:
        """Whether the announced length is within the limit."""
        return (self._length or 0) <= self._limit

    def is_at_most(self, size: int) -> bool:
        """Returns whether the announced length is at most `size` bytes."""
        return self._length is not None and self._length <= size

    @property
    def whole(self) -> bool:
        """Whether it is complete, so that the next request can follow."""
        return self.complete and not self.cut and not self.broken

    def feed(self, inbox: bytearray) -> None:
        """Moves bytes of the body from the beginning of `inbox`."""
        for _ in range(_STEPS_A_CHUNK * _CHUNKS_A_CALL):
            if self.complete or self.broken or not self._step(inbox):
                self.paused = False
                return
        self.paused = True

    def opened(self) -> IO[bytes]:
        """Returns the body as a file, at its beginning."""
        if self.broken:
            return _Broken()
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Frees memory and file."""
        self._file.close()
        self._give_back()
        in_file, self._in_file = self._in_file, 0
        self._kept.count_in_files(-in_file)

    def _give_back(self) -> None:
        held, self._held = self._held, None
        self._kept.give_back(held or 0)

    def _count_in_file(self, size: int) -> None:
        self._in_file += size
        self._kept.count_in_files(size)

    def _take(self, inbox: bytearray) -> None:
        taken = min(len(inbox), self._left, self._limit + 1 - self.size)
        if self._held is not None:
            if self._kept.take(taken):
                self._held += taken
            else:
                self._count_in_file(self._held)
                self._file.rollover()
                self._give_back()
        if self._held is None:
            self._count_in_file(taken)
        with memoryview(inbox) as view, view[:taken] as piece:
            self._file.write(piece)
        del inbox[:taken]
        self._left -= taken
        self.size += taken
        self.cut = self.complete = self.size > self._limit

    def _rest(self, inbox: bytearray) -> bool:
        self._take(inbox)
        self.complete = self.complete or not self._left
        return False

    def _chunk_size(self, inbox: bytearray) -> bool:
        line = self._line(inbox)
        if line is None:
            return False
        size = _SIZE_LINE.fullmatch(line)
        if size is None:
            self.broken = True
            return False
        self._chunks += 1
        if self._chunks > _FEW_CHUNKS and self.size < _MIN_MEAN_CHUNK * self._chunks:
            self.broken = True
            return False
        self._left = int(size[1], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self, inbox: bytearray) -> bool:
        self._take(inbox)
        if not self._left:
            self._step = self._chunk_end
        return bool(inbox)

    def _chunk_end(self, inbox: bytearray) -> bool:
        if len(inbox) < len(b"\r\n"):
            return False
        self.broken = not inbox.startswith(b"\r\n")
        del inbox[:2]
        self._step = self._chunk_size
        return True

    def _trailer(self, inbox: bytearray) -> bool:
        line = self._line(inbox)
        if line is None:
            return False
        self.complete = not line
        self._trailers += len(line)
        self.broken = self._trailers > _MAX_TRAILERS
        return True

    def _line(self, inbox: bytearray) -> bytes | None:
        end = inbox.find(b"\r\n")
        if end < 0 or end > _MAX_LINE or b"\n" in inbox[:end]:
            self.broken = len(inbox) > _MAX_LINE or b"\n" in inbox[: max(end, 0)]
            return None
        line = bytes(inbox[:end])
        del inbox[: end + 2]
        return line


class _Broken(io.BytesIO):
    """A body that cannot be read raises OSError, which Flask answers with 400."""

    def read(self, _size: int | None = -1, /) -> bytes:
        raise OSError("the body of the request is malformed or incomplete")
