"""The rows of a collection: one per photo, each with its product's attributes.

A row has the versions (`seq`) between which it exists: it is visible in the versions
`added <= seq < gone`. A photo whose product changes gets a new row; the old one gets an end.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from secrets import token_hex

import numpy as np
from pymilvus import DataType

from indexer.arrays import Vector
from indexer.errors import BadParameterError, DamagedError
from indexer.store.milvus.connection import Connection, Row
from indexer.store.milvus.expressions import MAX_TERMS, key, numbers, terms
from indexer.store.records import Attributes, Image, Product, as_json

FOREVER = (1 << 63) - 1  # the end of a row that exists
_MAX_TEXT = 65_535  # bytes
_PRODUCT = ("product_id", "position", "image_id", "photo", "attributes")
PRODUCT_FIELDS = (*_PRODUCT, "added")
ALL_FIELDS = (
    *("row_id", *_PRODUCT, "added", "gone"),
    *("product_key", "content_key", "terms", "numbers", "vector"),
)
_TABLE = "T"  # a capital, which no name of a collection has
# Of the index types, what makes them exact enough without parameters in the settings.
_BUILT_WITH = {"HNSW": {"M": 16, "efConstruction": 200}, "IVF_FLAT": {"nlist": 1024}}


@dataclass(frozen=True)
class NewRow:
    """A photo of a product to write."""

    image: Image
    position: int
    attributes: Attributes
    vector: Vector

    def encoded(self, seq: int) -> Row:
        """Returns the row that exists from version `seq` on.

        Raises:
            BadParameterError: the attributes are too large for Milvus.
        """
        image = self.image
        attributes = as_json(self.attributes)
        if len(attributes.encode()) > _MAX_TEXT:
            raise BadParameterError(
                f"the attributes of {image.product_id!r:.200} have more than {_MAX_TEXT:,} bytes"
            )
        return {
            "row_id": f"{image.image_id}.{seq}",
            "product_id": image.product_id,
            "position": self.position,
            "image_id": image.image_id,
            "photo": json.dumps([image.uri, image.location, image.content_hash]),
            "attributes": attributes,
            "added": seq,
            "gone": FOREVER,
            "product_key": key(image.product_id),
            "content_key": key(image.content_hash),
            "terms": terms(self.attributes),
            "numbers": numbers(self.attributes),
            "vector": self.vector.astype(np.float32, copy=False),
        }


def ended(row: Row, seq: int) -> Row:
    """Returns a stored row that exists up to version `seq`."""
    return {**rewritten(row), "gone": seq}


def rewritten(row: Row) -> Row:
    """Returns a row as read in the form in which it is written."""
    return {name: row[name] for name in ALL_FIELDS} | {
        "terms": list(row["terms"]),
        "vector": np.asarray(row["vector"], np.float32),
    }


def image_of(row: Row) -> Image:
    """Returns the photo of a row.

    Raises:
        DamagedError: the row cannot be decoded.
    """
    try:
        uri, location, content_hash = json.loads(row["photo"])
    except ValueError:
        raise _damaged(row) from None
    return Image(int(row["image_id"]), row["product_id"], uri, location, content_hash)


def attributes_of(row: Row) -> Attributes:
    """Returns the attributes of a row; see `image_of`."""
    try:
        attributes: Attributes = json.loads(row["attributes"])
    except ValueError:
        raise _damaged(row) from None
    return attributes


def products_of(rows: Iterable[Row]) -> dict[str, Product]:
    """Returns the products that rows make up.

    Raises:
        DamagedError: a row is missing.
    """
    grouped: dict[str, dict[int, Row]] = {}
    for row in rows:
        grouped.setdefault(row["product_id"], {})[int(row["position"])] = row
    found = {}
    for product_id, by_position in grouped.items():
        if sorted(by_position) != list(range(len(by_position))):
            raise DamagedError(f"Milvus lacks rows of product {product_id!r}")
        images = tuple(image_of(by_position[at]) for at in range(len(by_position)))
        found[product_id] = Product(product_id, attributes_of(by_position[0]), images)
    return found


def create(connection: Connection, collection: str, dimension: int) -> str:
    """Creates a Milvus collection for rows, with the index of the settings; returns its name."""
    table = f"{collection}{_TABLE}{token_hex(8)}"
    schema = connection.schema()
    schema.add_field("row_id", DataType.VARCHAR, is_primary=True, max_length=64)
    for name in ("position", "image_id", "added", "gone", "product_key", "content_key"):
        schema.add_field(name, DataType.INT64)
    for name in ("product_id", "photo", "attributes"):
        schema.add_field(name, DataType.VARCHAR, max_length=_MAX_TEXT)
    schema.add_field("terms", DataType.ARRAY, element_type=DataType.INT64, max_capacity=MAX_TERMS)
    schema.add_field("numbers", DataType.JSON)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    settings = connection.settings
    built_with: Mapping[str, int] = _BUILT_WITH.get(settings.index_type, {})
    index = connection.index_params()
    index.add_index(
        "vector",
        index_type=settings.index_type,
        metric_type="IP",
        params={**built_with, **settings.index_params},
    )
    connection.create_table(table, schema, index)
    return table


def is_table_of(collection: str, name: str) -> bool:
    """Returns whether a Milvus collection is one for the rows of a collection."""
    return name.startswith(f"{collection}{_TABLE}")


def _damaged(row: Row) -> DamagedError:
    return DamagedError(f"row {row.get('row_id', row.get('image_id'))} in Milvus is damaged")
