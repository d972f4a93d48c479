"""Bodies of requests, as servers and clients leave them.

A server that closes a connection with unread bytes on it resets it, and the client never sees
why it was refused. gunicorn reads on for 64 KiB only; a photo in a wrong content type is larger.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PIECE = 65_536


class ReadWhole:
    """WSGI middleware: reads up to `most` bytes that the application left, before it answers."""

    def __init__(self, app: "WSGIApplication", most: int) -> None:
        self._app = app
        self._most = most

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        body = environ["wsgi.input"] = _Body(environ["wsgi.input"])
        answer = self._app(environ, start_response)
        if environ.get("wsgi.input_terminated"):  # other servers wait for ever at the end
            left = self._most
            with suppress(OSError):
                while left > 0 and (piece := body.read(_PIECE)):
                    left -= len(piece)
        return answer


class _Body:
    """A body that cannot be read any further raises OSError, which Flask answers with 400."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:  # gunicorn has its own for chunks that are none
            raise OSError("the body of the request is broken") from error
