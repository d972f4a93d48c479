"""The last completed sync of a collection, recorded beside it for `status` and metrics."""

import datetime
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from indexer.feeds import by_row
from indexer.fetch import is_url
from indexer.files import write_atomically
from indexer.ingest.report import Report

FILE_NAME = "last-sync.json"


class LastSync(BaseModel):
    """A completed sync.

    Attributes:
        finished_at: ISO 8601, in UTC.
        seconds: duration.
        feed: as the user named it; a URL without its query, which may have a token.
    """

    model_config = ConfigDict(frozen=True)

    finished_at: datetime.datetime
    seconds: float
    feed: str
    added: int
    updated: int
    removed: int
    unchanged: int
    rejected: int
    embedded: int


def record(folder: Path, feed: str, report: Report, seconds: float) -> None:
    """Records a completed sync; if the disk refuses, the record before remains.

    Args:
        folder: of the collection.
        feed: as the user named it.
        report: of the run.
        seconds: duration.
    """
    done = LastSync(
        finished_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        seconds=round(seconds, 1),
        feed=_without_query(feed) if is_url(feed) else feed,
        added=len(report.added),
        updated=len(report.updated),
        removed=len(report.removed),
        unchanged=report.unchanged,
        rejected=len(by_row(report.rejected)),
        embedded=report.embedded,
    )
    with suppress(OSError):
        write_atomically(folder / FILE_NAME, done.model_dump_json().encode())


def read(folder: Path) -> LastSync | None:
    """Returns the last completed sync of a collection; None if none is recorded."""
    try:
        return LastSync.model_validate_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def _without_query(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="", fragment=""))
