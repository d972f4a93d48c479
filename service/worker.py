"""The gunicorn worker: it refuses at the door what is too much, and stops without losing anyone."""

import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker

from service.http.logs import write_in_background
from service.lifecycle import stopping

_PIECE = 262_144


class NoAccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log without a line per request: ours has the request's id."""

    def access(self, *_: Any) -> None:
        pass


class DoorWorker(ThreadWorker):  # type: ignore[misc]
    """Takes as many requests with photos as may be in flight; two threads refuse the others.

    gunicorn queues without a limit for its threads, in which `/healthz` would wait as well.
    On SIGTERM `/readyz` says 503 at once; `drain_s` later no more connections are taken, so nobody
    whom a load balancer still sent is lost.
    """

    drain_s = 0.0
    most_photos = 1
    most_bytes = 1

    def init_process(self) -> None:
        write_in_background()
        self._photos = 0  # requests with photos that have a thread; of the main thread alone
        self._refusing: Executor = ThreadPoolExecutor(2)
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        from service.refusal import carries_photo, refuse  # after the fork

        # A client that does not wait for an answer may have its next request in the parser.
        ahead = conn.initialized and conn.parser.unreader.buf.getvalue()
        photo = False if ahead else carries_photo(conn.sock)
        if photo is None:
            self._wait_for_request(conn)
        elif photo and self._photos >= self.most_photos:
            refused = self._refusing.submit(refuse, conn.sock, self.most_bytes)
            refused.add_done_callback(partial(self._done, self.finish_request, conn))
        else:
            self._photos += photo
            answered = self.tpool.submit(self.handle, conn)
            finish = partial(self._finish, photo)
            answered.add_done_callback(partial(self._done, finish, conn))

    def _done(self, finish: Any, conn: Any, done: "Future[Any]") -> None:
        self.method_queue.defer(finish, conn, done)

    def _finish(self, photo: bool, conn: Any, done: "Future[Any]") -> None:
        self._photos -= photo
        self.finish_request(conn, done)

    def _wait_for_request(self, conn: Any) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)

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
