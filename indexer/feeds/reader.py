"""Chooses the parser by the format of a feed, and converts its records to rows."""

import codecs
import datetime
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from indexer.errors import FeedError
from indexer.feeds import merchant
from indexer.feeds.delimited import read_delimited
from indexer.feeds.file_kinds import require_text
from indexer.feeds.folder import PHOTOS, read_folder, read_photo
from indexer.feeds.jsonlines import read_json_lines
from indexer.feeds.merchant_xml import read_merchant_xml
from indexer.feeds.origins import Feed
from indexer.feeds.parquet import read_parquet
from indexer.feeds.rows import BadRecord, FeedRow, Record, Rejection, RowError
from indexer.feeds.suspects import looks_like_a_photo
from indexer.feeds.values import product_id

_FORMATS: dict[str, Callable[[Path], Iterator[Record | BadRecord]]] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".txt": read_delimited,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".xml": read_merchant_xml,
}
_ACCEPTED = (
    "a folder of photos, a photo "
    f"({' '.join(sorted(PHOTOS))}) or a feed file ({' '.join(sorted(_FORMATS))})"
)

_START = 512  # bytes of a feed by which its format is recognised
_NO_ID = "the row has a product_id but no id, which other rows have"


def read_feed(source: Path | Feed) -> Iterator[FeedRow | Rejection]:
    """Yields the products and the rejected rows of a feed, in order.

    Streams: memory grows by about 100 bytes per product, for a digest of its id. Photos are
    neither opened nor downloaded. Product ids of the rows are unique; a row with the id of an
    earlier row is a `Rejection`.

    Raises:
        FeedError: the feed does not exist, its format is unknown, or it cannot be read. May be
            raised while iterating, for a truncated XML or Parquet file: the rows yielded so far
            are then incomplete and must not be used to remove products.
    """
    feed = source if isinstance(source, Feed) else Feed.of(source)
    path = feed.path
    if path.is_dir():
        return _unique(_numbered(read_folder(path)))
    if not path.is_file():
        raise FeedError(f"{path}: no such file or folder; accepted: {_ACCEPTED}")
    suffix = path.suffix.lower()
    if suffix in PHOTOS:
        return read_photo(path)
    if suffix not in _FORMATS:
        raise FeedError(f"{path}: unknown extension {suffix!r}; accepted: {_ACCEPTED}")
    return _unique(_read_file(feed))


def _read_file(feed: Feed) -> Iterator[FeedRow | Rejection]:
    base, source = feed.base, feed.name
    now = datetime.datetime.now(datetime.UTC)
    by_id, by_alias = False, None
    for number, record in enumerate(read_records(feed), 1):
        if isinstance(record, BadRecord):
            fields = (record.line, record.product_id, record.reason)
            yield Rejection(source, *fields, number=number, raw_text=record.raw_text)
            continue
        # Rows without the id that other rows have: it may be misspelled in them.
        name = merchant.id_name(column for column, _ in record.cells)
        if name == "id" and not by_id:
            by_id = True
            if by_alias:
                yield _rejected(source, *by_alias, None, _NO_ID)
        elif name == "product_id":
            by_alias = by_alias or (number, record)
            if by_id:
                yield _rejected(source, number, record, None, _NO_ID)
                continue
        yield _row(number, record, source, base, now)


def read_records(feed: Feed) -> Iterator[Record | BadRecord]:
    """Yields the unparsed records of a feed file; nothing for photos and folders.

    Raises:
        FeedError: see `read_feed`.
    """
    path = feed.path
    if read := _FORMATS.get(path.suffix.lower()) if path.is_file() else None:
        try:
            before = file_version(path)
            if read is not read_parquet:
                require_text(path)
            yield from read(path)
            after = file_version(path)
        except (OSError, UnicodeDecodeError) as error:
            raise FeedError(f"{feed.name}: cannot be read: {error}") from error
        except FeedError as error:  # downloads are in temporary files
            raise FeedError(error.text.replace(str(path), feed.name)) from error
        if after != before:
            raise FeedError(
                f"{feed.name}: changed while it was read; run the command again when it is complete"
            )


