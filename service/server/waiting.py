"""Connections that wait for their clients: bounded in number, and each in time."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from service.server.connection import Connection


class Waiting:
    """Connections that wait for the same thing, those that moved last at the end.

    Args:
        most: of them at once; whoever comes then displaces the one that has waited longest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: OrderedDict[Connection, None] = OrderedDict()

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._all

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)

    def add(self, connection: Connection) -> Connection | None:
        """Adds one, or moves it to the end; returns the one that must go for it."""
        self._all[connection] = None
        self._all.move_to_end(connection)
        return next(iter(self._all)) if len(self._all) > self._most else None

    def remove(self, connection: Connection) -> None:
        self._all.pop(connection, None)

    def late(self) -> list[Connection]:
        """Those whose time is over."""
        now = time.monotonic()
        return [connection for connection in self._all if connection.until <= now]

    def until(self, moment: float) -> None:
        """Lets none of them wait longer."""
        for connection in self._all:
            connection.until = min(connection.until, moment)
