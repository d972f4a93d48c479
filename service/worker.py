"""The gunicorn worker, which tells load balancers that it will stop before it does."""

import threading
from types import FrameType
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from service.lifecycle import stopping
from service.logs import write_in_background

_PIECE = 262_144


class NoAccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without a line per request: ours has the request's id."""

    def access(self, *_: Any) -> None:
        pass


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """On SIGTERM `/readyz` says 503 at once; `drain_s` later no more connections are taken.

    Whoever asks meanwhile is answered, so nobody whom a load balancer still sent is lost.
    """

    drain_s = 0.0

    def init_process(self) -> None:
        write_in_background()
        super().init_process()

    def handle_request(self, req: Any, conn: Any) -> Any:
        # Each piece costs a turn at Python's lock; gunicorn's are of 8 KiB, a photo has hundreds.
        conn.parser.unreader.mxchunk = _PIECE
        return super().handle_request(req, conn)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            stop = threading.Timer(self.drain_s, super().handle_exit, (sig, frame))
            stop.daemon = True
            stop.start()
