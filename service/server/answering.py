"""Calls the application for a request and queues its answer; runs in a thread."""

from collections.abc import Callable
from typing import Any

from gunicorn.http import wsgi

from service.server.connection import Connection, Exchange
from service.server.lifecycle import ASKED_FOR, BODY, TO_COME

Application = Callable[[dict[str, Any], Any], Any]


def wants_body(app: Application, conn: Connection, exchange: Exchange, cfg: Any) -> bool:
    """Calls the application with a head only; returns False if it answered without the body."""
    answer, environ = wsgi.create(exchange.request, conn.sock, conn.client, conn.server, cfg)
    environ["wsgi.multithread"] = True
    environ[BODY] = TO_COME
    answer.force_close()
    wanted = False

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        nonlocal wanted
        wanted = status.startswith("100")
        return None if wanted else answer.start_response(status, headers, exc_info)

    pieces = app(environ, start)
    if not wanted:
        _write(answer, environ, pieces)
    return wanted


def answer_whole(
    app: Application, conn: Connection, exchange: Exchange, cfg: Any, *, last: bool
) -> bool:
    """Answers a complete request; returns whether the connection can be used again.

    Args:
        app: the application.
        cfg: settings of gunicorn.
        conn: of the request.
        exchange: the request.
        last: whether the answer tells the client that the connection ends.
    """
    exchange.request.body = exchange.body.opened()
    answer, environ = wsgi.create(exchange.request, conn.sock, conn.client, conn.server, cfg)
    environ["wsgi.multithread"] = True
    if exchange.asked:
        environ[BODY] = ASKED_FOR
    if last or exchange.body.cut or exchange.body.broken:
        answer.force_close()
    _write(answer, environ, app(environ, answer.start_response))
    return not answer.should_close()


def _write(answer: Any, environ: dict[str, Any], pieces: Any) -> None:
    try:
        if isinstance(pieces, environ["wsgi.file_wrapper"]):
            answer.write_file(pieces)
        else:
            for piece in pieces:
                answer.write(piece)
        answer.close()
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
