"""Judgements: the last one counts, none is lost, and they go to a file and back."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import BadParameterError
from indexer.events import (
    GRADES,
    Event,
    EventStore,
    Grade,
    RatedQuery,
    Rating,
    RatingsError,
    RatingsFullError,
    RatingStore,
    rater_name,
)
from indexer.events.rating_files import RatingsFileError, read_ratings, write_ratings

BOOT = RatedQuery("product", "boot")
PHOTO = RatedQuery("photo", "ab" * 32)


@pytest.fixture
def ratings(tmp_path: Path) -> Iterator[RatingStore]:
    store = RatingStore(tmp_path, max_mib=1)
    yield store
    store.close()


def rating(
    product_id: str = "shoe",
    grade: Grade | None = "match",
    *,
    query: RatedQuery = BOOT,
    rater: str = "ab",
    at: int = 1_000,
) -> Rating:
    return Rating(query, product_id, rater, grade, at)


RATINGS = st.lists(
    st.builds(
        Rating,
        query=st.sampled_from([BOOT, PHOTO, RatedQuery("product", PHOTO.id)]),
        product_id=st.sampled_from(["shoe", 'a "b",\r\nc', "ß/1"]),
        rater=st.sampled_from(["ab", "cd"]),
        grade=st.sampled_from([*GRADES, None]),
        at=st.integers(0, 2**32),
    ),
    max_size=30,
)


@settings(max_examples=50)
@given(st.lists(RATINGS, max_size=4))
def test_of_any_judgements_the_last_of_each_rater_counts(requests: list[list[Rating]]) -> None:
    expected: dict[tuple[RatedQuery, str, str], Grade | None] = {}
    with TemporaryDirectory() as folder:
        store = RatingStore(Path(folder))
        for request in requests:
            store.add(request)
            for each in request:
                key = (each.query, each.product_id, each.rater)
                if each.grade is not None or key in expected:
                    expected[key] = each.grade
        stored = list(store.all())
        assert {(r.query, r.product_id, r.rater): r.grade for r in stored} == expected
        for query in (BOOT, PHOTO):
            own = {
                p: grade
                for (q, p, rater), grade in expected.items()
                if (q, rater) == (query, "ab") and grade is not None
            }
            assert store.grades(query, "ab") == own
        file = Path(folder, "ratings.csv")
        assert write_ratings(file, stored) == len(stored)
        assert list(read_ratings(file)) == stored
        store.close()


def test_judgements_are_seen_by_other_processes_and_after_a_restart(
    ratings: RatingStore, tmp_path: Path
) -> None:
    ratings.add([rating()])
    other = RatingStore(tmp_path)
    assert other.grades(BOOT, "ab") == {"shoe": "match"}
    other.add([rating(grade="wrong")])
    other.close()
    assert ratings.grades(BOOT, "ab") == {"shoe": "wrong"}


def test_a_correction_counts_although_the_clock_was_set_back(ratings: RatingStore) -> None:
    ratings.add([rating(at=2_000)])
    ratings.add([rating(grade="wrong", at=1_000)])
    assert list(ratings.all()) == [rating(grade="wrong", at=2_000)]


def test_an_import_brings_back_what_is_lost_and_replaces_nothing_newer(
    ratings: RatingStore,
) -> None:
    ratings.add([rating("corrected", "similar", at=2_000), rating("old", "wrong", at=500)])
    backup = [rating(name, at=1_000) for name in ("corrected", "lost", "old")]
    ratings.merge(backup)
    ratings.merge(backup)
    expected = {"corrected": "similar", "lost": "match", "old": "match"}
    assert ratings.grades(BOOT, "ab") == expected


def test_an_import_does_not_bring_back_what_was_withdrawn_later(
    ratings: RatingStore, tmp_path: Path
) -> None:
    ratings.add([rating(at=1_000)])
    write_ratings(tmp_path / "before.csv", ratings.all())
    ratings.add([rating(grade=None, at=2_000)])
    write_ratings(tmp_path / "after.csv", ratings.all())
    ratings.merge(read_ratings(tmp_path / "before.csv"))
    assert ratings.grades(BOOT, "ab") == {}
    (tmp_path / "other").mkdir()
    other = RatingStore(tmp_path / "other")
    other.merge(read_ratings(tmp_path / "after.csv"))
    other.merge(read_ratings(tmp_path / "before.csv"))
    assert other.grades(BOOT, "ab") == {}
    other.close()


def test_a_reader_does_not_wait_for_a_writer(ratings: RatingStore, tmp_path: Path) -> None:
    ratings.add([rating()])
    other = sqlite3.connect(tmp_path / "ratings.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    blocked = Thread(target=ratings.add, args=([rating(grade="wrong")],))
    blocked.start()
    assert ratings.grades(BOOT, "ab") == {"shoe": "match"}
    assert blocked.is_alive()
    other.execute("ROLLBACK")
    other.close()
    blocked.join()
    assert ratings.grades(BOOT, "ab") == {"shoe": "wrong"}


def test_raters_go_on_during_an_import(ratings: RatingStore, tmp_path: Path) -> None:
    other = RatingStore(tmp_path)

    def backup() -> Iterator[Rating]:
        for number in range(25_000):
            if number == 20_500:  # between two transactions
                other.add([rating("meanwhile")])
            yield rating(str(number))

    ratings.merge(backup())
    other.close()
    assert len(ratings.grades(BOOT, "ab")) == 25_001


def test_a_full_file_refuses_new_judgements_and_keeps_and_corrects_the_others(
    ratings: RatingStore,
) -> None:
    def batch(number: int, grade: Grade | None) -> list[Rating]:
        return [rating(f"{number}-{place:0500}", grade) for place in range(200)]

    for number in range(3):
        ratings.add(batch(number, "match"))
    large = [each for number in range(3, 20) for each in batch(number, "match")]
    with pytest.raises(RatingsFullError, match=r"ratings\.max_mib"):
        ratings.add(large)
    assert len(list(ratings.all())) == 600
    ratings.add(batch(0, "wrong"))
    assert set(ratings.grades(BOOT, "ab").values()) == {"match", "wrong"}
    ratings.add(batch(1, None))
    assert len(ratings.grades(BOOT, "ab")) == 400


def test_a_file_that_is_no_database_is_an_error_that_names_it(
    ratings: RatingStore, tmp_path: Path
) -> None:
    (tmp_path / "ratings.db").write_bytes(b"not a database" * 100)
    with pytest.raises(RatingsError, match=r"ratings\.db"):
        ratings.add([rating()])


def test_the_case_and_the_unicode_form_of_a_name_make_no_other_rater() -> None:
    assert rater_name(" AB ") == rater_name("ab")
    assert rater_name("Zoe\u0308") == rater_name("zo\u00eb")


def test_deleting_all_events_deletes_no_judgement(ratings: RatingStore, tmp_path: Path) -> None:
    events = EventStore(tmp_path, max_mib=1)
    events.add_events([Event("0" * 32, "shoe", "click")], at=1_000)
    ratings.add([rating()])
    events.purge(before=2**40)
    events.close()
    events.path.unlink()
    assert list(ratings.all()) == [rating()]


HEADER = "query_product_id,query_photo,product_id,grade,rater,rated_at"
LINE = "boot,,shoe,match,ab,2026-01-31T12:00:00+00:00"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("boot,,shoe,match,ab", "must have 6 columns"),
        (f"{LINE},more", "must have 6 columns"),
        (LINE.replace("boot,", f"boot,{PHOTO.id}"), "one of query_product_id and query_photo"),
        (LINE.replace("boot", ""), "one of query_product_id and query_photo"),
        (LINE.replace("boot,", ",xy"), "received 'xy'; must be a SHA-256"),
        (LINE.replace("match", "good"), "received 'good'; must be wrong, similar, match"),
        (LINE.replace("shoe", ""), "must have 1 to 512 characters"),
        (LINE.replace("shoe", "x" * 513), "must have 1 to 512 characters"),
        (LINE.replace("ab", "<b>"), "rater: received '<b>'; must be a name"),
        (LINE.replace("2026", "26"), "rated_at: received '26-01"),
        (LINE.replace("+00:00", ""), "rated_at: received '2026-01-31T12:00:00'"),
    ],
)
def test_a_wrong_line_of_a_file_is_named_and_the_reason(
    tmp_path: Path, line: str, expected: str
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(f"{HEADER}\n{LINE}\n{line}\n")
    with pytest.raises(RatingsFileError, match="line 3: ") as error:
        list(read_ratings(file))
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(",", "utf-8-sig"), (";", "utf-8"), ("\t", "utf-16")]
)
def test_a_file_that_a_spreadsheet_has_saved_is_read(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(f"{HEADER}\n{LINE}\n".replace(",", delimiter), encoding=encoding)
    assert [each.product_id for each in read_ratings(file)] == ["shoe"]


def test_a_file_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(RatingsFileError, match=r"gone\.csv: does not exist"):
        list(read_ratings(tmp_path / "gone.csv"))


@pytest.mark.parametrize("text", ["", "id,title\n", "\xff", "x" * 200_000])
def test_a_file_of_something_else_is_neither_read_nor_overwritten(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "ratings.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(RatingsFileError):
        list(read_ratings(file))
    with pytest.raises(BadParameterError, match="not a file of ratings"):
        write_ratings(file, [])
