"""Connections that wait for their clients, limited in number and time."""

import time
from collections import OrderedDict
from collections.abc import Iterator

from service.server.connection import Connection


class Waiting:
    """Connections that wait for the same event, the most recently active last.

    Args:
        limit: maximum number; one more displaces the connection that has waited longest.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all: OrderedDict[Connection, None] = OrderedDict()

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._all

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self._all)

    def add(self, connection: Connection) -> Connection | None:
        """Adds a connection or moves it to the end; returns the connection that it displaces."""
        self._all[connection] = None
        self._all.move_to_end(connection)
        return next(iter(self._all)) if len(self._all) > self._limit else None

    def remove(self, connection: Connection) -> None:
        self._all.pop(connection, None)

    def late(self) -> list[Connection]:
        """Returns the connections whose deadline has passed."""
        now = time.monotonic()
        return [connection for connection in self._all if connection.until <= now]

    def until(self, moment: float) -> None:
        """Ends every wait at this moment at the latest."""
        for connection in self._all:
            connection.until = min(connection.until, moment)
