"""The table of precomputed neighbours: for every product the most similar products.

A file as of one `seq`, mapped into memory. Never edited; a new file replaces it.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids
from indexer.errors import CatalogError
from indexer.store.embedded.mapped_arrays import Arrays, ArraysFile

_FORMAT = 1
# Entries beyond k, as a share of k and at least a minimum, so that removed products leave k.
_SPARE_SHARE = 4
_MIN_SPARE = 2

Numbers = NDArray[np.int32]
Texts = np.ndarray[Any, Any]  # of dtype StringDType


class NeighboursError(CatalogError):
    """The table of neighbours cannot be written, or is damaged. The catalogue is intact."""

    code = "bad_neighbours"


@dataclass(frozen=True)
class Origin:
    """The version of a catalogue that a table was made from.

    Args:
        fingerprint: of the embeddings.
        generation: of the embeddings.
        seq: of the journal.
        chain: checksum of the last image row of the journal up to `seq`; that of another
            journal differs.
    """

    fingerprint: str
    generation: int
    seq: int
    chain: int


@dataclass(frozen=True)
class CatalogImages:
    """The images of a catalogue, by product id, those of one product by image id.

    Args:
        product_ids: (p,) of all products that have images, in code point order. The number of a
            product is its index here.
        ids: (n,) image ids. The place of an image is its index here.
        owners: (n,) number of the product of each image, ascending.
    """

    product_ids: Texts
    ids: Ids
    owners: Numbers

    @classmethod
    def of(cls, images: Iterable[tuple[str, int]]) -> "CatalogImages":
        """Arranges the images of a catalogue, given as product id and image id."""
        rows = sorted(images)
        product_ids = sorted({product_id for product_id, _ in rows})
        numbers = {product_id: number for number, product_id in enumerate(product_ids)}
        return cls(
            as_texts(product_ids),
            np.array([image_id for _, image_id in rows], np.int64),
            np.array([numbers[product_id] for product_id, _ in rows], np.int32),
        )

    def __len__(self) -> int:
        return len(self.product_ids)

    @cached_property
    def starts(self) -> Ids:
        """(p + 1,) place of the first image of each product, and the end."""
        starts: Ids = np.searchsorted(self.owners, np.arange(len(self.product_ids) + 1))
        return starts

    def of_product(self, number: int) -> slice:
        """Returns the places of the images of a product."""
        return slice(int(self.starts[number]), int(self.starts[number + 1]))

    @cached_property
    def _by_id(self) -> Ids:
        return np.argsort(self.ids)

    def places_of(self, image_ids: Sequence[int]) -> Ids:
        """Returns the places of images, all of which exist."""
        places: Ids = self._by_id[np.searchsorted(self.ids, image_ids, sorter=self._by_id)]
        return places

    def number_of(self, product_id: str) -> int | None:
        """Returns the number of a product; None if there is none with this id."""
        number = bisect_left(self.product_ids, product_id)
        found = number < len(self.product_ids) and self.product_ids[number] == product_id
        return number if found else None


@dataclass(frozen=True)
class Table:
    """For every product the first products of the ranking by its images, itself included.

    Args:
        k: neighbours of each product that every list has; lists may have more.
        origin: what it was made from.
        photos: of that version.
        lists: (p, `width_of(k)`) place of the best image of each neighbour, by falling score,
            equal ones by product; -1 after the last.
        scores: (p, `width_of(k)`) cosines in float64, equal to those of a search.
    """

    k: int
    origin: Origin
    photos: CatalogImages
    lists: Numbers
    scores: NDArray[np.float64]

    def places_of(self, number: int) -> Numbers:
        """Returns the list of a product: places of images."""
        row = self.lists[number]
        places: Numbers = row[: np.count_nonzero(row >= 0)]
        return places


def table_path(folder: Path) -> Path:
    """Returns the path of the table in the folder of a catalogue."""
    return folder / "neighbours" / "neighbours.table"


def width_of(k: int) -> int:
    """Returns the maximum length of the lists of a table."""
    return 1 + k + max(_MIN_SPARE, k // _SPARE_SHARE)


def as_texts(texts: list[str]) -> Texts:
    """Returns texts as an array of dtype StringDType."""
    return np.array(texts, np.dtypes.StringDType())


def write_table(path: Path, table: Table) -> None:
    """Writes a table; it replaces the file atomically and is durable when this returns.

    Raises:
        DiskFullError, ReadOnlyError, NeighboursError: it cannot be written; the old file remains.
    """
    names = json.dumps(table.photos.product_ids.tolist(), ensure_ascii=False).encode()
    arrays: Arrays = {
        "product_ids": np.frombuffer(names, np.uint8),
        "ids": table.photos.ids,
        "owners": table.photos.owners,
        "lists": table.lists,
        "scores": table.scores,
    }
    _file(path).write({"k": table.k, "origin": asdict(table.origin)}, arrays)


def read_header(path: Path) -> tuple[int, Origin]:
    """Reads only the k of a table, and what it was made from.

    Raises:
        NeighboursError: the header is damaged, or of another version of this software.
        FileNotFoundError: there is no table.
    """
    header = _file(path).read_header()
    return header["k"], Origin(**header["origin"])


def open_table(path: Path) -> Table:
    """Maps a table into memory; reads the whole file to verify its checksums.

    Raises:
        NeighboursError: the file is damaged, or of another version of this software.
        FileNotFoundError: there is no table.
    """
    header, arrays = _file(path).open()
    product_ids = as_texts(json.loads(arrays["product_ids"].tobytes()))
    return Table(
        header["k"],
        Origin(**header["origin"]),
        CatalogImages(product_ids, arrays["ids"], arrays["owners"]),
        arrays["lists"],
        arrays["scores"],
    )


def _file(path: Path) -> ArraysFile:
    return ArraysFile(path, _FORMAT, NeighboursError, "run `neighbours`")
