"""The table of a catalogue's attributes as a file, so that processes need not read all products."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from indexer.errors import CatalogError
from indexer.store import AttributeValue
from indexer.store.embedded.attributes.block import Block
from indexer.store.embedded.attributes.column import Column
from indexer.store.embedded.attributes.hashing import Hashing
from indexer.store.embedded.attributes.table import Table
from indexer.store.embedded.attributes.texts import Texts
from indexer.store.embedded.catalog import CatalogReader
from indexer.store.embedded.catalog.attributes import last_change
from indexer.store.embedded.catalog.segments import folder_of
from indexer.store.embedded.mapped_arrays import Array, Arrays, ArraysFile

log = logging.getLogger(__name__)

_VERSION = 1


class AttributesError(CatalogError):
    """The file of attributes cannot be written, or is damaged. The catalogue is intact."""

    code = "bad_attributes"


@dataclass(frozen=True)
class Origin:
    """The version of a catalogue that a file was written from.

    Args:
        seq: of the journal.
        change: the last row of the journal up to `seq`; 0 if there is none.
        checksum: of that row, which contains the time, so that no other journal has the same.
    """

    seq: int
    change: int
    checksum: int

    @classmethod
    def of(cls, reader: CatalogReader, seq: int | None = None) -> "Origin":
        """Returns the version of a reader, or an earlier one of the same catalogue."""
        at = reader.seq if seq is None else seq
        return cls(at, *last_change(reader, at))

    def precedes(self, reader: CatalogReader) -> bool:
        """Returns whether a reader is of the same catalogue, at this version or later."""
        return self.seq <= reader.seq and Origin.of(reader, self.seq) == self


def table_path(folder: Path) -> Path:
    """Returns the path of the file in the folder of a catalogue."""
    return folder / "attributes" / "attributes.table"


def write_table(path: Path, origin: Origin, table: Table) -> None:
    """Writes a table that has one block; the file is replaced atomically and durably.

    Raises:
        DiskFullError, ReadOnlyError, AttributesError: it cannot be written; the old file remains.
    """
    (block,) = table.blocks
    header = {
        "origin": asdict(origin),
        "secret": table.hashing.secret.hex(),
        "columns": list(block.columns),
    }
    arrays: Arrays = {
        "id_starts": block.product_ids.starts,
        "ids": block.product_ids.encoded,
        "hashes": block.hashes,
        "order": block.order,
        "by_id": block.by_id,
        "images": block.images,
        "owners": block.owners,
    }
    for number, column in enumerate(block.columns.values()):
        arrays |= {f"{number} {part}": array for part, array in _parts(column)}
    _file(path).write(header, arrays)


def read_origin(path: Path) -> Origin:
    """Reads only what the file was written from.

    Raises:
        AttributesError: the header is damaged, or of another version of this software.
        FileNotFoundError: there is no file.
    """
    return Origin(**_file(path).read_header()["origin"])


def open_table(path: Path) -> tuple[Origin, Table]:
    """Maps a table into memory; reads the whole file to verify its checksums.

    Raises:
        AttributesError: the file is damaged, or of another version of this software.
        FileNotFoundError: there is no file.
    """
    header, arrays = _file(path).open()
    origin = Origin(**header["origin"])
    ids = Texts(arrays["id_starts"], arrays["ids"])
    size = len(ids)
    columns = {name: _column(size, arrays, n) for n, name in enumerate(header["columns"])}
    block = Block(
        ids,
        np.ones(size, np.bool_),
        arrays["hashes"],
        arrays["order"],
        arrays["by_id"],
        arrays["images"],
        arrays["owners"],
        columns,
    )
    return origin, Table(origin.seq, (block,), Hashing(bytes.fromhex(header["secret"])))


def stored_table(reader: CatalogReader) -> Table | None:
    """Opens the file of a catalogue; None if there is none that can be used, which is logged."""
    path = table_path(folder_of(reader))
    try:
        origin, table = open_table(path)
    except FileNotFoundError:
        log.info("%s: missing; reading all products instead", path)
    except AttributesError as error:
        log.error("%s; reading all products instead", error)
    else:
        if origin.precedes(reader):
            return table
        log.warning("%s: of another catalogue; reading all products instead", path)
    return None


def _parts(column: Column) -> Iterator[tuple[str, Array]]:
    """Yields the arrays of a column by name, without those that are missing or all NaN."""
    if column.rows is not None:
        yield "rows", column.rows
    yield "codes", column.codes
    yield "keys", column.keys
    if not np.isnan(column.numbers).all():
        yield "numbers", column.numbers
    if column.labels is not None:
        yield "labels", np.frombuffer(json.dumps(list(column.labels)).encode(), np.uint8)


def _column(size: int, arrays: Arrays, number: int) -> Column:
    """Returns the column of the arrays that `_parts` yielded."""
    keys, labels = arrays[f"{number} keys"], arrays.get(f"{number} labels")
    return Column(
        size,
        arrays.get(f"{number} rows"),
        arrays[f"{number} codes"],
        keys,
        arrays.get(f"{number} numbers", np.broadcast_to(np.nan, len(keys))),
        None if labels is None else _Labels(labels),
    )


class _Labels(Sequence[AttributeValue]):
    """Labels in JSON, decoded on first use, because few attributes have facets."""

    def __init__(self, encoded: Array) -> None:
        self._encoded = encoded

    @cached_property
    def _decoded(self) -> list[AttributeValue]:
        labels: list[AttributeValue] = json.loads(self._encoded.tobytes())
        return labels

    def __len__(self) -> int:
        return len(self._decoded)

    def __getitem__(self, at: Any) -> Any:
        return self._decoded[at]


def _file(path: Path) -> ArraysFile:
    return ArraysFile(path, _VERSION, AttributesError, "run `rebuild`")
