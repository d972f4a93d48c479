"""What a run did, or would do."""

from dataclasses import dataclass, field

from indexer.feeds import ImageRef, Rejection, RowWarning
from indexer.fetch import host_of
from indexer.store import Outcome


@dataclass(frozen=True)
class Missed:
    """A photo whose server is down. There is no rejection where the stored photo is kept."""

    ref: ImageRef
    reason: str
    rejection: Rejection | None


@dataclass
class HostDown:
    """A photo server that failed. Photos of it that are stored already were kept as they are.

    Attributes:
        reason: of the last failure.
        photos: how many could not be read.
        kept: how many of these are stored for the same product and URL.
        rejected: what that cost of the feed.
    """

    host: str
    reason: str = ""
    photos: int = 0
    kept: int = 0
    rejected: list[Rejection] = field(default_factory=list)


@dataclass
class Report:
    """What a run did, or with `dry_run` would do. Product ids, in the order of the feed.

    `not_removed` are not in the feed, but rejected rows of unknown id may be theirs. `refused` says
    why `sync` would not do what `plan` has found.
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
        """Counts a photo that was not read because its server is down."""
        host = host_of(missed.ref.location)
        down = self.hosts_down.setdefault(host, HostDown(host))
        down.reason = missed.reason
        down.photos += 1
        if missed.rejection is None:
            down.kept += 1
        else:
            down.rejected.append(missed.rejection)
            self.rejected.append(missed.rejection)
