"""Reads the attributes of all products, or the ids of changed ones, for the columns in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import orjson

from indexer.arrays import Ids
from indexer.store import Attributes
from indexer.store.embedded.catalog.checksums import checksum, damaged
from indexer.store.embedded.catalog.reader import CatalogReader

_PER_CHUNK = 8192


@dataclass(frozen=True)
class Owners:
    """The product that each image belongs to.

    Args:
        product_ids: ids of the products that have an image; a product's number is its index here.
        images: (n,) image ids, ascending.
        numbers: (n,) number of the product of each image.
        covered: for each product, the sum of the checksums of its images, which its own checksum
            covers.
    """

    product_ids: list[str]
    images: Ids
    numbers: Ids
    covered: list[int]


class _Numbers(dict[str, int]):
    def __missing__(self, product_id: str) -> int:
        number = self[product_id] = len(self)
        return number


def owners(reader: CatalogReader) -> Owners:
    """Reads the product of each image.

    Does not verify the checksums of the rows, because those verified by `all_attributes` cover
    them.

    Raises:
        DamagedError: an image is missing.
    """
    numbers, images, owner, sums = _Numbers(), [], [], []
    rows = reader.connection.execute(
        "SELECT image_id, product_id, checksum FROM images ORDER BY image_id"
    )
    while chunk := rows.fetchmany(_PER_CHUNK):
        ids, product_ids, checksums = zip(*chunk, strict=True)
        images.append(np.array(ids, np.int64))
        owner.append(np.array(list(map(numbers.__getitem__, product_ids)), np.int64))
        sums.append(np.array(checksums, np.float64))  # their sums stay below 2**53
    all_images, all_owners = _joined(images), _joined(owner)
    reader.require_count("images", len(all_images), reader.counts()[1])
    weights = np.concatenate(sums) if sums else np.empty(0)
    covered = np.bincount(all_owners, weights, len(numbers)).astype(np.int64).tolist()
    return Owners(list(numbers), all_images, all_owners, covered)


def all_attributes(
    reader: CatalogReader, own: Owners
) -> Iterator[tuple[list[int], list[Attributes]]]:
    """Yields the numbers and the attributes of all products that have an image, in chunks.

    Raises:
        DamagedError: a product or one of its images is damaged.
    """
    number_of = {product_id: number for number, product_id in enumerate(own.product_ids)}
    seen = with_images = 0
    rows = reader.connection.execute("SELECT product_id, attributes, checksum FROM products")
    while chunk := rows.fetchmany(_PER_CHUNK):
        product_ids, texts, stored = zip(*chunk, strict=True)
        found = [number_of.get(product_id, -1) for product_id in product_ids]
        sums = [crc32(_covered(own, *row)) for row in zip(product_ids, texts, found, strict=True)]
        if sums != list(stored):
            row = next(i for i, own_sum in enumerate(sums) if own_sum != stored[i])
            what = f"row {product_ids[row]!r} of table products or its images"
            raise damaged(reader.connection, what)
        seen += len(chunk)
        if -1 in found:
            texts = tuple(text for text, number in zip(texts, found, strict=True) if number >= 0)
            found = [number for number in found if number >= 0]
        with_images += len(found)
        yield found, _parsed(texts)
    reader.require_count("products", seen, reader.counts()[0])
    reader.require_count("products", with_images, len(number_of))


def products_changed_since(reader: CatalogReader, seq: int) -> set[str] | None:
    """Returns the ids of products that were written or removed after `seq`.

    Returns None if the journal has a gap, as after restoring a snapshot; read all products then.

    Raises:
        DamagedError: the journal is damaged.
    """
    chain = reader.chain_at(seq)
    changed, number = set(), seq
    for row in reader.connection.execute(
        "SELECT seq, at, operation, product_id, image_id, checksum FROM journal"
        " WHERE seq > ? ORDER BY seq",
        (seq,),
    ):
        own = checksum(chain, *row[:-1])
        if own != row[-1]:
            raise damaged(reader.connection, f"row {row[0]} of table journal, or one before it,")
        if row[0] != number + 1:
            return None
        number = row[0]
        changed.add(row[3])
        chain = chain if row[4] is None else own
    return changed if number == reader.seq else None


def last_change(reader: CatalogReader, seq: int) -> tuple[int, int]:
    """Returns number and checksum of the last row of the journal up to `seq`; zeros if none."""
    row = reader.connection.execute(
        "SELECT seq, checksum FROM journal WHERE seq <= ? ORDER BY seq DESC LIMIT 1", (seq,)
    ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _covered(own: Owners, product_id: str, text: str, number: int) -> bytes:
    """Returns the bytes that the checksum of a product covers, as `checksum` feeds them."""
    covered = own.covered[number] if number >= 0 else 0
    return f"{product_id}\0{text}\0{covered}\0".encode()


def _parsed(texts: tuple[str, ...]) -> list[Attributes]:
    whole = f"[{','.join(texts)}]"
    try:
        parsed = orjson.loads(whole)
    except orjson.JSONDecodeError:  # orjson rejects NaN and very long numbers
        parsed = json.loads(whole)
    return parsed  # type: ignore[no-any-return]


def _joined(parts: list[Ids]) -> Ids:
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
