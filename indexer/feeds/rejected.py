"""Merges the rejections of each row, and writes rejected rows to a file for correction."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from indexer.errors import BadParameterError, ImageSearchError
from indexer.feeds.delimited import REPORT_COLUMNS
from indexer.feeds.locations import split_links
from indexer.feeds.merchant import MAIN_IMAGE, MORE_IMAGES, column_name
from indexer.feeds.origins import Feed
from indexer.feeds.reader import file_version, read_records
from indexer.feeds.rows import Rejection
from indexer.files import replacing, require_writable

_Cells = Sequence[tuple[str, object]]
_Column = tuple[str, int]  # name, and index among the columns of that name


def by_row(rejections: Iterable[Rejection]) -> list[Rejection]:
    """Merges rejections to one per row, with all its reasons, in the order of the feed."""
    rows: dict[tuple[str, int, int | None, str | None], Rejection] = {}
    for each in rejections:
        key = (each.source, each.number, each.line, each.product_id)
        if (first := rows.get(key)) and first.reason != each.reason:
            causes = dict.fromkeys([_cause(first), _cause(each)])
            each = replace(first, reason=f"{first.reason}; {each.reason}", cause="; ".join(causes))
        rows[key] = each
    sources = list(dict.fromkeys(each.source for each in rows.values()))
    return sorted(rows.values(), key=lambda each: (sources.index(each.source), each.number))


def _cause(rejection: Rejection) -> str:
    return rejection.cause or rejection.reason


class RejectedFile:
    """The file of `--rejected`: the rejected rows of feeds, to be corrected and added.

    Args:
        path: of the file.
        feeds: that will be read.

    Raises:
        BadParameterError: the file is one of the feeds, or cannot be written.
    """

    def __init__(self, path: Path, feeds: Iterable[Feed]) -> None:
        self.path = path
        self._feeds = {feed.name: feed for feed in feeds}
        files = [feed.path for feed in self._feeds.values() if feed.path.is_file()]
        self._versions = {file: file_version(file) for file in files}
        if path.exists() and any(map(path.samefile, files)):
            raise BadParameterError(
                f"--rejected: {path} is the feed itself and would be overwritten; use another file"
            )
        try:
            require_writable(path)
        except OSError as error:
            raise BadParameterError(f"--rejected: cannot write {path}: {error.strerror}") from error

    def write(self, rejections: Sequence[Rejection]) -> None:
        """Writes a CSV file with the columns source, line and reason, and the columns of the feed.

        Reads the feeds again, twice. `read_feed` accepts the file and ignores its first three
        columns. Values that a text cell cannot hold are written as JSON; relative paths of photos
        are made absolute if the file is in another folder than its feed.

        Raises:
            ImageSearchError: the file cannot be written, or a feed has changed since it was read.
        """
        for feed in self._feeds.values():
            version = self._versions.get(feed.path)
            if version and not (feed.path.is_file() and file_version(feed.path) == version):
                raise ImageSearchError(
                    f"{self.path} was not written: {feed.name} has changed since it was read;"
                    " everything else was done"
                )
        try:
            with replacing(self.path) as file:
                # surrogateescape writes undecodable bytes unchanged.
                text = io.TextIOWrapper(file, "utf-8", "surrogateescape", newline="")
                self._write_rows(csv.writer(text), rejections)
                text.flush()
                text.detach()
        except OSError as error:
            raise ImageSearchError(
                f"cannot write {self.path}: {error.strerror or error}; everything else was done"
            ) from error

    def _write_rows(self, writer: Any, rejections: Sequence[Rejection]) -> None:
        columns: dict[_Column, None] = {}
        for _, cells in self._with_cells(rejections):
            columns |= dict.fromkeys(column for column, _ in _numbered(cells) if column[0])
        writer.writerow([*REPORT_COLUMNS, *(name for name, _ in columns)])
        for rejection, cells in self._with_cells(rejections):
            values = dict(_numbered(cells))
            unnamed = [_text(value) for (name, _), value in values.items() if not name]
            line = "" if rejection.line is None else rejection.line
            writer.writerow(
                [
                    *(_text(rejection.source), line, _text(rejection.reason)),
                    *(_text(values.get(column)) for column in columns),
                    *unnamed,
                ]
            )

    def _with_cells(self, rejections: Sequence[Rejection]) -> Iterator[tuple[Rejection, _Cells]]:
        """Yields each rejection with the cells of its row; for a photo, only its id."""
        by_source: dict[str, list[Rejection]] = {}
        for each in rejections:
            by_source.setdefault(each.source, []).append(each)
        for source, of_source in by_source.items():
            numbers = {each.number: each for each in of_source if each.line is not None}
            if numbers:
                feed = self._feeds[source]
                moved = isinstance(feed.base, str) or not self._is_in(feed.base)
                for number, record in enumerate(read_records(feed), 1):
                    if rejection := numbers.get(number):
                        cells = _anchored(record.cells, feed.base) if moved else record.cells
                        yield rejection, cells
            for each in of_source:
                if each.line is None:
                    yield each, [("id", each.product_id)]

    def _is_in(self, folder: Path) -> bool:
        return self.path.absolute().parent.resolve() == folder.resolve()


def _anchored(cells: _Cells, base: Path | str) -> _Cells:
    """Makes the relative paths of photos absolute."""
    return [(name, _absolute(column_name(name), value, base)) for name, value in cells]


def _absolute(column: str, value: object, base: Path | str) -> object:
    if column not in (MAIN_IMAGE, MORE_IMAGES):
        return value
    if isinstance(value, list):
        return [_absolute(MAIN_IMAGE, each, base) for each in value]
    if not isinstance(value, str) or not value.strip():
        return value
    if column == MORE_IMAGES:
        return ",".join(str(_absolute(MAIN_IMAGE, each, base)) for each in split_links(value))
    if "://" in value:
        return value
    return urljoin(base, value.strip()) if isinstance(base, str) else str(base / value.strip())


def _numbered(cells: _Cells) -> Iterator[tuple[_Column, object]]:
    seen = Counter[str]()
    for name, value in cells:
        yield (name, seen[name]), value
        seen[name] += 1


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)  # the format of links
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = "" if value is None else str(value)
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # an unpaired surrogate, which JSON can contain
        return text.encode("utf-8", "replace").decode()
    return text
