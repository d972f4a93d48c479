"""Judgements of raters: how well a product matches a query.

A judgement does not depend on the settings that found the product, so later settings can be
measured with it. The file is not the one of the events, which is deleted by age and size: people
cannot be asked again cheaply.
"""

import math
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from indexer.arrays import batched
from indexer.errors import DiskFullError, ImageSearchError, ReadOnlyError
from indexer.sqlite.database import MIB, Database, Failures, used_bytes

Grade = Literal["wrong", "similar", "match"]
GRADES: tuple[Grade, ...] = get_args(Grade)  # ascending
QueryKind = Literal["product", "photo"]

FILE_NAME = "ratings.db"  # not a valid collection name
_MERGED = 10_000  # judgements in a transaction: less than 0.1 s
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS ratings (
        kind TEXT NOT NULL,
        query TEXT NOT NULL,
        product_id TEXT NOT NULL,
        rater TEXT NOT NULL,
        grade INTEGER,  -- null if withdrawn
        at INTEGER NOT NULL,
        PRIMARY KEY (kind, query, product_id, rater)
    ) STRICT, WITHOUT ROWID""",
)
_PUT = "INSERT INTO ratings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
# A clock that was set back must not make a correction look older than what it corrects.
_LAST_WINS = f"{_PUT} grade = excluded.grade, at = max(at, excluded.at)"
_NEWEST_WINS = f"{_PUT} grade = excluded.grade, at = excluded.at WHERE excluded.at > at"
# The row stays, so that an import does not bring the judgement back.
_WITHDRAW = """UPDATE ratings SET grade = NULL, at = max(at, ?)
    WHERE (kind, query, product_id, rater) = (?, ?, ?, ?)"""


class RatingsError(ImageSearchError):
    """Judgements cannot be stored or read."""

    code = "ratings_failed"


class RatingsDiskFullError(DiskFullError, RatingsError):
    """The disk is full."""


class RatingsReadOnlyError(ReadOnlyError, RatingsError):
    """The disk is read-only."""


class RatingsFullError(RatingsError):
    """The file of the judgements has its maximum size."""

    code = "ratings_full"


@dataclass(frozen=True)
class RatedQuery:
    """What was searched for.

    Attributes:
        kind: `product` or `photo`.
        id: the product id, or the SHA-256 of the photo's file in hexadecimal.
    """

    kind: QueryKind
    id: str


@dataclass(frozen=True)
class Rating:
    """A judgement of one rater. The last one of a rater on a query and a product counts.

    Attributes:
        query: what was searched for.
        product_id: the product that is judged.
        rater: as returned by `rater_name`.
        grade: how well it matches; None withdraws the judgement.
        at: time in seconds since 1970.
    """

    query: RatedQuery
    product_id: str
    rater: str
    grade: Grade | None
    at: int


# Of a rater, before `rater_name`.
RATER = r"^\w(?:[\w .-]{0,38}[\w.])?$"
MAX_PRODUCT_ID = 512  # characters


def rater_name(text: str) -> str:
    """Returns the form in which a rater's name is stored: case does not matter."""
    return unicodedata.normalize("NFC", text.strip().casefold())


class RatingStore:
    """The file of judgements, created on the first write. Thread-safe.

    Every method raises a RatingsError if the file cannot be read or written.

    Args:
        data_dir: existing folder of the file.
        max_mib: maximum size of the file in MiB; when it is full, only judgements that replace
            others are stored.
    """

    def __init__(self, data_dir: Path, max_mib: int | None = None) -> None:
        failures = Failures(RatingsError, RatingsDiskFullError, RatingsReadOnlyError)
        self._database = Database(data_dir / FILE_NAME, _SCHEMA, failures)
        self._max_mib = max_mib

    def add(self, ratings: Iterable[Rating]) -> None:
        """Stores or withdraws judgements, in this order. Durable when this returns.

        Raises:
            RatingsFullError: the file is full; nothing is stored.
        """
        self._write(ratings, _LAST_WINS)

    def merge(self, ratings: Iterable[Rating]) -> None:
        """Stores judgements of another file; of two on the same, the newer one stays.

        Raters can store theirs meanwhile. If this is interrupted or the file is full, some are
        stored; repeating it stores the rest.

        Raises:
            RatingsFullError: the file is full.
        """
        for batch in batched(ratings, _MERGED):
            self._write(batch, _NEWEST_WINS)

    def grades(self, query: RatedQuery, rater: str) -> dict[str, Grade]:
        """Returns a rater's judgements on a query by product id."""
        rows = self._database.select(
            "SELECT product_id, grade FROM ratings"
            " WHERE kind = ? AND query = ? AND rater = ? AND grade IS NOT NULL",
            query.kind,
            query.id,
            rater,
        )
        return {product_id: GRADES[grade] for product_id, grade in rows}

    def all(self) -> Iterator[Rating]:
        """Yields all judgements, also withdrawn ones, ordered by query, product and rater."""
        for kind, query, product_id, rater, grade, at in self._database.select(
            "SELECT * FROM ratings ORDER BY kind, query, product_id, rater"
        ):
            given = None if grade is None else GRADES[grade]
            yield Rating(RatedQuery(kind, query), product_id, rater, given, at)

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def _write(self, ratings: Iterable[Rating], put: str) -> None:
        max_bytes = math.inf if self._max_mib is None else self._max_mib * MIB
        with self._database.transaction() as db:
            before = used_bytes(db)
            for rating in ratings:
                key = (rating.query.kind, rating.query.id, rating.product_id, rating.rater)
                grade = None if rating.grade is None else GRADES.index(rating.grade)
                if grade is None and put is _LAST_WINS:
                    db.execute(_WITHDRAW, (rating.at, *key))
                else:
                    db.execute(put, (*key, grade, rating.at))
            if max(before, max_bytes) < used_bytes(db):
                raise RatingsFullError(
                    f"{self._database.path}: has ratings.max_mib ({self._max_mib}) MiB; export the"
                    " judgements, or raise the setting"
                )
