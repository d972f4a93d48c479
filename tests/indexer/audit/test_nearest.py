"""The nearest neighbours of blocks are those of all inner products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.audit import nearest as module
from indexer.audit.nearest import nearest
from tests.indexer.audit.conftest import random_vectors


@settings(max_examples=60)
@given(
    total=st.integers(1, 200),
    queries=st.integers(0, 40),
    k=st.integers(1, 250),
    block=st.integers(1, 2000),
)
def test_they_are_those_of_all_inner_products(total: int, queries: int, k: int, block: int) -> None:
    vectors, asked = random_vectors(total), random_vectors(queries + 1, seed=1)[:queries]
    done: list[int] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_BLOCK_CELLS", block)
        found = nearest(asked, vectors, k, done.append)
    scores = asked @ vectors.T
    expected = np.argsort(-scores, axis=1)[:, :k]
    np.testing.assert_allclose(
        found.scores, np.take_along_axis(scores, expected, axis=1), atol=1e-6
    )
    np.testing.assert_allclose(
        np.take_along_axis(scores, found.rows, axis=1), found.scores, atol=1e-6
    )
    assert all(len(set(row)) == len(row) for row in found.rows.tolist())
    assert found.complete == (k >= total)
    assert sum(done) == queries


def test_equal_ones_come_by_number() -> None:
    vectors = np.ones((50, 1), np.float32)
    assert nearest(vectors[:2], vectors, 50).rows.tolist() == [list(range(50))] * 2
