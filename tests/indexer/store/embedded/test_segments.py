"""Segments: searched like the catalogue they were made of, and never believed if damaged."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from indexer.arrays import Vectors, normalised
from indexer.config import IndexSettings
from indexer.maintenance.compaction import rebuild
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.segments import SegmentError, record_segment
from indexer.store.embedded.index import FILES, LiveView, factory, open_segment, write_segment
from indexer.store.embedded.store import EmbeddedStore
from tests.indexer.store.embedded.vectors import (
    FLAT,
    add,
    assert_same_answers,
    clustered,
    exact_view,
    remove,
    view_of,
    wide,
)

QUERIES = 20


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path, create=True)
    add(catalog, clustered(600))
    yield catalog
    catalog.close()


@pytest.fixture(scope="module", params=[16, 512])
def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Catalog, Vectors]]:
    """So many images that `auto` sorts them into lists and does not visit every list; queries.

    Short vectors are in the lists as they are, long ones as codes of one bit per dimension.
    """
    catalog = Catalog(tmp_path_factory.mktemp("large"), create=True)
    add(catalog, wide(clustered(25_000), request.param))
    kind = rebuild(catalog, IndexSettings()).kind
    assert kind == ("IVF158,Flat" if request.param == 16 else "RR,IVF158,RaBitQfs")
    yield catalog, wide(clustered(50, seed=9), request.param)
    catalog.close()


@pytest.mark.parametrize(
    "kind", ["flat", "Flat", "IVF8,Flat", "SQ8", "IVF8,SQfp16", "IVF8,RaBitQfs"]
)
def test_a_segment_of_any_kind_answers_as_the_catalogue_does(catalog: Catalog, kind: str) -> None:
    segment = rebuild(catalog, IndexSettings(type=kind))
    assert ("Flat" if kind == "flat" else kind) in segment.kind
    view, exact = view_of(catalog, LiveView()), exact_view(catalog)
    assert view.base is not None
    assert_same_answers(view, exact)
    assert_same_answers(view, exact, allowed=np.arange(601) % 7 == 0)


@pytest.mark.parametrize(
    ("kind", "images", "dimension", "expected"),
    [
        ("auto", 20_000, 512, "Flat"),
        ("auto", 40_000, 512, "RR,IVF200,RaBitQfs"),
        ("auto", 1_000_000, 512, "RR,IVF1000,RaBitQfs"),
        ("auto", 40_000, 64, "IVF200,Flat"),  # codes would be too coarse
        ("flat", 1_000_000, 512, "Flat"),
        ("IVF1024,SQ8", 1_000_000, 512, "IVF1024,SQ8"),
        ("IVF1024,RaBitQfs", 1_000_000, 64, "RR,IVF1024,RaBitQfs"),
        ("IVF1024,Flat", 1000, 512, "Flat"),  # too few to place so many lists
    ],
)
def test_the_kind_of_a_segment_follows_the_setting_the_images_and_their_dimension(
    kind: str, images: int, dimension: int, expected: str
) -> None:
    assert factory(kind, images, dimension) == expected


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 0.5, 0.1, 0.01])
def test_lists_find_nearly_all_that_comparing_with_everything_finds(
    large: tuple[Catalog, Vectors], share: float
) -> None:
    catalog, queries = large
    view, exact = view_of(catalog, LiveView()), exact_view(catalog)
    allowed = np.random.default_rng(1).random(25_001) < share
    same = [
        len(
            np.intersect1d(
                view.search(query[None], 10, allowed).ids,
                exact.search(query[None], 10, allowed).ids,
            )
        )
        for query in queries
    ]
    assert np.mean(same) / 10 >= 0.98


@pytest.mark.parametrize("share", [0.0005, 0.01, 0.1, 0.5])
def test_a_filtered_page_is_full_of_what_is_allowed(
    large: tuple[Catalog, Vectors], share: float
) -> None:
    catalog, queries = large
    view = view_of(catalog, LiveView())
    allowed = np.random.default_rng(1).random(25_001) < share
    allowed[0] = False  # no image has this id
    for query in queries[:QUERIES]:
        found = view.search(query[None], 50, allowed)
        assert len(found) == min(50, allowed.sum())
        assert allowed[found.ids].all()


@pytest.mark.parametrize("farthest", [300, 5000])
def test_a_page_is_full_even_if_all_that_is_allowed_is_far_away(
    large: tuple[Catalog, Vectors], farthest: int
) -> None:
    catalog, queries = large
    view, exact = view_of(catalog, LiveView()), exact_view(catalog)
    query = queries[:1]
    allowed = np.zeros(25_001, np.bool_)
    allowed[exact.search(-query, farthest).ids] = True
    found = view.search(query, 300, allowed)
    assert len(found) == 300
    assert allowed[found.ids].all()
    if farthest == 300:
        np.testing.assert_array_equal(found.ids, exact.search(query, 300, allowed).ids)


@pytest.mark.parametrize("kind", ["IVF8,RaBitQfs", "IVF8,Flat"])
def test_after_removals_ids_have_gaps_and_filters_still_name_the_right_images(
    catalog: Catalog, kind: str
) -> None:
    remove(catalog, *range(100, 600, 7))
    rebuild(catalog, IndexSettings(type=kind))
    view = view_of(catalog, LiveView())
    allowed = np.arange(500) % 3 == 0
    for query in clustered(QUERIES, seed=9):
        found = view.search(query[None], 10, allowed).ids
        assert len(found) == 10
        assert allowed[found].all()


def test_many_equal_vectors_are_found_in_the_order_of_their_ids(catalog: Catalog) -> None:
    (query,) = clustered(1, seed=3)
    add(catalog, np.repeat(query[None], 300, axis=0))  # more than the candidates of a page
    rebuild(catalog, IndexSettings(type="IVF8,RaBitQfs"))
    found = view_of(catalog, LiveView()).search(query[None], 20)
    assert found.ids.tolist() == list(range(601, 621))
    assert set(found.scores.tolist()) == {1.0}


def test_what_changed_since_a_segment_counts(catalog: Catalog) -> None:
    rebuild(catalog, FLAT)
    live = LiveView()
    view_of(catalog, live)
    add(catalog, clustered(30, seed=1))
    remove(catalog, 3, 4, 610)
    fresh = view_of(catalog, LiveView())
    for view in (fresh, view_of(catalog, live)):
        assert len(view) == 600 + 30 - 3
        assert_same_answers(view, exact_view(catalog))
    rebuild(catalog, FLAT)
    assert len(view_of(catalog, LiveView()).gone) == 0


def test_a_segment_is_taken_up_without_any_change_of_the_catalogue(catalog: Catalog) -> None:
    live = LiveView()
    before = view_of(catalog, live)
    rebuild(catalog, FLAT)
    with catalog.reader() as reader:
        live.refresh(reader)
    after = view_of(catalog, live)
    assert before.base is None
    assert after.base is not None
    assert after.version == before.version
    assert_same_answers(after, before)


def test_the_segment_before_is_deleted_and_searches_on_it_go_on(catalog: Catalog) -> None:
    first = rebuild(catalog, FLAT)
    live = LiveView()
    view = view_of(catalog, live)
    leftover = catalog.folder / "segment-unfinished.faiss"
    leftover.write_bytes(b"of a process that was killed")
    add(catalog, clustered(1, seed=1))
    second = rebuild(catalog, FLAT)
    assert list(catalog.folder.glob(FILES)) == [second.path] != [first.path]
    assert view.search(clustered(600)[:1], 1).ids.tolist() == [1]


def until_set(ended: threading.Event, errors: list[str], call: Callable[[], None]) -> None:
    """Calls again and again, whatever happens."""
    while not ended.is_set():
        try:
            call()
        except BaseException as error:
            errors.append(repr(error))


@pytest.mark.slow
def test_searches_during_many_rebuilds_see_no_error_and_no_mixture(catalog: Catalog) -> None:
    live, ended, errors = LiveView(), threading.Event(), list[str]()
    query = clustered(1)
    expected = view_of(catalog, live).search(query, 10).ids.tolist()

    def search() -> None:
        assert view_of(catalog, live).search(query, 10).ids.tolist() == expected

    def refresh() -> None:
        with catalog.reader() as reader:
            live.refresh(reader)

    threads = [
        threading.Thread(target=until_set, args=(ended, errors, call))
        for call in (search, search, refresh)
    ]
    for thread in threads:
        thread.start()
    for number in range(15):
        rebuild(catalog, IndexSettings(type="flat" if number % 2 else "IVF4,Flat"))
        add(catalog, -query)  # far from the query
    ended.set()
    for thread in threads:
        thread.join()
    assert not errors


def flip(path: Path, where: float) -> None:
    """Flips a bit of the byte at a share of the file's length."""
    data = bytearray(path.read_bytes())
    data[int(where * len(data))] ^= 1 << int(where * 1000) % 8
    path.write_bytes(data)


