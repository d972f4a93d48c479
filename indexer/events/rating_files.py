"""Judgements as CSV, for backups, other programs and other machines."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import cast

from indexer.errors import BadParameterError, ImageSearchError
from indexer.events.ratings import (
    GRADES,
    MAX_PRODUCT_ID,
    RATER,
    RatedQuery,
    Rating,
    rater_name,
)
from indexer.feeds import open_table
from indexer.files import replacing

_COLUMNS = ["query_product_id", "query_photo", "product_id", "grade", "rater", "rated_at"]
_SHA256 = re.compile("[0-9a-f]{64}")


class RatingsFileError(ImageSearchError):
    """A file of judgements cannot be read or written."""

    code = "bad_ratings"


def write_ratings(path: Path, ratings: Iterable[Rating]) -> int:
    """Writes judgements and returns their number. The file is replaced once all are written.

    Raises:
        BadParameterError: the file exists and has no judgements.
        RatingsFileError: it cannot be written.
    """
    if path.exists() and _header(path) != _COLUMNS:
        raise BadParameterError(f"{path} exists and is not a file of ratings; use another name")
    written = 0
    try:
        with replacing(path) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            writer = csv.writer(text)
            writer.writerow(_COLUMNS)
            for written, rating in enumerate(ratings, start=1):  # noqa: B007
                writer.writerow(_cells(rating))
            text.flush()
            text.detach()
    except OSError as error:
        raise RatingsFileError(f"{path}: cannot be written: {error.strerror}") from error
    return written


def read_ratings(path: Path) -> Iterator[Rating]:
    """Yields judgements.

    Raises:
        RatingsFileError: the file cannot be read, or a line is wrong, which is named.
    """
    try:
        with open_table(path, _COLUMNS) as table:  # spreadsheets save exports in other dialects
            if table.columns != _COLUMNS:
                raise RatingsFileError(f"{path}: the first line must be {','.join(_COLUMNS)}")
            for line, row in table.rows:
                yield _rating(row, f"{path}, line {line}")
    except FileNotFoundError as error:
        raise RatingsFileError(f"{path}: does not exist") from error
    except OSError as error:
        raise RatingsFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise RatingsFileError(f"{path}: is not CSV in UTF-8 or UTF-16: {error}") from error


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader(islice(file, 1)), [])
    except csv.Error:
        return []
    except OSError as error:
        raise RatingsFileError(f"{path}: cannot be read: {error.strerror}") from error


def _cells(rating: Rating) -> list[str | None]:
    query = rating.query
    product, photo = (query.id, "") if query.kind == "product" else ("", query.id)
    at = datetime.fromtimestamp(rating.at, UTC).isoformat()
    return [product, photo, rating.product_id, rating.grade, rating.rater, at]


def _rating(row: Mapping[str | None, str | None], place: str) -> Rating:
    if None in row or None in row.values():
        raise RatingsFileError(f"{place}: must have {len(_COLUMNS)} columns")
    cells = cast("Mapping[str, str]", row)
    product, photo = cells["query_product_id"], cells["query_photo"]
    if bool(product) == bool(photo):
        raise RatingsFileError(f"{place}: must have one of query_product_id and query_photo")
    if photo and not _SHA256.fullmatch(photo):
        raise RatingsFileError(f"{place}: query_photo: received {photo!r}; must be a SHA-256")
    grade = cells["grade"] or None
    if grade is not None and grade not in GRADES:
        raise RatingsFileError(
            f"{place}: grade: received {grade!r}; must be {', '.join(GRADES)}, or empty (withdrawn)"
        )
    if not re.fullmatch(RATER, cells["rater"].strip()):
        raise RatingsFileError(
            f"{place}: rater: received {cells['rater']!r}; must be a name of 1 to 40 letters,"
            " digits, spaces, dots and dashes"
        )
    if not (1 <= len(cells["product_id"]) <= MAX_PRODUCT_ID >= len(product)):
        raise RatingsFileError(f"{place}: product ids must have 1 to {MAX_PRODUCT_ID} characters")
    query = RatedQuery("product", product) if product else RatedQuery("photo", photo)
    at = _time(cells["rated_at"], place)
    return Rating(query, cells["product_id"], rater_name(cells["rater"]), grade, at)


def _time(text: str, place: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError("a time without an offset depends on the machine")
        return int(at.timestamp())
    except (ValueError, OverflowError):
        raise RatingsFileError(
            f"{place}: rated_at: received {text!r}; must be a time such as"
            " 2026-01-31T12:00:00+00:00"
        ) from None
