"""What conditions select is remembered, in limited memory, until products change."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from indexer.arrays import Vector
from indexer.store import AttributeValue, NewImage, PutProduct, Selection, parse
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.memo import Memo
from indexer.store.embedded.store import EmbeddedStore

PRODUCTS = 60
RED = [parse("color:red")]


def vector(number: int) -> Vector:
    drawn = np.random.default_rng(number).standard_normal(8)
    scaled: Vector = (drawn / np.linalg.norm(drawn)).astype(np.float32)
    return scaled


def made(number: int, **attributes: AttributeValue) -> PutProduct:
    image = NewImage("u", "u", f"h{number}", vector(number))
    return PutProduct(f"p{number}", attributes, (image,))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """Every sixth product is red, sizes are lists, and every product has a price of its own."""
    store = EmbeddedStore(Catalog(tmp_path, create=True))
    with store.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=8)
        writer.put(
            made(
                n,
                color="red" if n % 6 == 0 else f"blue {n % 2}",
                size=f'["{n % 3}", "{n % 5}"]' if n % 2 else f"{n % 3}",
                price=n,
            )
            for n in range(PRODUCTS)
        )
    yield store
    store.close()


def answer(selection: Selection, names: tuple[str, ...] = ("color", "size")) -> list[object]:
    found = selection.nearest(vector(0)[None], PRODUCTS)
    parts = selection.split([parse("price<30"), parse("color:red")])
    return [
        selection.total,
        list(found.product_ids),
        [selection.facet(name, 50) for name in names],
        [selection.distinct(name) for name in names],
        {m: (p.total, list(p.nearest(vector(0)[None], PRODUCTS).product_ids)) for m, p in parts},
    ]


@pytest.mark.parametrize(
    "changed",
    [
        made(1, color="red", size="9", price=1),
        made(PRODUCTS, color="red", size="9", price=3),
        made(0, color="blue 0", size="9", price=3),
    ],
    ids=["a product becomes red", "a red product is added", "a product is not red any more"],
)
def test_a_repeated_filter_shows_a_change_at_once(shop: EmbeddedStore, changed: PutProduct) -> None:
    with shop.search_reader(attributes=True) as reader:
        before = answer(reader.select(RED))
        assert answer(reader.select(RED)) == before
    with shop.writer() as writer:
        writer.put([changed])
    with shop.search_reader(attributes=True) as reader:
        after = answer(reader.select(RED))
    with EmbeddedStore(shop.catalog).search_reader(attributes=True) as reader:
        assert after == answer(reader.select(RED)) != before


@pytest.mark.parametrize("texts", [[], ["color:red"], ["!color:red"], ["price>55"]])
def test_excluded_products_are_neither_found_nor_counted(
    shop: EmbeddedStore, texts: list[str]
) -> None:
    conditions = [parse(text) for text in texts]
    with shop.search_reader(attributes=True) as reader:
        everything = reader.select(conditions)
        all_ids = list(everything.nearest(vector(0)[None], PRODUCTS).product_ids)
        for excluded in (["p0"], ["p1"], ["p57", "p12"], [f"p{n}" for n in range(30)]):
            rest = [each for each in all_ids if each not in excluded]
            # `only` counts the rows of its products, and remembers nothing.
            expected = answer(everything.only(rest))
            assert answer(reader.select(conditions, excluded)) == expected


def test_the_memory_of_remembered_values_is_limited() -> None:
    memo = Memo(max_bytes=100_000)
    for number in range(1000):
        assert memo.get(number, partial(str, number), len) == str(number)
        assert memo.get(0, lambda: "computed again", len) == "0"  # used, hence kept
        assert 0 < memo.bytes <= 100_000
    assert memo.get(999, lambda: "new", len) == "999"
    assert memo.get(1, lambda: "new", len) == "new"


def test_a_value_above_the_limit_is_returned_but_not_kept() -> None:
    memo = Memo(max_bytes=100_000)
    for expected in ("first", "second"):
        assert memo.get("large", partial(str, expected), lambda _: 100_000) == expected
    assert memo.bytes == 0
