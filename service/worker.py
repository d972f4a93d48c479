"""The gunicorn worker, which tells load balancers that it will stop before it does."""

import threading
from types import FrameType

from gunicorn.workers.gthread import ThreadWorker

from service.lifecycle import stopping


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """On SIGTERM `/readyz` says 503 at once; `drain_s` later no more connections are taken.

    Whoever asks meanwhile is answered, so nobody whom a load balancer still sent is lost.
    """

    drain_s = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            stop = threading.Timer(self.drain_s, super().handle_exit, (sig, frame))
            stop.daemon = True
            stop.start()
