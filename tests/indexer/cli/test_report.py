"""The report on the command line."""

import time

from indexer.events import Event, EventStore
from indexer.events.store import Query
from tests.indexer.cli.conftest import Shop


def test_a_report_reads_well_and_as_json(shop: Shop) -> None:
    assert shop.run("add", shop.feed({"a": "red", "b": "navy", "c": "green"})).code == 0
    events, now = EventStore(shop.data_dir), int(time.time())
    events.add_queries([Query("q", "default", now, "photo", 1, (("a", 0.9), ("b", 0.4)))])
    events.add_events([Event("q", "b", "click")], now)
    events.close()
    document = shop.run("report", "--json").json
    assert document["ranks"] == [
        {"rank": 1, "shown": 1, "clicked": 0},
        {"rank": 2, "shown": 1, "clicked": 1},
    ]
    assert (document["never_shown_examples"], document["mean_reciprocal_rank"]) == (["c"], 0.5)
    text = shop.run("report", "--below", "0.95").out
    for part in ("1 by photo", "1 click", "0.500", "match of 0.95  1", "100.0%"):
        assert part in text
    assert shop.run("report", "--days", "0").code == 2


def test_a_report_of_no_catalogue_fails(shop: Shop) -> None:
    assert shop.run("report").code == 1
