"""Products that searches never, or too often, find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.audit import reachability as module
from indexer.audit.contents import Contents
from indexer.audit.findings import Kind
from indexer.audit.reachability import Pages
from tests.indexer.audit.conftest import audited, collection, contents_of, products, random_vectors


def ranked_plainly(contents: Contents, product: int, page: int) -> list[int]:
    own = contents.vectors[contents.photos_of(product)]
    best = {
        other: round(float((own @ contents.vectors[contents.photos_of(other)].T).max()), 5)
        for other in set(contents.owners.tolist()) - {product}
    }
    return sorted(best, key=lambda other: (-best[other], other))[:page]


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4, unique=True), min_size=1),
    st.integers(1, 8),
)
def test_pages_are_those_of_searches_by_product(photos: list[list[int]], page: int) -> None:
    """With products of several photos, and photos of several products."""
    vectors = dict(zip(map(str, range(31)), random_vectors(31), strict=True))
    store = collection(
        {f"{number:03}": [str(each) for each in own] for number, own in enumerate(photos)}, vectors
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "PAGE", page)
        contents, found = contents_of(store)
        pages = Pages.of(contents, found, lambda _: None)
    for product in range(len(photos)):
        listed = [other for other in pages.products[product].tolist() if other >= 0]
        assert listed == ranked_plainly(contents, product, page)
    counted = [sum(p in row for row in pages.products.tolist()) for p in range(len(photos))]
    assert pages.counts().tolist() == counted


def test_a_product_apart_from_all_others_is_never_found() -> None:
    vectors = {f"p{n:02}": [1, n / 1000, 0] for n in range(40)} | {"apart": [1, 0, 3]}
    found = audited(collection({name: [name] for name in vectors}, vectors))
    assert products(found.findings[Kind.NEVER_FOUND]) == [["apart"]]
    assert found.findings[Kind.NEVER_FOUND][0].score == pytest.approx(10**-0.5, abs=1e-3)


def test_of_products_with_one_photo_those_beyond_a_page_are_never_found() -> None:
    vectors = {"same": [1.0, 0.0]}
    found = audited(collection({f"p{n:02}": ["same"] for n in range(30)}, vectors))
    never = [product for (product,) in products(found.findings[Kind.NEVER_FOUND])]
    assert never == [f"p{n}" for n in range(21, 30)]


def test_a_product_near_all_others_is_found_too_often() -> None:
    """Many pairs of products, far from each other, and one product between all of them."""
    around = np.repeat(np.eye(300, 301), 1, axis=0)
    vectors = {f"p{n:03}": row for n, row in enumerate(around)}
    vectors["hub"] = np.append(np.ones(300), 0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "PAGE", 2)
        found = audited(collection({name: [name] for name in vectors}, vectors))
    first, *_ = found.findings[Kind.FOUND_TOO_OFTEN]
    assert first.products == ["hub"]
    assert first.score == pytest.approx(150)
    assert "300 products" in first.detail
