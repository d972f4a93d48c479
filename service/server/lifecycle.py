"""Signals between the server and the application, and between the processes of the service."""

import mmap
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.config import Settings

# Set on SIGTERM, while the process still answers.
stopping = threading.Event()

# In the environ of a request. TO_COME: the body is not there yet; the application answers if the
# answer does not depend on it, or says `100 Continue`. ASKED_FOR: the body of such a request.
BODY = "image_search.body"
TO_COME = "to come"
ASKED_FOR = "asked for"

# Requests with other methods have no body.
WITH_BODY = ("POST", "PUT", "PATCH")

_MAX_PROCESSES = 4096  # started since the start or a reload


class Siblings:
    """The worker processes of the service; one without gunicorn.

    When the service starts, `/readyz` of each is 503 until all have tried to open their
    collections, so that whoever waits for it can then ask any of them. A process that takes the
    place of another one accepts no connections before.

    Attributes:
        count: their number.
        folder: for files that they share; None without gunicorn.
        settings: that the service was started with, or reloaded; None without gunicorn.
        tried: set when this process has opened its collections, or could not.
    """

    def __init__(self) -> None:
        self.count = 1
        self.folder: Path | None = None
        self.settings: Settings | None = None
        self.tried = threading.Event()
        # A byte for each process, in memory that forked processes share.
        self._flags = mmap.mmap(-1, _MAX_PROCESSES)

    @property
    def all_tried(self) -> bool:
        """Whether as many processes as there are have tried, since the start or a reload."""
        return self.folder is None or self._flags[:].count(1) >= self.count

    def announce(self, number: int) -> None:
        """Tells the others that this process, the `number`th of the service, has tried."""
        self._flags[number % _MAX_PROCESSES] = 1

    def start_again(self) -> None:
        """Forgets the processes of before, which a reload replaces all at once."""
        self._flags[:] = bytes(_MAX_PROCESSES)


siblings = Siblings()
