"""Bodies of requests, as servers and clients leave them.

A server that closes a connection with unread bytes on it resets it, and the client never sees
why it was refused. gunicorn reads on for 64 KiB only; a photo in a wrong content type is larger.
It would also wait for ever for a client that sends nothing more.
"""

from collections.abc import Iterable
from contextlib import suppress
from socket import socket
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PIECE = 65_536


class ReadWhole:
    """WSGI middleware: reads up to `most` bytes that the application left, before it answers.

    A body of which nothing comes for `timeout_s` seconds is broken.
    """

    def __init__(self, app: "WSGIApplication", most: int, timeout_s: float) -> None:
        self._app = app
        self._most = most
        self._timeout_s = timeout_s

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        connection = environ.get("gunicorn.socket")
        body = environ["wsgi.input"] = _Body(environ["wsgi.input"], connection, self._timeout_s)
        answer = self._app(environ, start_response)
        if environ.get("wsgi.input_terminated"):  # other servers wait for ever at the end
            left = self._most
            with suppress(OSError):
                while left > 0 and (piece := body.read(_PIECE)):
                    left -= len(piece)
        return answer


class _Body:
    """A body that cannot be read any further raises OSError, which Flask answers with 400."""

    def __init__(self, stream: IO[bytes], connection: socket | None, timeout_s: float) -> None:
        self._stream = stream
        self._connection = connection
        self._timeout_s = timeout_s

    def read(self, size: int = -1) -> bytes:
        if self._connection is not None:
            self._connection.settimeout(self._timeout_s)
        try:
            return self._stream.read(size)
        except Exception as error:  # gunicorn has its own for chunks that are none
            raise OSError("the body of the request is broken, or stopped coming") from error
        finally:
            if self._connection is not None:
                self._connection.settimeout(None)
