"""Signals between the server and the application, and between the processes of the service."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

# Set on SIGTERM, while the process still answers.
stopping = threading.Event()

# In the environ of a request. TO_COME: the body is not there yet; the application answers if the
# answer does not depend on it, or says `100 Continue`. ASKED_FOR: the body of such a request.
BODY = "image_search.body"
TO_COME = "to come"
ASKED_FOR = "asked for"

# Requests with other methods have no body.
WITH_BODY = ("POST", "PUT", "PATCH")

_ALL = "all-opened"


@dataclass
class Processes:
    """The worker processes of the service; one without gunicorn.

    When the service starts, `/readyz` of each is 503 until all have opened their collections, so
    that whoever waits for it can then ask any of them. A process that takes the place of another
    one accepts no connections before it has opened its collections.

    Attributes:
        count: their number.
        folder: for files that they share; None without gunicorn.
        opened: set when this process has opened its collections, or could not.
    """

    count: int = 1
    folder: Path | None = None
    opened: threading.Event = field(default_factory=threading.Event)
    _announced: bool = False
    _all_opened: bool = False

    @property
    def all_opened(self) -> bool:
        """Whether all processes of the service have opened their collections once."""
        if not self._all_opened:
            self._all_opened = self.folder is None or (self.folder / _ALL).exists()
        return self._all_opened

    def announce(self) -> None:
        """Tells the others when this process has opened its collections."""
        if self._announced or self.folder is None or not self.opened.is_set():
            return
        (self.folder / f"opened.{os.getpid()}").touch()
        self._announced = True
        if len(list(self.folder.glob("opened.*"))) >= self.count:
            (self.folder / _ALL).touch()


processes = Processes()
