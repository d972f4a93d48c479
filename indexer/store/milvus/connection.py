"""Calls of Milvus: time limits, retries, and a circuit breaker."""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from indexer.config.milvus import MilvusSettings
from indexer.errors import CatalogError, ConfigError, StoreUnavailableError

try:
    import grpc
    from pymilvus import MilvusClient, MilvusException
    from pymilvus.client.ts_utils import get_collection_ts
except ImportError as missing:
    raise ConfigError(
        "index.backend is milvus, but pymilvus is not installed",
        "pip install -r requirements-milvus.txt",
    ) from missing

log = logging.getLogger(__name__)

Row = dict[str, Any]
T = TypeVar("T")

_LOWEST = -2.0  # below all inner products
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 1.0
# Failures in a row after which calls fail at once, and for how long.
_TOLERATED = 3
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 8.0
# Codes of Milvus and gRPC that repeating a call does not change: a malformed request, a refused
# login, a missing collection.
_FINAL = {1100, 1400, 100, 65535}
_FINAL_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
}
# pymilvus logs every failed call, also those that are repeated.
logging.getLogger("pymilvus").setLevel(logging.CRITICAL)


class Breaker:
    """Refuses calls for a while after several failures in a row. Thread-safe.

    When the pause is over, calls are tried again; the next failure starts a longer pause.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._until = 0.0
        self._changing = threading.Lock()

    def require_closed(self) -> None:
        """Checks that calls are allowed.

        Raises:
            StoreUnavailableError: the last calls failed.
        """
        left = self._until - time.monotonic()
        if left > 0:
            raise StoreUnavailableError("Milvus does not answer", retry_after_s=1 + int(left))

    def succeeded(self) -> None:
        """Notes a call that was answered."""
        if self._failures:
            with self._changing:
                self._failures, self._pause_s, self._until = 0, _FIRST_PAUSE_S, 0.0

    def failed(self) -> None:
        """Notes a call that was not answered in time."""
        with self._changing:
            self._failures += 1
            if self._failures >= _TOLERATED and time.monotonic() >= self._until:
                self._until = time.monotonic() + self._pause_s
                self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)


class Connection:
    """A client of one Milvus server. Thread-safe; every call can be repeated without effect.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: MilvusSettings) -> None:
        self.settings = settings
        self._breaker = Breaker()
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()

    def has_table(self, table: str) -> bool:
        """Returns whether a Milvus collection exists."""
        return bool(self._call(lambda client, s: client.has_collection(table, timeout=s)))

    def tables(self) -> list[str]:
        """Returns the names of all Milvus collections."""
        return list(self._call(lambda client, s: client.list_collections(timeout=s)))

    def create_table(self, table: str, schema: Any, index_params: Any) -> None:
        """Creates a Milvus collection and loads it."""

        def create(client: MilvusClient, _: float) -> None:
            client.create_collection(table, schema=schema, consistency_level="Session")
            client.create_index(table, index_params, sync=False)

        self._call(create)
        self.load(table)

    def load(self, table: str) -> None:
        """Loads a Milvus collection into memory; does nothing if it is."""
        replicas = self.settings.replicas
        self._call(lambda client, _: client.load_collection(table, replica_number=replicas))

    def drop_table(self, table: str) -> None:
        """Deletes a Milvus collection; does nothing if it does not exist."""
        self._call(lambda client, s: client.drop_collection(table, timeout=s))

    def upsert(self, table: str, rows: Sequence[Row]) -> int:
        """Writes rows by their primary keys; returns the timestamp that Milvus gave the write."""
        self._call(lambda client, s: client.upsert(table, list(rows), timeout=s))
        return self._last_write(table)

    def delete(self, table: str, keys: Sequence[str]) -> None:
        """Deletes rows by their primary keys."""
        self._call(lambda client, s: client.delete(table, ids=list(keys), timeout=s))

    def query(
        self, table: str, expression: str, fields: Sequence[str], *, at: int | None
    ) -> list[Row]:
        """Returns the rows that match an expression.

        Args:
            table: the Milvus collection.
            expression: not empty.
            fields: to return.
            at: a timestamp; the rows include all writes up to it. None waits for all writes.
        """
        return list(
            self._call(
                lambda client, s: client.query(
                    table,
                    filter=expression,
                    output_fields=list(fields),
                    timeout=s,
                    **self._consistency(at),
                )
            )
        )

    def search(
        self,
        table: str,
        queries: Sequence[Any],
        expression: str,
        limit: int,
        params: Mapping[str, Any],
        *,
        below: float | None,
        at: int | None,
    ) -> list[list[Row]]:
        """Returns the rows nearest to each query, with their inner product as `distance`.

        Args:
            table: the Milvus collection.
            queries: vectors.
            expression: that rows match.
            limit: of the rows for each query.
            params: of the search, by index type.
            below: highest inner product; None is no limit.
            at: see `query`.
        """
        search: dict[str, Any] = {"metric_type": "IP", "params": dict(params)}
        if below is not None:
            search["params"] |= {"radius": _LOWEST, "range_filter": below}
        found = self._call(
            lambda client, s: client.search(
                table,
                data=list(queries),
                filter=expression,
                limit=limit,
                anns_field="vector",
                output_fields=["image_id", "product_id", "vector"],
                search_params=search,
                timeout=s,
                **self._consistency(at),
            )
        )
        return [[{**hit["entity"], "distance": hit["distance"]} for hit in hits] for hits in found]

    def schema(self) -> Any:
        """Returns an empty schema."""
        return MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)

    def index_params(self) -> Any:
        """Returns an empty list of indexes."""
        return MilvusClient.prepare_index_params()

    def close(self) -> None:
        """Closes the connection; the next call opens it again."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _consistency(self, at: int | None) -> dict[str, Any]:
        if not at or self.settings.consistency == "strong":
            return {"consistency_level": "Strong"}
        return {"consistency_level": "Customized", "guarantee_timestamp": at}

    def _call(self, function: Callable[[MilvusClient, float], T]) -> T:
        """Calls Milvus, again after failures that may pass, within the time limit.

        Raises:
            StoreUnavailableError: Milvus does not answer.
            CatalogError: Milvus refuses the call.
        """
        self._breaker.require_closed()
        end, wait_s = time.monotonic() + self.settings.timeout_s, _FIRST_WAIT_S
        while True:
            try:
                result = function(self._connected(), max(0.1, end - time.monotonic()))
            except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
                if not _may_pass(error):
                    self._breaker.succeeded()
                    raise CatalogError(f"Milvus at {self.settings.uri}: {_text(error)}") from error
                pause_s = random.uniform(0, wait_s)  # noqa: S311
                if time.monotonic() + pause_s >= end:
                    self._breaker.failed()
                    raise StoreUnavailableError(
                        f"Milvus at {self.settings.uri} does not answer: {_text(error)}"
                    ) from error
                time.sleep(pause_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                self._breaker.succeeded()
                return result

    def _connected(self) -> MilvusClient:
        with self._connecting:
            if self._client is None:
                self._client = MilvusClient(**self._address())
            return self._client

    def _address(self) -> dict[str, Any]:
        settings = self.settings
        address: dict[str, Any] = {
            "uri": settings.uri,
            "timeout": settings.timeout_s,
            "token": settings.token,
            "db_name": self._database,
        }
        if settings.client_cert != "none":
            address |= {
                "ca_pem_path": str(settings.ca_file),
                "client_pem_path": str(settings.client_cert),
                "client_key_path": str(settings.client_key),
            }
        elif settings.ca_file != "none":
            address |= {"server_pem_path": str(settings.ca_file)}
        return address

    @property
    def _database(self) -> str:
        is_file = "://" not in self.settings.uri  # milvus-lite has no databases
        return "" if is_file else self.settings.database

    def _last_write(self, table: str) -> int:
        # What pymilvus uses for the consistency level Session, but only in the same process.
        address = self._connected()._get_connection().server_address  # noqa: SLF001
        return int(get_collection_ts(table, address, self._database))


def _may_pass(error: Exception) -> bool:
    """Returns whether a call may succeed when it is repeated."""
    if isinstance(error, MilvusException):
        return error.retriable or error.code not in _FINAL
    return not isinstance(error, grpc.RpcError) or error.code() not in _FINAL_STATUS


def _text(error: Exception) -> str:
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"
    return str(getattr(error, "message", error))
