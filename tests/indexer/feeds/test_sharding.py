"""The parts of a feed: every product is in one of them, whatever else is in the feed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import BadParameterError
from indexer.feeds import FeedRow, Rejection
from indexer.feeds.sharding import Shard


def _row(product_id: str) -> FeedRow:
    return FeedRow(product_id, {}, (), None, "feed")


@given(st.lists(st.text(min_size=1)), st.integers(1, 9), st.integers(0, 3))
def test_the_parts_of_a_feed_are_a_partition_in_its_order(
    ids: list[str], parts: int, bad: int
) -> None:
    rows = [_row(name) for name in ids] + [Rejection("feed", n, None, "") for n in range(bad)]
    shards = [list(Shard(part, parts).of(rows)) for part in range(1, parts + 1)]
    assert sorted(repr(row) for shard in shards for row in shard) == sorted(map(repr, rows))
    for shard in shards:
        assert shard == [row for row in rows if row in shard]


@given(st.text(min_size=1), st.lists(st.text(min_size=1)), st.integers(1, 9))
def test_where_a_product_belongs_depends_on_its_id_alone(
    product_id: str, others: list[str], parts: int
) -> None:
    for part in range(1, parts + 1):
        shard = Shard(part, parts)
        among = shard.of([_row(name) for name in [*others, product_id]])
        assert shard.has(product_id) == (product_id in {row.product_id for row in among})


def test_where_a_product_belongs_stays_the_same_in_later_versions() -> None:
    assert [n for n in range(40) if Shard(2, 8).has(f"p{n}")] == [12, 22, 23, 31, 38, 39]


@pytest.mark.parametrize(
    "text", ["", "2", "0/8", "9/8", "1/0", "-1/2", "1/2/3", "a/b", "1.5/2", "1 /2"]
)
def test_what_is_no_part_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(BadParameterError, match="1 <= PART <= PARTS"):
        Shard.parse(text)


def test_a_part_is_read_as_it_is_written() -> None:
    assert Shard.parse("2/8") == Shard(2, 8)
