"""The report of a run."""

from dataclasses import dataclass, field
from typing import Literal

from indexer.feeds import ImageRef, Rejection, RowWarning
from indexer.fetch import host_of
from indexer.store import Outcome


@dataclass(frozen=True)
class Missed:
    """A photo whose server is down: why, and what is used instead, or the rejection."""

    ref: ImageRef
    reason: str
    instead: Literal["stored", "cached"] | Rejection


@dataclass
class HostDown:
    """A photo server that failed. Its stored and cached photos are used.

    Attributes:
        host: name of the server, with the port if the URL has one.
        reason: of the last failure.
        photos: number of photos that could not be read.
        kept: number of these that are stored for the same product and URL.
        cached: number of these that are in the cache of downloads.
        rejected: rejections for the others.
    """

    host: str
    reason: str = ""
    photos: int = 0
    kept: int = 0
    cached: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@dataclass
class Report:
    """What a run did or, with `--dry-run`, would do. Product ids are in the order of the feed.

    Attributes:
        added: ids of new products.
        updated: ids of changed products.
        removed: ids of removed products.
        unchanged: number of unchanged products.
        embedded: number of photos embedded.
        rejected: rows and photos that cannot be used.
        hosts_down: photo servers that failed, by host.
        warnings: about rows that were used.
        not_removed: ids that are not in the feed, but that a rejected row without a certain id may
            have.
        refused: why `sync` would refuse this plan; None if it would not.
    """

    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    embedded: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    hosts_down: dict[str, HostDown] = field(default_factory=dict)
    warnings: list[RowWarning] = field(default_factory=list)
    not_removed: list[str] = field(default_factory=list)
    refused: str | None = None

    def note(self, product_id: str, outcome: Outcome) -> None:
        """Counts the outcome of a product."""
        if outcome == "unchanged":
            self.unchanged += 1
        else:
            (self.added if outcome == "added" else self.updated).append(product_id)

    def note_missed(self, missed: Missed) -> None:
        """Counts a photo whose server is down."""
        host = host_of(missed.ref.location)
        down = self.hosts_down.setdefault(host, HostDown(host))
        down.reason = missed.reason
        down.photos += 1
        if isinstance(missed.instead, Rejection):
            down.rejected.append(missed.instead)
            self.rejected.append(missed.instead)
        else:
            down.kept += missed.instead == "stored"
            down.cached += missed.instead == "cached"