def cut(path: Path, share: float) -> None:
    os.truncate(path, int(share * path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], object]] = {
    **{f"flip at {where:.3f}": partial(flip, where=where) for where in np.linspace(0, 0.999, 30)},
    **{f"cut to {share}": partial(cut, share=share) for share in (0, 0.1, 0.999)},
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "missing": Path.unlink,
}


@pytest.mark.parametrize("kind", ["IVF4,Flat", "IVF4,RaBitQfs"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_segment_is_named_and_the_catalogue_answers(
    catalog: Catalog,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
    kind: str,
) -> None:
    segment = rebuild(catalog, IndexSettings(type=kind))
    damage(segment.path)
    with pytest.raises(SegmentError, match=segment.path.name):
        open_segment(segment).verify()
    store, exact = EmbeddedStore(catalog), exact_view(catalog)
    with caplog.at_level(logging.ERROR):
        answered = [everything(store) for _ in range(2)]
    assert segment.path.name in caplog.text
    assert set(store.index_sizes()) == {"segment", "added", "gone"}
    assert store.index_sizes()["segment"] == 0
    for answer in answered:
        assert answer in (None, exact.search(clustered(1), 600).ids.tolist())
    assert answered[1] is not None


def everything(store: EmbeddedStore) -> list[int] | None:
    """Returns all images, the nearest first; None if the segment is damaged."""
    try:
        with store.search_reader(attributes=False) as reader:
            found: list[int] = reader.view.search(clustered(1), 600).ids.tolist()
            return found
    except SegmentError:
        return None


def test_damaged_vectors_do_not_disturb_searches_that_read_others(catalog: Catalog) -> None:
    segment = rebuild(catalog, IndexSettings(type="SQ8"))
    query = clustered(600)[599:]
    expected = view_of(catalog, LiveView()).search(query, 1)
    flip(segment.path, 0)  # in the first vector
    index = open_segment(segment)
    assert index.vectors(expected.ids).tolist() == query.tolist()
    with pytest.raises(SegmentError, match="checksum of vectors"):
        index.vectors(np.array([1]))


def test_a_segment_of_the_former_layout_is_searched(catalog: Catalog) -> None:
    with catalog.writer() as writer, catalog.reader() as reader:
        record_segment(writer, write_segment(reader, "SQ8,RFlat"))
    assert view_of(catalog, LiveView()).base is not None
    assert_same_answers(view_of(catalog, LiveView()), exact_view(catalog))


def test_a_rebuild_replaces_a_damaged_segment(catalog: Catalog) -> None:
    flip(rebuild(catalog, FLAT).path, 0.5)
    live = LiveView()
    assert view_of(catalog, live).base is None
    rebuild(catalog, IndexSettings(type="IVF4,Flat"))
    with catalog.reader() as reader:
        live.refresh(reader)
    assert live.current.base is not None


def test_a_reader_whose_segment_was_deleted_meanwhile_takes_the_new_one(catalog: Catalog) -> None:
    rebuild(catalog, FLAT)
    live = LiveView()
    with catalog.reader() as early:
        assert early.seq  # the snapshot is taken now
        rebuild(catalog, IndexSettings(type="IVF4,Flat"))
        assert live.at(early) is None
    assert view_of(catalog, live).base is not None


def test_embeddings_of_another_kind_are_not_searched_with_the_old_segment(
    catalog: Catalog,
) -> None:
    rebuild(catalog, FLAT)
    live = LiveView()
    view_of(catalog, live)
    remove(catalog, *range(1, 601))
    other = normalised(np.random.default_rng(1).standard_normal((5, 4)))
    add(catalog, other, fingerprint="g")
    for view in (view_of(catalog, live), view_of(catalog, LiveView())):
        assert view.base is None
        assert view.search(other[:1], 1).ids.tolist() == [601]


def test_an_emptied_catalogue_has_an_empty_segment(catalog: Catalog) -> None:
    remove(catalog, *range(1, 601))
    assert rebuild(catalog, FLAT).images == 0
    add(catalog, clustered(1))
    assert view_of(catalog, LiveView()).search(clustered(1), 5).ids.tolist() == [601]
