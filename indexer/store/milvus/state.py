"""The state of a collection: one row per commit, and the claims of writers.

Rows of photos become visible with the row of their commit, so a change is visible as a whole or not
at all. Only the row of the newest commit counts.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pymilvus import DataType

from indexer.errors import DamagedError
from indexer.store.milvus.connection import Connection, Row

_COMMIT, _CLAIM = "commit", "claim"


@dataclass(frozen=True)
class State:
    """What the newest commit says of a collection.

    Attributes:
        seq: of the commit.
        written: timestamp in Milvus of the last row of the commit.
        table: the Milvus collection of the rows; "" before the first.
        products: number of products.
        images: number of photos.
        last_image_id: highest id ever given to a photo.
        names: number of products that have each attribute.
        fingerprint, weights, dimension, embedding: as in `indexer.store.Reader`.
        vacuumed: versions before this one may lack rows.
        marked: time and `seq` of a commit; when it is old, earlier versions are deleted.
    """

    seq: int = 0
    written: int = 0
    table: str = ""
    products: int = 0
    images: int = 0
    last_image_id: int = 0
    names: dict[str, int] = field(default_factory=dict)
    fingerprint: str | None = None
    weights: str | None = None
    dimension: int | None = None
    embedding: dict[str, str | int] | None = None
    vacuumed: int = 0
    marked: tuple[float, int] = (0.0, 0)


@dataclass(frozen=True)
class Claim:
    """A process that writes or wants to.

    Attributes:
        row_id: primary key.
        purpose: what is done; only claims of the same purpose exclude each other.
        host: name of its machine.
        pid: its process id.
        holds: whether it holds the lease; otherwise it is still looking for others.
        expires: Unix time at which others may take over.
    """

    row_id: str
    purpose: str
    host: str
    pid: int
    holds: bool
    expires: float

    @property
    def is_live(self) -> bool:
        """Whether its process may still write."""
        return time.time() < self.expires


@dataclass(frozen=True)
class Found:
    """The rows of a state table.

    Attributes:
        state: the newest.
        commits: primary keys of the rows of commits, the newest last.
        claims: of all writers, dead ones included.
    """

    state: State
    commits: Sequence[str]
    claims: Sequence[Claim]


class StateTable:
    """The Milvus collection of the state of one collection.

    Args:
        connection: to Milvus.
        name: of the Milvus collection.
    """

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self.name = name

    def exists(self) -> bool:
        """Returns whether the collection was created."""
        return self._connection.has_table(self.name)

    def create(self) -> None:
        """Creates an empty state."""
        schema = self._connection.schema()
        schema.add_field("row_id", DataType.VARCHAR, is_primary=True, max_length=128)
        schema.add_field("kind", DataType.VARCHAR, max_length=16)
        schema.add_field("document", DataType.VARCHAR, max_length=65_535)
        # Milvus requires a vector.
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
        index = self._connection.index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        self._connection.create_table(self.name, schema, index)

    def load(self) -> None:
        """Loads the table into memory."""
        self._connection.load(self.name)

    def read(self) -> Found:
        """Returns what was written before this call, by any process.

        Raises:
            DamagedError: a row cannot be decoded.
        """
        rows = self._connection.query(
            self.name, f'kind in ["{_COMMIT}", "{_CLAIM}"]', ("row_id", "kind", "document"), at=None
        )
        commits = {row["row_id"]: self._decoded(row) for row in rows if row["kind"] == _COMMIT}
        order = sorted(commits, key=lambda row_id: commits[row_id]["seq"])
        claims = [
            Claim(row_id=row["row_id"], **self._decoded(row))
            for row in rows
            if row["kind"] == _CLAIM
        ]
        return Found(_state(commits[order[-1]]) if order else State(), order, claims)

    def write_commit(self, state: State) -> str:
        """Makes a state the newest; returns the primary key of its row."""
        row_id = f"{_COMMIT}.{state.seq}"
        self._write(row_id, _COMMIT, asdict(state))
        return row_id

    def write_claim(self, claim: Claim) -> None:
        """Adds or renews a claim."""
        document = asdict(claim)
        self._write(document.pop("row_id"), _CLAIM, document)

    def delete(self, row_ids: Sequence[str]) -> None:
        """Deletes rows by their primary keys."""
        if row_ids:
            self._connection.delete(self.name, row_ids)

    def _write(self, row_id: str, kind: str, document: dict[str, Any]) -> None:
        text = json.dumps(document, ensure_ascii=False)
        row = {"row_id": row_id, "kind": kind, "document": text, "vector": [1.0, 0.0]}
        self._connection.upsert(self.name, [row])

    def _decoded(self, row: Row) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(row["document"])
        except ValueError:
            raise DamagedError(f"row {row['row_id']} of {self.name} is damaged") from None
        return document


def _state(document: dict[str, Any]) -> State:
    at, seq = document.pop("marked")
    return State(**document, marked=(at, seq))
