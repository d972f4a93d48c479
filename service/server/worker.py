"""The gunicorn worker: only complete requests get a thread; a stop answers what was accepted."""

import errno
import re
import resource
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import unquote

from gunicorn.glogging import Logger
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import ThreadWorker

from indexer.images import memory as decoding
from indexer.images.memory import MIB, trim
from service.http.logs import write_in_background
from service.server.answering import answer_whole, wants_body
from service.server.connection import MAX_HEAD, Connection, Exchange
from service.server.front import Front
from service.server.incoming import Incoming, Kept
from service.server.lifecycle import WITH_BODY, siblings, stopping
from service.server.memory import Memory

Job = Callable[[Connection, Exchange], bool]
Then = Callable[[Connection, Exchange, bool], None]

_PHOTO = re.compile(r"/v1/(?:search|explain|ratings/candidates)\b")
_PROBES = {"/healthz", "/readyz", "/metrics"}
# Memory for the bodies of photo searches, and for those of all other requests, in all processes.
_PHOTO_BODIES = 96 * MIB
_OTHER_BODIES = 48 * MIB
_SWEEP_S = 0.2
# Memory for bodies that are arriving, in all processes; more go to temporary files.
_IN_MEMORY = 64 * MIB
# Maximum time for which a replacement process accepts no connections.
_MAX_OPENING_S = 60.0
_OPEN_FILES = 8192
_LARGE = 16 * MIB
# A body up to this size is read at once: reading it costs less than a first call of the application
# that checks only the head.
_SMALL = MIB


class NoAccessLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """The log of gunicorn without access lines; `service.http.logs` writes one with the id."""

    def access(self, *_: Any) -> None:
        pass