def extension_of(url: str, content: Path) -> str:
    """Returns the extension for a feed without a file name: that of its URL, or by its content.

    Args:
        url: of the feed; empty if it has none.
        content: the file.

    Raises:
        OSError: the file cannot be read.
    """
    named = PurePosixPath(urlsplit(url).path).suffix.lower()
    if named in _FORMATS:
        return named
    with content.open("rb") as stream:
        start = stream.read(_START).removeprefix(codecs.BOM_UTF8).lstrip()
    starts = {b"PAR1": ".parquet", b"<": ".xml", b"{": ".jsonl"}
    return next((kind for first, kind in starts.items() if start.startswith(first)), ".csv")


def file_version(path: Path) -> tuple[int, int, int]:
    """Returns what changes when a file is written or replaced."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _row(
    number: int, record: Record, source: str, base: Path | str, now: datetime.datetime
) -> FeedRow | Rejection:
    name, others = None, record.possible_ids
    try:
        # The id first: a product must not be removed because its row is invalid otherwise.
        name, *more = merchant.ids(record.cells)
        others += tuple(more)
        if more:
            raise RowError(f"the row has several ids: {name!r}, {', '.join(map(repr, more)):.300}")
        if record.fault:
            raise RowError(record.fault)
        columns = merchant.collect(record.cells)
        images = merchant.images(columns, base)
        parsed = merchant.attributes(columns, now)
    except RowError as error:
        return _rejected(source, number, record, name, str(error), others)
    if not any(looks_like_a_photo(image.uri) for image in images):  # the cells may be shifted
        others += tuple(filter(None, map(_as_id, _values(value for _, value in record.cells))))
    warnings = (*merchant.id_warnings(name), *parsed.warnings)
    fields = (name, parsed.attributes, images, record.line, source, others, warnings)
    return FeedRow(*fields, number, record.unterminated)


def _rejected(
    source: str,
    number: int,
    record: Record,
    name: str | None,
    reason: str,
    others: tuple[str, ...] = (),
) -> Rejection:
    """Returns the rejection of a row, any cell of which may be its id if the cells are shifted."""
    values = [str(value) for value in _values(value for _, value in record.cells)]
    if name:
        others += tuple(filter(None, map(_as_id, values)))
    return Rejection(
        *(source, record.line, name, reason, others),
        number=number,
        raw_text=""
        if name and '"' not in name
        else _searched("\n".join((*values, record.raw_text))),
        unterminated=record.unterminated,
    )


def _searched(text: str) -> str:
    """Returns the text, and again without the doubling of quotes: cells may be joined by them."""
    return "\n".join((text, text.replace('""', '"')))


def _values(values: Iterable[object]) -> list[object]:
    """Returns the values that are not empty, also those inside lists and objects."""
    found, left = [], deque(values)
    while left:
        value = left.popleft()
        if isinstance(value, dict | list):
            left.extend(value.values() if isinstance(value, dict) else value)
        elif value is not None:
            found.append(value)
    return found


def _as_id(value: object) -> str | None:
    try:
        return product_id(value)
    except RowError:
        return None


def _numbered(rows: Iterator[FeedRow | Rejection]) -> Iterator[FeedRow | Rejection]:
    for number, row in enumerate(rows, 1):
        yield replace(row, number=number)


def _unique(rows: Iterator[FeedRow | Rejection]) -> Iterator[FeedRow | Rejection]:
    seen: set[bytes] = set()  # digests, because ids may be long
    for row in rows:
        if isinstance(row, FeedRow):
            digest = hashlib.blake2b(row.product_id.encode(), digest_size=16).digest()
            if digest in seen:
                reason = f"id {row.product_id!r} was already used earlier in the feed"
                cells = (
                    str(each) for each in row.attributes.values() if isinstance(each, str | int)
                )
                row = replace(row.rejected(reason), possible_ids=(*row.possible_ids, *cells))
            seen.add(digest)
        yield row
