"""Statistics of the recorded searches and events."""

import time
from collections import Counter
from dataclasses import dataclass

from indexer.events.store import ACTIONS, EventStore
from indexer.store import Records

_RANKS = 10
_EXAMPLES = 10
_DAY_S = 86_400

_UNFOLDED = "queries q, json_each(q.shown) j WHERE q.collection = ? AND q.at >= ?"


@dataclass(frozen=True)
class Rank:
    """How often a result was shown at a rank, and how often it was clicked there."""

    rank: int
    shown: int
    clicked: int


@dataclass(frozen=True)
class Report:
    """Statistics of one collection. Ranks count from 1; events of unknown queries are ignored.

    Attributes:
        days: length of the period.
        queries: number of queries by kind.
        actions: number of events by action.
        ranks: impressions and clicks by rank.
        mean_reciprocal_rank: of the best click of each query with clicks; None without clicks.
        never_shown: number of products that no search showed.
        never_shown_examples: ids of some of them.
        below: threshold of a good match.
        without_good_match: number of queries with a best score under `below`.
    """

    days: int
    queries: dict[str, int]
    actions: dict[str, int]
    ranks: list[Rank]
    mean_reciprocal_rank: float | None
    never_shown: int
    never_shown_examples: list[str]
    below: float
    without_good_match: int


def report(
    store: EventStore, records: Records, collection: str, *, days: int, below: float
) -> Report:
    """Computes the statistics of the last `days`.

    Args:
        store: recorded searches and events.
        records: the products of the collection.
        collection: its name.
        days: length of the period.
        below: best scores under this count as no good match.

    Raises:
        EventsError: the records cannot be read.
    """
    of = collection, int(time.time()) - days * _DAY_S
    kinds = store.select(
        "SELECT kind, count(*) FROM queries WHERE collection = ? AND at >= ? GROUP BY 1", *of
    )
    actions = store.select(
        "SELECT action, count(*) FROM events JOIN queries q USING (query_id)"
        " WHERE collection = ? AND q.at >= ? GROUP BY 1",
        *of,
    )
    poor = store.select(
        "SELECT count(*) FROM queries WHERE collection = ? AND at >= ? AND first_rank = 1"
        " AND (best IS NULL OR best < ?)",
        *of,
        below,
    )
    clicks = _clicks(store, of)
    never = _never_shown(store, records, of)
    return Report(
        days=days,
        queries={"photo": 0, "product": 0, **dict(kinds)},
        actions={**dict.fromkeys(ACTIONS, 0), **dict(actions)},
        ranks=_ranks(store, of, clicks),
        mean_reciprocal_rank=_mean_reciprocal_rank(clicks),
        never_shown=len(never),
        never_shown_examples=never[:_EXAMPLES],
        below=below,
        without_good_match=poor[0][0] if poor else 0,
    )


def _clicks(store: EventStore, of: tuple[str, int]) -> list[tuple[str, int]]:
    """Returns the query id and the rank of each click."""
    return [
        (query_id, rank)
        for query_id, rank in store.select(
            # CROSS JOIN fixes the order: only queries with a click are unfolded.
            "SELECT e.query_id, q.first_rank + j.key FROM events e"
            " CROSS JOIN queries q USING (query_id) CROSS JOIN json_each(q.shown) j"
            " WHERE e.action = 'click' AND q.collection = ? AND q.at >= ?"
            " AND j.value = e.product_id",
            *of,
        )
    ]


def _ranks(store: EventStore, of: tuple[str, int], clicks: list[tuple[str, int]]) -> list[Rank]:
    clicked = Counter(rank for _, rank in clicks)
    shown = store.select(
        f"SELECT q.first_rank + j.key AS rank, count(*) FROM {_UNFOLDED}"  # noqa: S608
        " AND rank <= ? GROUP BY rank ORDER BY rank",
        *of,
        _RANKS,
    )
    return [Rank(rank, count, clicked[rank]) for rank, count in shown]


def _mean_reciprocal_rank(clicks: list[tuple[str, int]]) -> float | None:
    """Averages the reciprocal of the best clicked rank over queries with a click."""
    best: dict[str, int] = {}
    for query_id, rank in clicks:
        best[query_id] = min(rank, best.get(query_id, rank))
    return sum(1 / rank for rank in best.values()) / len(best) if best else None


def _never_shown(store: EventStore, records: Records, of: tuple[str, int]) -> list[str]:
    seen = store.select(f"SELECT DISTINCT j.value FROM {_UNFOLDED}", *of)  # noqa: S608
    with records.reader() as reader:
        never = set(reader.product_ids()).difference(product_id for (product_id,) in seen)
    return sorted(never)
