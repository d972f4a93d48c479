"""Filters, facets, boosts, duplicates, turns and groups: as a brute-force ranking has them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import BadFilterError
from indexer.search import Answer, SearchParameters
from indexer.store import NewImage, PutProduct
from tests.conftest import Store
from tests.indexer.search import oracle
from tests.indexer.search.oracle import Condition, Query, Shop

DIMENSION, LOOKS, PRODUCTS = 8, 40, 130
# What products of the shop have; a few words and numbers, written in many ways.
VALUES: dict[str, list[Any]] = {
    "color": ["red", "Red", "blue", "sky, light", '["red", "green"]', '["Blue", "x"]', 7, True],
    "price": [5, 7.5, 7, "7", "7.50", 12.25, -3, "cheap"],
    "in_stock": [True, False, "true"],
    "brand": ["acme", "globex", "Acme", "of 12"],
    "group": [f"g{n}" for n in range(60)],
    "rare": ["one"],
}


def look(number: int) -> np.ndarray:
    """One of `LOOKS` directions; beyond that, the same a little off."""
    vector = np.random.default_rng(number % LOOKS).standard_normal(DIMENSION)
    if number >= LOOKS:
        vector += 0.01 * np.random.default_rng(number).standard_normal(DIMENSION)
    unit: np.ndarray = (vector / np.linalg.norm(vector)).astype(np.float32).astype(np.float64)
    return oracle._unit(unit)


LOOK = [look(number) for number in range(2 * LOOKS)]


def random_products(rng: np.random.Generator, count: int) -> Shop:
    """Products that replace others of the same id, or come besides them."""
    shop: Shop = {}
    for number in rng.choice(PRODUCTS, count, replace=False).tolist():
        chance = {"rare": 0.03}
        attributes = {
            name: values[rng.integers(len(values))]
            for name, values in VALUES.items()
            if rng.random() < chance.get(name, 0.8)
        }
        # A few have so many that the first candidates are of hardly any other product.
        number_of_photos = 40 if rng.random() < 0.05 else rng.integers(1, 4)
        photos = [LOOK[n] for n in rng.integers(0, 2 * LOOKS, number_of_photos)]
        shop[f"p{number}é"] = attributes, photos
    return shop


def puts(shop: Shop) -> Iterator[PutProduct]:
    for name, (attributes, photos) in shop.items():
        images = tuple(
            NewImage(f"{n}", f"{n}", f"{photo[:2]}", photo.astype(np.float32))
            for n, photo in enumerate(photos)
        )
        yield PutProduct(name, attributes, images)


def changed(store: Store, shop: Shop, rng: np.random.Generator) -> Shop:
    """The shop after products came, changed and went, and the catalogue with it."""
    new = random_products(rng, int(rng.integers(1, 40)))
    gone = set(rng.choice(sorted(shop), int(rng.integers(0, 9)), replace=False).tolist()) - {"q"}
    # A change that leaves the photos as they are.
    repriced = {
        name: (attributes | {"price": 99}, photos)
        for name, (attributes, photos) in shop.items()
        if rng.random() < 0.1 and name != "q"
    }
    with store.catalog.writer() as writer:
        writer.put(puts(repriced | new))
        writer.remove(gone)
    return {name: of for name, of in (shop | repriced | new).items() if name not in gone}


words = st.sampled_from(
    ["red", "RED", "blue", "sky, light", "green", "7", "7.0", "true", "FALSE", "acme", "99", 'a"b']
)
fields = st.sampled_from(["color", "price", "in_stock", "brand"])
conditions = st.one_of(
    st.builds(
        Condition,
        fields,
        st.just(":"),
        st.lists(words, min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(
        Condition,
        fields,
        st.sampled_from(["<", "<=", ">", ">="]),
        st.sampled_from(["7", "7.5", "-3", "50", ".5"]).map(lambda n: (n,)),
        st.booleans(),
    ),
)
weights = st.sampled_from([0.1, 0.5, -0.25, 1.0])
products = st.sampled_from([f"p{n}é" for n in range(PRODUCTS)])
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "min_score": st.floats(-0.9, 0.5),
    "facets": st.lists(fields, min_size=1, max_size=3, unique=True),
    "dedup": st.sampled_from([0.995, 0.8]),
    "diversify": st.sampled_from(["brand", "color:2", "brand:3"]),
    "group_by": st.sampled_from(["group", "group", "color"]),
    "more_like": st.lists(products, min_size=1, max_size=3, unique=True),
    "less_like": st.lists(products, min_size=1, max_size=2, unique=True),
}
# Few at a time, as several together leave little to rank.
options = st.sets(st.sampled_from(sorted(OPTIONS)), max_size=3).flatmap(
    lambda names: st.fixed_dictionaries({name: OPTIONS[name] for name in sorted(names)})
)
queries = st.builds(
    Query,
    st.one_of(st.just([]), st.lists(conditions, max_size=2)),
    st.one_of(st.just([]), st.lists(st.tuples(conditions, weights), max_size=2)),
    options,
)


@pytest.mark.slow
@settings(max_examples=7)
@given(
    seed=st.integers(0, 2**32),
    asked=st.lists(queries, min_size=6, max_size=6),
    limit=st.integers(17, 60),
)
def test_every_option_answers_as_brute_force_does(
    tmp_path_factory: pytest.TempPathFactory, seed: int, asked: list[Query], limit: int
) -> None:
    store, rng = Store(tmp_path_factory.mktemp("shop")), np.random.default_rng(seed)
    shop: Shop = {"q": ({}, [LOOK[3], LOOK[11]])} | random_products(rng, PRODUCTS)
    with store.catalog.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=DIMENSION)
        writer.put(puts(shop))
    for number, query in enumerate(asked):
        if number % 2:
            shop = changed(store, shop, rng)
        if number % 3 == 0:
            store.searcher.store.refresh()
        _drop_unknown(shop, query)
        _check(store, shop, query, limit)
    store.catalog.close()


def _drop_unknown(shop: Shop, query: Query) -> None:
    for name in ("more_like", "less_like"):
        known = [product for product in query.rest.pop(name, ()) if product in shop]
        if known:
            query.rest[name] = known


def _check(store: Store, shop: Shop, query: Query, limit: int) -> None:
    rows, total, facets = oracle.answer(shop, "q", query)
    pages: list[Answer] = []
    while True:
        answer = store.searcher.by_product(
            "q", query.parameters(limit=limit, offset=limit * len(pages)), include_itself=False
        )
        pages.append(answer)
        if not answer.matches:
            break
    matches = [match for page in pages for match in page.matches]
    assert [match.product.product_id for match in matches] == [row.product_id for row in rows]
    assert [match.score for match in matches] == pytest.approx([r.score for r in rows], abs=1e-6)
    if query.boosts:
        assert [match.boost for match in matches] == pytest.approx([row.boost for row in rows])
    # Full but for the last ones.
    assert all(len(page.matches) == limit for page in pages[:-2])
    for page in pages:
        assert page.total == total
        counted = {
            name: {oracle._same(count.value): count.count for count in counts}
            for name, counts in page.facets.items()
        }
        assert counted == facets


@pytest.fixture
def shop(store: Store) -> Store:
    with store.catalog.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=DIMENSION)
        writer.put(
            puts(
                {
                    "a": ({"color": "Red", "price": 5, "in_stock": True}, [LOOK[0]]),
                    "b": ({"color": "red", "price": 9, "in_stock": False}, [LOOK[1]]),
                    "c": ({"color": "Red", "sizes": "[36, 37]"}, [LOOK[2]]),
                    "d": ({"tag": 'x, "y": z'}, [LOOK[3]]),
                }
            )
        )
    return store


def ask(store: Store, **parameters: Any) -> Answer:
    return store.searcher.by_product(
        "a", SearchParameters.model_validate(parameters), include_itself=True
    )


def found(answer: Answer) -> str:
    return "".join(sorted(match.product.product_id for match in answer.matches))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("color:RED", "abc"),
        ("!color:red", "d"),
        ("price<=5", "a"),
        ("price<9", "a"),
        ("price>5", "b"),
        ("!price>5", "acd"),
        ("price:5.0", "a"),
        ("sizes:37", "c"),
        ("sizes:35, 36", "c"),
        ("in_stock:true", "a"),
        ('tag:"x, ""y"": z"', "d"),
        ("color:blue", ""),
        (" color : red ", "abc"),
    ],
)
def test_a_filter_means_what_the_documentation_says(
    shop: Store, condition: str, expected: str
) -> None:
    assert found(ask(shop, filter=condition)) == expected


@pytest.mark.parametrize(
    "condition",
    ["", "color", "color:", "color:a,,b", 'color:"a', "price<cheap", "price<1,2", ":red", "a b:c"],
)
def test_a_filter_that_cannot_be_read_is_refused_with_what_is_allowed(
    shop: Store, condition: str
) -> None:
    with pytest.raises((BadFilterError, ValueError), match=r"received|at least 1"):
        ask(shop, filter=[condition])


@pytest.mark.parametrize("condition", ["colour:red", "!colour:red", "colour<5"])
def test_a_filter_on_an_unknown_attribute_names_those_there_are(
    shop: Store, condition: str
) -> None:
    with pytest.raises(
        BadFilterError, match="'colour'; existing attributes: color, in_stock, price, sizes"
    ):
        ask(shop, filter=condition)


def test_an_attribute_is_unknown_once_the_last_product_with_it_is_gone(shop: Store) -> None:
    assert found(ask(shop, filter="tag:none")) == ""
    with shop.catalog.writer() as writer:
        writer.remove(["d"])
    with pytest.raises(BadFilterError, match="'tag'"):
        ask(shop, filter="tag:none")


def test_an_empty_collection_knows_every_attribute(store: Store) -> None:
    store.searcher.store.refresh()
    parameters = SearchParameters(filter=["color:red"], facets=["color"], group_by="color")
    store.add(store.row("a", "red"))
    with store.catalog.writer() as writer:
        writer.remove(["a"])
    answer = store.by_photos([(store.photos / "a-0.png").read_bytes()], parameters)
    assert (answer.total, answer.facets) == (0, {"color": []})


def test_a_facet_shows_the_spelling_that_most_products_have(shop: Store) -> None:
    (count,) = ask(shop, facets="color").facets["color"]
    assert (count.value, count.count) == ("Red", 3)


def test_products_out_of_stock_are_hidden_unless_the_query_asks(shop: Store) -> None:
    shop.searcher.hides_out_of_stock = True
    assert found(ask(shop)) == "acd"
    assert ask(shop).total == 3
    assert found(ask(shop, filter="in_stock:false")) == "b"
    assert found(ask(shop, filter="color:red")) == "ac"


def test_what_is_shown_as_an_example_is_not_shown_again(shop: Store) -> None:
    liked = SearchParameters(more_like=["b"], less_like=["c"])
    answer = shop.by_photos([], liked)
    assert (found(answer), answer.total) == ("ad", 2)
