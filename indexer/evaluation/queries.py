"""Judgements from a file: query photos, and the products that are right for each.

A CSV file, in any of the dialects of feeds, with one row for each pair and the columns

- `photo`: path relative to the file, or URL;
- `product_id`: a right product. Several rows of a photo name several;
- `grade` (optional): how right it is, a number of at least 0; 1 if empty. Only nDCG tells grades
  apart, for all other metrics a product with a grade above 0 is right;
- `box` (optional): the part of the photo to search with: x1,y1,x2,y2 as fractions.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.arrays import Ids
from indexer.evaluation.labels import LabelsError, all_rejected
from indexer.evaluation.tasks import Grades, PhotoSet
from indexer.feeds import Rejection, open_table
from indexer.fetch import is_url
from indexer.images import Box

_REQUIRED = {"photo", "product_id"}
_COLUMNS = _REQUIRED | {"grade", "box"}

_Key = tuple[str, Box | None]  # location, part of the photo


@dataclass(frozen=True)
class Judged:
    """Query photos, the grades of products by id for each, and rows that cannot be used."""

    photos: PhotoSet
    grades: Sequence[Mapping[str, float]]
    rejected: Sequence[Rejection] = ()

    def grades_in(self, product_ids: Sequence[str], queries: Ids) -> tuple[Grades, list[str]]:
        """Returns the grades of some queries by the index of products, and ids that are missing."""
        places = {product_id: place for place, product_id in enumerate(product_ids)}
        chosen = [self.grades[query] for query in queries.tolist()]
        known = [{places[i]: grade for i, grade in each.items() if i in places} for each in chosen]
        missing = {product_id for each in chosen for product_id in each if product_id not in places}
        return Grades(known, len(places)), sorted(missing)


def read_queries(path: Path) -> Judged:
    """Reads a file of judgements; rows that are malformed are rejected.

    Raises:
        LabelsError: the file cannot be read, or has no good row.
    """
    grades: dict[_Key, dict[str, float]] = {}
    rejected: list[Rejection] = []
    try:
        with open_table(path, _COLUMNS) as table:
            _require_columns(path, table.columns)
            for line, row in table.rows:
                try:
                    _add(row, path.absolute().parent, grades)
                except ValueError as error:
                    product_id = row.get("product_id") or None
                    rejected.append(Rejection(str(path), line, product_id, str(error), number=line))
    except FileNotFoundError as error:
        raise LabelsError(f"{path}: does not exist") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelsError(f"{path}: cannot be read as CSV in UTF-8 or UTF-16: {error}") from error
    if rejected and not grades:
        raise all_rejected(rejected)
    if not grades:
        raise LabelsError(f"{path}: has no rows; a row is a photo and the id of a right product")
    return Judged(_photos(list(grades)), list(grades.values()), rejected)


def _photos(keys: Sequence[_Key]) -> PhotoSet:
    files, owners = np.unique([location for location, _ in keys], return_inverse=True)
    return PhotoSet(
        product_ids=[Path(file).name for file in files.tolist()],
        owners=owners,
        locations=[location for location, _ in keys],
        content_hashes=[""] * len(keys),
        boxes=[box for _, box in keys],
    )


def _require_columns(path: Path, columns: Sequence[str]) -> None:
    if missing := _REQUIRED.difference(columns):
        raise LabelsError(
            f"{path}: the first row must name the columns photo and product_id, optionally grade"
            f" and box; missing: {', '.join(sorted(missing))}"
        )
    if unknown := set(columns) - _COLUMNS:
        raise LabelsError(f"{path}: unknown columns: {', '.join(map(str, sorted(unknown)))}")


def _add(
    row: Mapping[str | None, str | None], folder: Path, grades: dict[_Key, dict[str, float]]
) -> None:
    """Adds one row.

    Raises:
        ValueError: it is malformed.
    """
    cells = {name: (row.get(name) or "").strip() for name in _COLUMNS}
    if None in row or not (cells["photo"] and cells["product_id"]):
        raise ValueError("expected a photo and a product_id, and one cell for each column")
    photo = cells["photo"]
    location = photo if is_url(photo) else str(folder / photo)
    box, grade = _box(cells["box"]), _grade(cells["grade"])
    of_query = grades.setdefault((location, box), {})
    if of_query.setdefault(cells["product_id"], grade) != grade:
        raise ValueError(f"product {cells['product_id']!r} has two grades for {photo}")


def _grade(text: str) -> float:
    try:
        grade = float(text or 1)
    except ValueError:
        grade = math.nan
    if not 0 <= grade < math.inf:
        raise ValueError(f"grade: received {text!r}; must be a number of at least 0")
    return grade


def _box(text: str) -> Box | None:
    if not text:
        return None
    try:
        x1, y1, x2, y2 = map(float, text.split(","))
    except ValueError:
        x1 = y1 = x2 = y2 = math.nan
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ValueError(
            f"box: received {text!r}; must be x1,y1,x2,y2 with 0 <= x1 < x2 <= 1 and"
            " 0 <= y1 < y2 <= 1"
        )
    return x1, y1, x2, y2
