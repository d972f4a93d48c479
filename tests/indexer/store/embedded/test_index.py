"""Views: exact, immutable, and right after any changes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.arrays import Ids, Vectors, normalised
from indexer.store.embedded.index import FaissIndex, Hits, View

DIMENSION = 8


def random_vectors(count: int, seed: int = 0) -> Vectors:
    return normalised(np.random.default_rng(seed).standard_normal((count, DIMENSION)))


def numbers(first: int, count: int) -> Ids:
    return np.arange(first, first + count)


def sorted_cosines(queries: Vectors, ids: Ids, vectors: Vectors, k: int) -> Hits:
    """What a search must find, by comparing with everything in float64."""
    wide = vectors.astype(np.float64) / np.linalg.norm(vectors.astype(np.float64), axis=1)[:, None]
    scores = (wide @ normalised(queries).astype(np.float64).T).max(axis=1)
    best = np.lexsort((ids, -scores))[:k]
    return Hits(ids[best], scores[best])


def assert_same(found: Hits, expected: Hits) -> None:
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-7)
    np.testing.assert_array_equal(found.ids, expected.ids)


changes = st.lists(st.tuples(st.integers(0, 30), st.sets(st.integers(1, 120))), max_size=8)


@given(changes=changes, k=st.integers(1, 50), restricted=st.booleans())
@settings(max_examples=150, deadline=None)
def test_after_any_changes_a_view_finds_what_comparing_with_everything_finds(
    changes: list[tuple[int, set[int]]], k: int, restricted: bool
) -> None:
    view, present, last = View(), dict[int, np.ndarray](), 0
    for seq, (count, unwanted) in enumerate(changes, start=1):
        removed = np.array(sorted(unwanted & set(present)), np.int64)
        ids, vectors = numbers(last + 1, count), random_vectors(count, seq)
        view = view.advanced(seq, ids, vectors, removed)
        present |= dict(zip(ids.tolist(), vectors, strict=True))
        present = {i: v for i, v in present.items() if i not in removed}
        last += count
    allowed = np.arange(last) % 3 > 0 if restricted else None  # the last id is past its end
    wanted = [i for i in present if allowed is None or (i < last and allowed[i])]
    queries = random_vectors(2, seed=99)
    found = view.search(queries, k, allowed)
    stored = np.array([present[i] for i in wanted], np.float32).reshape(-1, DIMENSION)
    assert_same(found, sorted_cosines(queries, np.array(wanted, np.int64), stored, k))
    assert (len(view), view.seq) == (len(present), len(changes))


def test_equal_scores_are_in_the_order_of_their_ids() -> None:
    vectors = np.repeat(random_vectors(1), 6, axis=0)
    view = View().advanced(1, numbers(1, 3), vectors[:3]).advanced(2, numbers(4, 3), vectors[3:])
    assert view.search(vectors[:1], 4).ids.tolist() == [1, 2, 3, 4]


@given(others=st.integers(0, 40), k=st.integers(50, 60))
@settings(max_examples=60, deadline=None)
def test_equal_vectors_have_equal_scores_whatever_else_is_found(others: int, k: int) -> None:
    vectors = np.repeat(random_vectors(1, seed=others), 4, axis=0)
    view = View().advanced(1, numbers(1, 2), vectors[:2])
    view = view.advanced(2, numbers(3, others), random_vectors(others, seed=5))
    view = view.advanced(3, numbers(100, 2), vectors[2:])
    found = view.search(vectors[:1] + random_vectors(1, seed=7), k)
    (places,) = np.isin(found.ids, [1, 2, 100, 101]).nonzero()
    assert found.ids[places].tolist() == [1, 2, 100, 101]
    assert len(set(found.scores[places].tolist())) == 1


def test_a_vector_has_the_score_one_with_itself() -> None:
    vectors = random_vectors(500)
    view = View().advanced(1, numbers(1, 500), vectors)
    assert {view.search(vector[None], 1).scores[0] for vector in vectors} == {1.0}


def test_a_view_stays_as_it_is_when_there_is_a_later_one() -> None:
    vectors = random_vectors(5)
    before = View().advanced(1, numbers(1, 5), vectors)
    after = before.advanced(2, numbers(6, 1), vectors[:1], np.array([1]))
    assert before.search(vectors[:1], 1).ids.tolist() == [1]
    assert after.search(vectors[:1], 1).ids.tolist() == [6]


def test_many_small_changes_leave_few_parts() -> None:
    view = View()
    for i in range(1, 501):
        view = view.advanced(i, numbers(i, 1), random_vectors(1, i))
    assert len(view.parts) <= 6
    assert len(view) == 500


def test_nothing_to_find_is_an_empty_answer() -> None:
    query, nothing = random_vectors(1), np.zeros(10, np.bool_)
    assert len(View().search(query, 5)) == 0
    view = View().advanced(1, numbers(1, 5), random_vectors(5))
    assert len(view.search(query, 5, nothing)) == 0
    emptied = view.advanced(2, numbers(6, 0), random_vectors(0), numbers(1, 5))
    assert len(emptied.search(query, 5)) == 0


def test_searches_from_many_threads_find_what_one_finds() -> None:
    view = View().advanced(1, numbers(1, 2000), random_vectors(2000))
    allowed = np.arange(2001) % 2 == 0
    queries = random_vectors(64, seed=1)

    def search(row: int) -> Hits:
        return view.search(queries[row : row + 1], 10, allowed if row % 2 else None)

    with ThreadPoolExecutor(8) as pool:
        for row, found in enumerate(pool.map(search, range(64))):
            assert_same(found, search(row))


def test_ids_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        FaissIndex.flat(np.array([1, 1]), random_vectors(2))
