"""One writer at a time over all machines, without locks in Milvus.

A writer first writes a claim, then reads all claims. Of two that do so at once, at least one sees
the other's claim, because reads see all earlier writes. Who sees another live claim withdraws, so
at most one goes on. A claim is renewed while its process lives and expires when it does not.
"""

import os
import random
import socket
import threading
import time
import uuid
from dataclasses import replace

from indexer.errors import CatalogError, LockedError
from indexer.store.milvus.state import Claim, Found, StateTable

# Two that claim at once try again within this time, and several times.
_PAUSE_S = 0.2
_UNDECIDED_S = 1.0


class Lease:
    """The right to write, of one process; not thread-safe.

    Args:
        table: with the claims.
        seconds: after which others may take over when this process has died.
        purpose: what the lease is for.
    """

    def __init__(self, table: StateTable, seconds: float, purpose: str) -> None:
        self._table = table
        self._seconds = seconds
        self._claim = Claim(
            f"claim.{uuid.uuid4().hex}",
            purpose,
            socket.gethostname(),
            os.getpid(),
            holds=False,
            expires=0,
        )
        self._until = 0.0  # on the clock of this process, which is never set back
        self._released = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)

    def acquire(self, wait_s: float = 0) -> Found:
        """Takes the lease; returns what was found then, with the claims of dead processes.

        Args:
            wait_s: seconds to wait for a process that holds it.

        Raises:
            LockedError: another process is writing.
            CatalogError: Milvus does not answer.
        """
        started = time.monotonic()
        while True:
            self._write(holds=False)
            found = self._table.read()
            others = [
                each
                for each in found.claims
                if each.purpose == self._claim.purpose and each.row_id != self._claim.row_id
            ]
            live = [each for each in others if each.is_live]
            if not live:
                self._write(holds=True)
                self._renewing.start()
                return replace(found, claims=others)
            self._table.delete([self._claim.row_id])
            holder = next((each for each in live if each.holds), None)
            if time.monotonic() - started > max(wait_s, 0 if holder else _UNDECIDED_S):
                raise self._locked(holder or live[0])
            time.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311

    def require_held(self) -> None:
        """Checks that no other process can be writing.

        Raises:
            LockedError: the lease ended before this process could renew it.
        """
        if time.monotonic() > self._until:
            raise LockedError(f"the lease in {self._table.name} ended", None)

    def release(self, *, clean: bool) -> None:
        """Ends the lease.

        Args:
            clean: whether there is nothing that the next writer must repair; otherwise the claim
                remains and says so.
        """
        self._released.set()
        self._renewing.join()
        if clean:
            self._table.delete([self._claim.row_id])
        else:
            self._table.write_claim(replace(self._claim, expires=0))

    def _renew(self) -> None:
        while not self._released.wait(self._seconds / 3):
            try:
                self._write(holds=True)
            except CatalogError:  # `require_held` finds out
                continue

    def _write(self, *, holds: bool) -> None:
        until = time.monotonic() + self._seconds
        self._claim = replace(self._claim, holds=holds, expires=time.time() + self._seconds)
        self._table.write_claim(self._claim)
        # Others wait longer than this process relies on, by the difference of the clocks.
        self._until = until - self._seconds / 3

    def _locked(self, holder: Claim) -> LockedError:
        here = holder.host == socket.gethostname()
        where = self._table.name if here else f"{self._table.name}, on {holder.host}"
        return LockedError(where, holder.pid)