class SearchWorker(ThreadWorker):  # type: ignore[misc]
    """Runs complete requests in threads, with a limit on photo searches.

    `Front` waits for clients. On SIGTERM `/readyz` answers 503 at once, and the listener stays open
    for `drain_s`: connections that a load balancer still sends are served.
    """

    drain_s = 0.0
    upload_timeout_s = 10.0
    max_photos = 1
    max_bytes = 1

    def init_process(self) -> None:
        write_in_background()
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        self._photos = 0  # requests with photos that have a thread, or wait for memory
        siblings.count = self.cfg.workers
        if siblings.folder:
            siblings.folder.mkdir(exist_ok=True)  # somebody may have removed it
        decoding.gate.resize(decoding.MEMORY // siblings.count)
        self._photo_bodies = Memory(_PHOTO_BODIES // siblings.count)
        self._other_bodies = Memory(_OTHER_BODIES // siblings.count)
        self._probes: Executor = ThreadPoolExecutor(1)
        self._kept = Kept(_IN_MEMORY // siblings.count)
        self._swept = 0.0
        self._announced = False
        others_serve = siblings.count > 1 and siblings.all_tried
        self._accept_at = time.monotonic() + (_MAX_OPENING_S if others_serve else 0.0)
        super().init_process()

    def run(self) -> None:
        idle_s, stalled_s = self.cfg.keepalive, self.upload_timeout_s
        self._front = Front(self.poller, self, self._kept, idle_s, stalled_s)
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        ready = siblings.tried.is_set() or time.monotonic() >= self._accept_at
        super().set_accept_enabled(enabled and (ready or not self.alive))

    def accept(self, listener: Any) -> None:
        try:
            raw, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._front.shed()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        self._front.open(Connection(raw, client, listener.getsockname()))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        self._front.dispatch(self.poller.select(min(timeout, _SWEEP_S)))

    def murder_keepalived(self, force: bool = False) -> None:  # gunicorn's
        if force or time.monotonic() > self._swept + _SWEEP_S:
            self._swept = time.monotonic()
            self._front.expire()
            if siblings.tried.is_set() and not self._announced:
                self._announced = True
                siblings.announce(self.age)

    def _cap_keepalive(self, deadline: float) -> None:
        self._front.stop_idle(deadline)

    def closed(self) -> None:
        self.nr_conns -= 1

    def begin(self, conn: Connection, head: bytes) -> None:
        """Accepts, queues or refuses a request by its head."""
        conn.served += 1
        try:
            request = Request(self.cfg, IterUnreader([head]), conn.client)
        except (NoMoreData, StopIteration):
            if len(head) < MAX_HEAD:
                self._front.close(conn)
                return
            self._reject(conn, LimitRequestHeaders(f"more than {MAX_HEAD} bytes"))
        except Exception as error:  # gunicorn has one for each way in which a head is malformed
            self._reject(conn, error)
        else:
            conn.exchange = self._exchange(request)
            self._take_up(conn, conn.exchange)

    def _reject(self, conn: Connection, error: Exception) -> None:
        self.handle_error(None, conn.sock, conn.client, error)
        self._front.deliver(conn, keep=False)

    def _exchange(self, request: Any) -> Exchange:
        reader = request.body.reader
        length = None if isinstance(reader, ChunkedReader) else reader.length
        # gunicorn would say `100 Continue` before the application has seen the head.
        expects = request._expected_100_continue  # noqa: SLF001 - gunicorn has no other way
        request._expected_100_continue = False  # noqa: SLF001
        photo = request.method == "POST" and _PHOTO.match(unquote(request.path)) is not None
        body = Incoming(self._kept, length, self.max_bytes)
        return Exchange(request, body, photo, request.path in _PROBES, expects)

    def _take_up(self, conn: Connection, exchange: Exchange) -> None:
        body, takes_body = exchange.body, exchange.request.method in WITH_BODY
        if body.fits and takes_body:
            self._front.feed(conn, exchange)
        if exchange.photo and self._photos >= self.max_photos:
            self._refuse(conn, exchange)
        elif body.complete or body.broken:
            self.body_is_there(conn, exchange)
        elif takes_body and body.is_at_most(_SMALL) and not exchange.expects:
            self._front.want_body(conn, exchange)
        else:
            self._in_thread(self._ask, self._asked, conn, exchange)

    def body_is_there(self, conn: Connection, exchange: Exchange) -> None:
        # A body that is broken is answered without looking at a photo.
        exchange.photo = exchange.photo and not exchange.body.broken
        if exchange.photo and self._photos >= self.max_photos:
            self._refuse(conn, exchange)
            return
        bodies = self._photo_bodies if exchange.photo else self._other_bodies
        if bodies.is_full(exchange.body.size):
            self._refuse(conn, exchange)
            return
        self._photos += exchange.photo
        bodies.start(exchange.body.size, partial(self._begin_answer, conn, exchange))

    def _begin_answer(self, conn: Connection, exchange: Exchange, held: int) -> None:
        exchange.held = held
        self._in_thread(self._answer, self._answered, conn, exchange)

    def _refuse(self, conn: Connection, exchange: Exchange) -> None:
        from service.server.refusal import overloaded  # after the fork

        keep = exchange.body.whole and self.alive and not exchange.request.should_close()
        conn.sock.sendall(overloaded(keep=keep))
        self._front.deliver(conn, keep=keep)

    def _in_thread(self, job: Job, then: Then, conn: Connection, exchange: Exchange) -> None:
        def done(future: "Future[bool]") -> None:
            result = not future.cancelled() and future.result()
            step = partial(then, conn, exchange, result)
            self.method_queue.defer(self._front.attempt, conn, step)

        # However many requests wait for a thread, probes do not wait behind them.
        pool = self._probes if exchange.probe else self.tpool
        pool.submit(self._guarded, job, conn, exchange).add_done_callback(done)

    def _asked(self, conn: Connection, exchange: Exchange, wanted: bool) -> None:
        exchange.asked = True
        if wanted:
            self._front.want_body(conn, exchange)
        else:
            self._front.deliver(conn, keep=False)

    def _answered(self, conn: Connection, exchange: Exchange, keep: bool) -> None:
        self._photos -= exchange.photo
        bodies = self._photo_bodies if exchange.photo else self._other_bodies
        bodies.give_back(exchange.held)
        self._front.deliver(conn, keep=keep)

    def _ask(self, conn: Connection, exchange: Exchange) -> bool:
        return wants_body(self.wsgi, conn, exchange, self.cfg)

    def _answer(self, conn: Connection, exchange: Exchange) -> bool:
        try:
            return answer_whole(self.wsgi, conn, exchange, self.cfg, last=not self.alive)
        finally:
            exchange.body.close()
            if exchange.held > _LARGE:
                trim()

    def _guarded(self, job: Job, conn: Connection, exchange: Exchange) -> bool:
        try:
            return job(conn, exchange)
        except Exception as error:
            if conn.sock.begun:  # a second answer would be taken for a part of the first
                self.log.exception("Error handling request")
                conn.sock.close()
            else:
                self.handle_error(exchange.request, conn.sock, conn.client, error)
            return False
        finally:
            conn.sock.flush()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            stop = threading.Timer(self.drain_s, super().handle_exit, (sig, frame))
            stop.daemon = True
            stop.start()
