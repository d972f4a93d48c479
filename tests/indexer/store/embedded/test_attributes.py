"""Columns of attributes: of exactly the seq that is searched, and never from damaged rows."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from indexer.errors import BadParameterError, DamagedError
from indexer.search import SearchParameters
from indexer.store import FacetCount, NewImage, PutProduct, parse
from indexer.store.embedded.attributes import LiveTable, Table, column
from indexer.store.embedded.catalog import attributes
from indexer.store.embedded.catalog.checksums import register_checksum
from tests.conftest import Store

VECTOR = np.array([1, 0], np.float32)


def put(store: Store, first: int, count: int, **labels: Any) -> None:
    with store.catalog.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=2)
        writer.put(
            PutProduct(
                f"p{n}",
                {name: value(n) if callable(value) else value for name, value in labels.items()},
                (NewImage("u", "u", f"h{n}", VECTOR),),
            )
            for n in range(first, first + count)
        )


def table_of(store: Store, live: LiveTable | None = None) -> Table:
    with store.catalog.reader() as reader:
        table = (live or LiveTable()).at(reader)
    assert table is not None
    return table


def found(table: Table, condition: str) -> int:
    return int(np.count_nonzero(table.having(parse(condition)) & table.everything))


def facet(table: Table, name: str, limit: int) -> list[FacetCount]:
    return table.facet(name, table.counts(name, table.everything), limit)


def test_many_different_values_are_filtered_by_but_not_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column, "MAX_LABELS", 100)
    monkeypatch.setattr(attributes, "_PER_CHUNK", 50)
    many = 600
    labels: dict[str, Callable[[int], object]] = {
        "title": lambda n: f"Title {n}",
        "weight": lambda n: n / 2,
        "size": lambda n: f"{n}",
        "mixed": lambda n: n if n % 3 else n % 2 == 0 if n % 2 else f'["{n}", "both"]',
        "color": lambda n: "red" if n % 2 else "blue",
    }
    put(store, 0, many, **labels)
    live = LiveTable()
    table = table_of(store, live)
    for _ in range(2):
        assert found(table, f"title:title 7,TITLE {many - 1}") == 2
        assert found(table, "weight<5") == 10
        assert found(table, "size<5") == 5
        assert found(table, "size:005") == 0
        assert found(table, "mixed:both") == len(range(0, many, 6))
        assert [(f.value, f.count) for f in facet(table, "color", 9)] == [
            ("blue", many // 2),
            ("red", many // 2),
        ]
        assert table.distinct("title", table.everything) == many
        with pytest.raises(BadParameterError, match="too many different values"):
            facet(table, "title", 9)
        # So many changes that all is put together anew.
        put(store, 0, many // 3)
        put(store, 0, many // 3, **labels)
        table = table_of(store, live)
        assert len(table.blocks) == 1


def test_single_changes_make_few_blocks(store: Store) -> None:
    put(store, 0, 500, color="red")
    live = LiveTable()
    for n in range(100):
        put(store, n % 30, 1, color=f"c{n}")
        table = table_of(store, live)
        assert found(table, f"color:c{n}") == 1
    assert len(table.blocks) < 10
    assert sum(map(len, table.blocks)) < 700
    assert len(table) == 500


DAMAGES = {
    "an attribute": "UPDATE products SET attributes = replace(attributes, 'red', 'rad')",
    "the owner of an image": "UPDATE images SET product_id = 'p1' WHERE product_id = 'p0'",
    "a product": "DELETE FROM products WHERE product_id = 'p0'",
    "an image": "DELETE FROM images WHERE product_id = 'p0'",
    "a change": "UPDATE journal SET product_id = 'p9' WHERE seq = 5",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_is_filtered_by_what_is_damaged(store: Store, damage: str) -> None:
    put(store, 0, 2, color="red")
    live = LiveTable()
    if damage == "a change":
        table_of(store, live)
        put(store, 0, 1, color="green")
    database = sqlite3.connect(store.catalog.path)
    register_checksum(database)
    for trigger in ("product_removed", "image_removed"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute(DAMAGES[damage])
    database.commit()
    database.close()
    with pytest.raises(DamagedError):
        table_of(store, live)


def test_a_gap_in_the_journal_is_no_damage(store: Store) -> None:
    put(store, 0, 3, color="red")
    live = LiveTable()
    table_of(store, live)
    with store.catalog.writer() as writer:
        writer.advance_past(store.catalog.high_water_mark.read()._replace(seq=100))  # type: ignore[union-attr]
    put(store, 0, 1, color="green")
    assert found(table_of(store, live), "color:green") == 1


def test_every_search_beside_changes_reads_one_state(store: Store) -> None:
    """Whoever writes keeps `price` the same in all products; a filter never finds fewer."""
    put(store, 0, 20, price=0)
    stopped = threading.Event()
    problems: list[object] = []

    def search() -> None:
        while not stopped.is_set():
            parameters = SearchParameters(filter=["price>=0"], facets=["price"], limit=50)
            answer = store.searcher.by_product("p0", parameters, include_itself=True)
            prices = {match.product.attributes["price"] for match in answer.matches}
            counts = [(count.value, count.count) for count in answer.facets["price"]]
            if len(answer.matches) != 20 or counts != [(price, 20) for price in prices]:
                problems.append((answer.seq, prices, counts))

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for price in range(1, 15):
        put(store, 0, 20, price=price)
        store.searcher.store.refresh()
    stopped.set()
    for thread in threads:
        thread.join()
    assert problems == []


def test_the_most_frequent_values_are_counted_whatever_their_spelling(store: Store) -> None:
    # Value v comes v times, the even ones in capitals half of the time.
    values = [f"v{v}" if n % 2 or v % 2 else f"V{v}" for v in range(1, 40) for n in range(v)]
    put(store, 0, len(values), color=lambda n: values[n])
    table = table_of(store)
    counts = facet(table, "color", 10)
    assert [(str(f.value).lower(), f.count) for f in counts] == [
        (f"v{v}", v) for v in range(39, 29, -1)
    ]


def test_a_product_is_counted_as_long_as_it_has_a_photo(store: Store) -> None:
    put(store, 0, 20, color="red", sizes='["36", "37"]')
    live = LiveTable()
    table_of(store, live)
    with store.catalog.writer() as writer:
        writer.put([PutProduct("p0", {"color": "red"}, ())])
        writer.remove(["p1", "p2"])
    put(store, 1, 1, color="green")
    table = table_of(store, live)
    assert len(table) == 18
    counts = facet(table, "color", 9)
    assert [(count.value, count.count) for count in counts] == [("red", 17), ("green", 1)]
    assert (found(table, "sizes:37"), found(table, "!sizes:37")) == (17, 1)
    assert table.distinct("sizes", table.everything) == 2


def test_counts_tell_true_from_one_however_blocks_are_merged(store: Store) -> None:
    values = [True, 1, "true", "1"]
    put(store, 0, 40, new=lambda n: values[n % 4])
    live = LiveTable()
    for _ in range(2):
        table = table_of(store, live)
        assert len(table.blocks) == 1
        counts = facet(table, "new", 9)
        assert sorted((str(count.value), count.count) for count in counts) == [
            ("1", 10),
            ("1", 10),
            ("True", 20),
        ]
        put(store, 0, 20, new="else")
        table_of(store, live)
        put(store, 0, 20, new=lambda n: values[n % 4])
