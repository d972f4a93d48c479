"""Photos unlike their label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.audit.findings import Kind
from indexer.evaluation.labels import LabelsError
from indexer.store import Attributes
from tests.indexer.audit.conftest import audited, collection
from tests.indexer.store.memory import MemoryStore

NAMES = ("Hat", "Bag", "Shoe", "Belt")
OF_EACH = 20


def clusters(seed: int, wrong: set[int], photos: int = 1) -> tuple[MemoryStore, list[str]]:
    """Products in a cluster for each label; the numbers in `wrong` have the label of another."""
    random = np.random.RandomState(seed)
    centres = 4 * np.eye(len(NAMES), 16)
    vectors, products = {}, {}
    attributes: dict[str, Attributes] = {}
    for number in range(len(NAMES) * OF_EACH):
        label = number % len(NAMES)
        product_id = f"p{number:03}"
        products[product_id] = [f"{product_id}-{each}" for each in range(photos)]
        for name in products[product_id]:
            vectors[name] = centres[label] + random.normal(size=16) / 2
        given = NAMES[(label + (number in wrong)) % len(NAMES)]
        attributes[product_id] = {"category": given, "sku": product_id}
    return collection(products, vectors, attributes), [f"p{number:03}" for number in sorted(wrong)]


@settings(max_examples=10)
@given(st.integers(0, 100), st.sets(st.integers(0, len(NAMES) * OF_EACH - 1), max_size=2))
def test_swapped_labels_are_found_and_no_others(seed: int, wrong: set[int]) -> None:
    store, expected = clusters(seed, wrong)
    found = audited(store).findings[Kind.UNLIKE_LABEL]
    assert sorted(product for finding in found for product in finding.products) == expected


def test_the_finding_names_both_labels_and_shows_photos_of_the_other() -> None:
    store, _ = clusters(0, {0})
    (finding,) = audited(store).findings[Kind.UNLIKE_LABEL]
    assert finding.detail == "category Bag; looks like Hat"
    assert finding.values == {"label": "Bag", "looks_like": "Hat"}
    assert {int(image.product_id[1:]) % len(NAMES) for image in finding.similar} == {0}


def test_other_photos_of_the_product_do_not_vote_for_its_label() -> None:
    store, _ = clusters(0, {0}, photos=8)
    found = audited(store).findings[Kind.UNLIKE_LABEL]
    assert {product for finding in found for product in finding.products} == {"p000"}


def test_labels_of_few_photos_are_not_judged() -> None:
    store, _ = clusters(0, set())
    assert audited(store, label="sku").findings[Kind.UNLIKE_LABEL] == []


def test_without_the_default_label_a_note_says_so() -> None:
    store = collection({"a": ["x"]}, {"x": [1, 0]}, {"a": {"colour": "red"}})
    found = audited(store)
    assert found.label is None
    assert found.findings[Kind.UNLIKE_LABEL] == []
    assert "--label" in found.notes[0]


def test_products_without_the_label_are_counted_in_a_note() -> None:
    photos = {"a": ["x"], "b": ["y"]}
    vectors = {"x": [1, 0], "y": [0, 1]}
    store = collection(photos, vectors, {"a": {"category": "shoe"}})
    assert audited(store).notes == [
        "unlike_label: products not checked, because they have no category: 1"
    ]


def test_a_label_that_no_product_has_is_an_error() -> None:
    store = collection({"a": ["x"]}, {"x": [1, 0]}, {"a": {"colour": "red"}})
    with pytest.raises(LabelsError, match=r"no product has the attribute 'color'.*colour"):
        audited(store, label="color")
