"""Photos that several products have."""

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.audit.copies import MAX_BITS, SAME, SIMILAR, near_duplicates, shared_photos
from indexer.audit.findings import Kind
from tests.indexer.audit.conftest import (
    audited,
    collection,
    contents_of,
    products,
    random_vectors,
)


def near(cosine: float) -> list[float]:
    """A vector with this cosine to [1, 0, 0]."""
    return [cosine, (1 - cosine**2) ** 0.5, 0]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True),
            st.sampled_from(["", "g", "h"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_photo_is_shared_if_products_that_are_no_variants_have_it(
    shop: list[tuple[list[int], str]],
) -> None:
    store = collection(
        {f"p{n:02}": [str(each) for each in own] for n, (own, _) in enumerate(shop)},
        dict(zip("0123456", random_vectors(7), strict=True)),
        {f"p{n:02}": {"item_group_id": group} for n, (_, group) in enumerate(shop) if group},
    )
    owners: dict[str, list[str]] = {}
    families: dict[str, set[str]] = {}
    for number, (own, group) in enumerate(shop):
        for each in map(str, own):
            owners.setdefault(each, []).append(f"p{number:02}")
            families.setdefault(each, set()).add(group or f"p{number}")
    expected = Counter(tuple(owners[each]) for each in owners if len(families[each]) > 1)
    found = shared_photos(contents_of(store)[0])
    assert Counter(tuple(each) for each in products(found)) == expected
    assert [finding.score for finding in found] == sorted(
        (len(each) for each in expected.elements()), reverse=True
    )


def test_a_shared_photo_names_the_different_categories() -> None:
    store = collection(
        {"a": ["x"], "b": ["x"]},
        {"x": [1, 0]},
        {"a": {"category": "Hat"}, "b": {"category": "Bag"}},
    )
    (finding,) = audited(store).findings[Kind.SHARED_PHOTO]
    assert finding.detail == "2 products with different values of category: Hat, Bag"


def test_near_duplicates_of_different_products_are_grouped() -> None:
    vectors: dict[str, list[float]] = {
        "x": [1, 0, 0],
        "x2": near(0.9995),
        "x3": near(0.998),
        "y": [0, 0, 1],
        "variant": [0, 0.01, 1],
    }
    store = collection(
        {"a": ["x"], "b": ["x2"], "c": ["x3"], "d": ["y"], "e": ["variant"]},
        vectors,
        {"d": {"item_group_id": 7}, "e": {"item_group_id": "7"}},
    )
    (group,) = audited(store).findings[Kind.NEAR_DUPLICATE]
    assert group.products == ["a", "b", "c"]
    assert round(group.score, 4) == 0.9995


def test_hashes_tell_copies_from_products_that_look_alike() -> None:
    alike = (SIMILAR + SAME) / 2
    store = collection({"a": ["x"], "b": ["y"]}, {"x": [1, 0, 0], "y": near(alike)})
    contents, found = contents_of(store)
    bits = 2**63 - 1
    close, far = bits ^ (2**MAX_BITS - 1), bits ^ (2 ** (MAX_BITS + 1) - 1)
    assert products(near_duplicates(contents, found, {0: bits, 1: close})) == [["a", "b"]]
    assert near_duplicates(contents, found, {0: bits, 1: far}) == []
    assert near_duplicates(contents, found, {}) == []


def test_an_exact_copy_is_no_near_duplicate() -> None:
    store = collection({"a": ["x"], "b": ["x"]}, {"x": [1, 0]})
    assert audited(store).findings[Kind.NEAR_DUPLICATE] == []


def test_a_photo_with_a_near_duplicate_is_found_whatever_the_number_of_copies() -> None:
    vectors = {f"x{n}": [1, n / 1e5, 0] for n in range(100)}
    store = collection({f"p{n:02}": [f"x{n}"] for n in range(100)}, vectors)
    (group,) = audited(store).findings[Kind.NEAR_DUPLICATE]
    assert len(group.products) == 100


def test_a_product_without_a_photo_is_found() -> None:
    store = collection({"a": ["x"], "bare": []}, {"x": [1, 0]})
    found = audited(store)
    assert products(found.findings[Kind.NO_PHOTO]) == [["bare"]]
    assert found.products == 2
    empty = collection({"bare": []}, {"x": np.ones(2)})
    assert products(audited(empty).findings[Kind.NO_PHOTO]) == [["bare"]]
