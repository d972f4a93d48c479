"""Recording and reporting: across processes, over time, and against a plain count."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.events import Event, EventsError, EventStore, Recorder, report
from indexer.events.recorder import _MAX_WAITING
from indexer.events.store import Query
from indexer.search import Answer
from tests.conftest import ROOT, Store
from tests.processes import cli

DAY = 86_400


@pytest.fixture
def events(store: Store) -> Iterator[EventStore]:
    events = EventStore(store.catalog.folder.parent)
    yield events
    events.close()


def query(name: str, *shown: tuple[str, float], first: int = 1, age: int = 0) -> Query:
    return Query(name, "default", int(time.time()) - age, "photo", first, shown)


def test_a_report_counts_ranks_clicks_and_what_no_one_saw(store: Store, events: EventStore) -> None:
    store.add(*(store.row(name, "red") for name in ("a", "b", "c", "unseen")))
    events.add_queries(
        [
            query("q1", ("a", 0.9), ("b", 0.8), ("c", 0.7)),
            query("q2", ("b", 0.4), ("a", 0.3)),
            query("q3"),
            query("page2", ("c", 0.2), first=3),
            query("old", ("unseen", 0.9), age=40 * DAY),
        ]
    )
    at = int(time.time())
    done = [Event("q1", "b", "click"), Event("q1", "c", "click"), Event("q2", "b", "click")]
    events.add_events([*done, Event("q1", "b", "cart"), Event("nowhere", "b", "click")], at)
    made = report(events, store.catalog, "default", days=30, below=0.5)
    assert made.queries == {"photo": 4, "product": 0}
    assert made.actions == {"click": 3, "cart": 1, "purchase": 0, "dismiss": 0}
    assert [(r.rank, r.shown, r.clicked) for r in made.ranks] == [(1, 2, 1), (2, 2, 1), (3, 2, 1)]
    assert made.mean_reciprocal_rank == pytest.approx((1 / 2 + 1 / 1) / 2)
    assert (made.never_shown, made.never_shown_examples) == (1, ["unseen"])
    assert made.without_good_match == 2
    assert report(events, store.catalog, "shoes", days=30, below=0.5).queries["photo"] == 0


def test_without_records_a_report_says_that_there_were_none(store: Store) -> None:
    store.add(store.row("a", "red"))
    made = report(
        EventStore(store.catalog.folder.parent), store.catalog, "default", days=1, below=0
    )
    assert (made.queries, made.ranks, made.never_shown) == ({"photo": 0, "product": 0}, [], 1)
    assert made.mean_reciprocal_rank is None


IDS = st.sampled_from("abcde")
PAGES = st.lists(
    st.tuples(st.lists(IDS, max_size=5, unique=True), st.integers(1, 9)), min_size=1, max_size=6
)
CLICKS = st.sets(st.tuples(st.integers(0, 7), IDS), max_size=10)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAGES, CLICKS)
def test_click_rates_and_ranks_are_those_of_a_plain_count(
    store: Store, pages: list[tuple[list[str], int]], clicks: set[tuple[int, str]]
) -> None:
    with TemporaryDirectory() as folder:
        events = EventStore(Path(folder))
        events.add_queries(
            query(str(n), *((name, 0.5) for name in page), first=first)
            for n, (page, first) in enumerate(pages)
        )
        events.add_events([Event(str(n), name, "click") for n, name in clicks], int(time.time()))
        made = report(events, store.catalog, "default", days=1, below=0)
        events.close()
    seen = [
        (n, first + i, name) for n, (page, first) in enumerate(pages) for i, name in enumerate(page)
    ]
    expected = {}
    for rank in range(1, 11):
        at_rank = [(n, name) for n, r, name in seen if r == rank]
        if at_rank:
            expected[rank] = (len(at_rank), len(clicks.intersection(at_rank)))
    assert {r.rank: (r.shown, r.clicked) for r in made.ranks} == expected
    best: dict[int, int] = {}
    for n, rank, name in seen:
        if (n, name) in clicks:
            best[n] = min(rank, best.get(n, rank))
    mean = sum(1 / rank for rank in best.values()) / len(best) if best else None
    assert made.mean_reciprocal_rank == (None if mean is None else pytest.approx(mean))


def test_what_is_too_old_is_deleted_and_the_rest_stays(events: EventStore) -> None:
    now = int(time.time())
    events.add_queries(
        [query(name, ("a", 0.5), age=age * DAY) for name, age in (("old", 91), ("new", 89))]
    )
    events.add_events([Event("old", "a", "click")], now - 91 * DAY)
    events.add_events([Event("new", "a", "click")], now - 89 * DAY)
    recorder = Recorder(events, keep_days=90)
    recorder.note(Answer("default"))
    recorder.stop()
    assert "old" not in str(events.select("SELECT query_id FROM queries"))
    assert events.select("SELECT query_id FROM events") == [("new",)]


def test_what_waits_is_written_at_the_end(events: EventStore) -> None:
    recorder = Recorder(events, keep_days=90)
    for _ in range(100):
        recorder.note(Answer("default"))
    recorder.stop()
    assert events.select("SELECT count(*) FROM queries") == [(100,)]


def test_searches_that_come_too_fast_are_left_out_and_that_is_logged(
    events: EventStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.events.recorder._INTERVAL_S", 60)
    recorder = Recorder(events, keep_days=90)
    for _ in range(_MAX_WAITING + 5):
        recorder.note(Answer("default"))
    recorder.flush()
    recorder.stop()
    assert events.select("SELECT count(*) FROM queries") == [(_MAX_WAITING,)]
    assert "5 searches are not recorded: too many at once" in caplog.text


def test_a_damaged_file_is_an_error_that_names_it(store: Store, events: EventStore) -> None:
    events.path.write_bytes(b"nothing of SQLite's" * 100)
    with pytest.raises(EventsError, match=r"events\.db"):
        report(events, store.catalog, "default", days=1, below=0)


def test_a_full_file_stays_at_its_limit_and_the_newest_rows_stay(tmp_path: Path) -> None:
    events, now = EventStore(tmp_path, max_mib=1), int(time.time())
    for number in range(40):
        events.add_queries([query(f"{number:032x}", *((f"{n:0128}", 0.5) for n in range(200)))])
    for number in range(30):
        name = f"{number:032x}"
        events.add_events([Event(name, f"{n:0512}", "click") for n in range(700)], now + number)
    events.close()  # which empties its log
    assert events.path.stat().st_size < 2 * 1024 * 1024  # the limit and a batch
    assert events.select("SELECT count(*) FROM queries") == [(0,)]
    newest = events.select("SELECT count(*) FROM events WHERE at = ?", now + 29)
    assert newest == [(700,)]
    events.close()


def test_a_file_that_is_above_a_new_limit_is_thinned_out(tmp_path: Path) -> None:
    events, now = EventStore(tmp_path), int(time.time())
    for number in range(20):
        name = f"{number:032x}"
        events.add_events([Event(name, f"{n:0512}", "click") for n in range(800)], now + number)
    events.close()
    recorder = Recorder(EventStore(tmp_path, max_mib=1), keep_days=90)
    recorder.flush()
    recorder.stop()
    ((oldest, count),) = events.select("SELECT min(at), count(*) FROM events")
    assert oldest > now
    assert 0 < count < 2000
    events.close()


WORKER = """
import sys, time
from pathlib import Path
from indexer.events import Event, EventStore, Recorder
from indexer.search import Answer, Match
from indexer.store import Image, Product
recorder = Recorder(EventStore(Path(sys.argv[1])), 90)
image = Image(1, "a", "a.png", "/a.png", "")
for number in range(50):
    answer = Answer("default", matches=[Match(Product("a", {}, (image,)), image, 0.5)])
    answer = recorder.note(answer)
    recorder.add([Event(answer.query_id, "a", "click")])  # before or after the query is written
"""


def test_several_processes_record_while_the_command_line_reports(store: Store) -> None:
    store.add(store.row("a", "red"))
    data_dir = store.catalog.folder.parent
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(data_dir)], cwd=ROOT) for _ in range(2)
    ]
    assert cli("report", "--json", data_dir=data_dir).code == 0
    assert [worker.wait() for worker in workers] == [0, 0]
    events = EventStore(data_dir)
    assert events.select("SELECT count(*) FROM queries JOIN events USING (query_id)") == [(100,)]
    events.close()
