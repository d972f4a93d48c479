"""What every implementation of `indexer.store.Store` does."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.arrays import Vector, Vectors
from indexer.errors import (
    BadFilterError,
    BadParameterError,
    FingerprintMismatchError,
    LockedError,
)
from indexer.maintenance.neighbours import bring_up_to_date
from indexer.store import Attributes, Candidates, NewImage, PutProduct, Store, parse
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore
from tests.indexer.store.memory import MemoryStore

DIMENSION = 8

OpenStore = Callable[[], Store]
Shop = dict[str, tuple[Attributes, list[int]]]  # product id -> attributes, photos

HERE = ["embedded", "memory"]
MILVUS = ["milvus_lite", "milvus_server"]


@pytest.fixture(params=HERE + MILVUS)
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Makes a new, empty store of each implementation."""
    opened: list[Store] = []
    peer: str = request.param
    uri: str = request.getfixturevalue(peer) if peer in MILVUS else ""

    def new() -> Store:
        folder = tmp_path / str(len(opened))
        if peer == "embedded":
            opened.append(EmbeddedStore(Catalog(folder, create=True)))
        elif peer == "memory":
            opened.append(MemoryStore())
        else:
            from tests.milvus_peers import new_milvus_store as new_store  # an optional library

            opened.append(new_store(uri, folder))
        with opened[-1].writer() as writer:
            writer.bind(fingerprint="f" * 64, weights="w", dimension=DIMENSION)
        return opened[-1]

    yield new
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()


def unit(number: int) -> Vector:
    vector = np.random.default_rng(number).standard_normal(DIMENSION)
    scaled: Vector = (vector / np.linalg.norm(vector)).astype(np.float32)
    return scaled


def photo(number: int) -> NewImage:
    return NewImage(f"{number}.jpg", f"/photos/{number}.jpg", f"hash-{number}", unit(number))


def product(product_id: str, *photos: int, **attributes: object) -> PutProduct:
    own: Attributes = attributes  # type: ignore[assignment]
    return PutProduct(product_id, own, tuple(map(photo, photos)))


def put(store: Store, *products: PutProduct) -> list[str]:
    with store.writer() as writer:
        return list(writer.put(products))


def nearest(store: Store, *conditions: str, k: int = 10, query: int = 1) -> Candidates:
    with store.search_reader(attributes=True) as found:
        return found.select([parse(text) for text in conditions]).nearest(unit(query)[None], k)


def test_what_was_put_is_read_back(store: Store) -> None:
    assert put(store, product("a", 1, 2, color="red", price=5)) == ["added"]
    with store.reader() as reader:
        (stored,) = reader.products(["a", "no such product"]).values()
        ids, vectors = reader.vectors([image.image_id for image in stored.images])
        assert (reader.counts(), list(reader.product_ids())) == ((1, 2), ["a"])
        assert (reader.fingerprint, reader.weights, reader.dimension) == ("f" * 64, "w", DIMENSION)
        assert reader.embedding_fields is None
    assert stored.attributes == {"color": "red", "price": 5}
    assert [(i.uri, i.content_hash) for i in stored.images] == [
        ("1.jpg", "hash-1"),
        ("2.jpg", "hash-2"),
    ]
    np.testing.assert_array_equal(vectors, [unit(1), unit(2)])
    assert ids.tolist() == [image.image_id for image in stored.images]


def test_product_ids_come_in_code_point_order_after_any_text(store: Store) -> None:
    ids = ["B", "a", "a/b", "a b", "\u00e4", "\uffee", "\U0001f45f"]
    put(store, *(product(name, n, color=("red", "blue")[n % 2]) for n, name in enumerate(ids)))
    with store.search_reader(attributes=True) as found:
        everything, red = found.select(), found.select([parse("color:red")])
        without = found.select([parse("color:red")], excluded=["a b"])
        for after in ("", "a", "aa", "\u00e4", "\U0001f45f"):
            expected = sorted(name for name in ids if name > after)
            assert list(found.reader.product_ids(after)) == expected
            assert list(everything.page(after, 3)) == expected[:3]
            among = [name for name in expected if name in ids[::2]]
            assert list(red.page(after, 2)) == among[:2]
            without_one = [name for name in among if name != "a b"]
            assert list(without.page(after, 9)) == without_one


def test_the_version_of_a_collection_is_its_own_and_changes_with_it(
    open_store: OpenStore,
) -> None:
    seen = []
    for store in (open_store(), open_store()):
        for change in (product("a", 1), product("a", 1, color="red")):
            put(store, change)
            with store.reader() as reader, store.reader() as again:
                assert reader.version == again.version
                seen.append(reader.version)
    assert len(set(seen)) == 4


def test_putting_the_same_again_changes_nothing(store: Store) -> None:
    put(store, product("a", 1, color="red"))
    before = store.seq
    assert put(store, product("a", 1, color="red")) == ["unchanged"]
    with store.reader() as reader:
        after = reader.seq
    with store.reader() as reader:
        assert reader.seq == after >= before


def test_every_change_raises_seq(store: Store) -> None:
    seen = []
    for change in (product("a", 1), product("a", 1, color="red"), product("a", 2)):
        put(store, change)
        with store.reader() as reader:
            seen.append(reader.seq)
    assert seen == sorted(set(seen))


def test_a_photo_that_stays_keeps_its_image_id_and_needs_no_vector(store: Store) -> None:
    put(store, product("a", 1, 2))
    with store.reader() as reader:
        before = {i.content_hash: i.image_id for i in reader.products(["a"])["a"].images}
    known = NewImage("2.jpg", "/photos/2.jpg", "hash-2", None)
    put(store, PutProduct("a", {}, (known, photo(3))))
    with store.reader() as reader:
        after = {i.content_hash: i.image_id for i in reader.products(["a"])["a"].images}
    assert after["hash-2"] == before["hash-2"]
    assert after["hash-3"] not in before.values()


def test_an_image_id_is_never_given_out_again(store: Store) -> None:
    put(store, product("a", 1))
    with store.reader() as reader:
        first = reader.products(["a"])["a"].images[0].image_id
    with store.writer() as writer:
        writer.remove(["a"])
    put(store, product("a", 1))
    with store.reader() as reader:
        assert reader.products(["a"])["a"].images[0].image_id != first
        assert not reader.images([first])


def test_removing_says_what_existed(store: Store) -> None:
    put(store, product("a", 1), product("b", 2))
    with store.writer() as writer:
        assert writer.remove(["b", "no such product"]) == ["b"]
    with store.reader() as reader:
        assert list(reader.product_ids()) == ["a"]


def test_two_products_with_the_same_photo_are_both_kept(store: Store) -> None:
    put(store, product("a", 1), product("b", 1))
    assert sorted(nearest(store).product_ids) == ["a", "b"]
    with store.reader() as reader:
        assert set(reader.known_photos(["hash-1", "hash-9"])) == {"hash-1"}


def test_a_reader_sees_one_version_whatever_is_written(store: Store) -> None:
    put(store, product("a", 1))
    with store.reader() as reader:
        seq = reader.seq
        put(store, product("b", 2))
        assert (reader.seq, reader.counts(), list(reader.product_ids())) == (seq, (1, 1), ["a"])
    with store.reader() as reader:
        assert reader.counts() == (2, 2)


def test_embeddings_of_another_fingerprint_are_refused(store: Store) -> None:
    put(store, product("a", 1))
    with store.writer() as writer, pytest.raises(FingerprintMismatchError):
        writer.bind(fingerprint="0" * 64, weights="other", dimension=DIMENSION)


def test_what_decides_the_embeddings_is_recorded_once_it_is_known(store: Store) -> None:
    put(store, product("a", 1))
    known: dict[str, str | int] = {"input_size": 80, "resize": "bilinear"}
    for fields in (known, None):
        with store.writer() as writer:
            writer.bind(fingerprint="f" * 64, weights="w", dimension=DIMENSION, fields=fields)
        with store.reader() as reader:
            assert reader.embedding_fields == known


def test_a_second_writer_is_refused(store: Store) -> None:
    with store.writer(), pytest.raises(LockedError), store.writer():
        pass


def test_candidates_come_by_falling_cosine(store: Store) -> None:
    put(store, *(product(str(n), n, n + 100) for n in range(40)))
    found = nearest(store, k=100, query=7)
    assert len(found.product_ids) == len(found.image_ids) == len(found.scores) == 80
    assert found.unseen == -np.inf
    assert found.product_ids[0] == "7"
    assert (np.diff(found.scores) <= 1e-12).all()
    with store.reader() as reader:
        ids, vectors = reader.vectors(found.image_ids)
    cosines = dict(zip(ids.tolist(), (vectors.astype(np.float64) @ unit(7)).tolist(), strict=True))
    np.testing.assert_allclose(
        found.scores, [cosines[i] for i in found.image_ids.tolist()], atol=1e-6
    )


def test_no_image_that_is_left_out_scores_above_unseen(store: Store) -> None:
    put(store, *(product(str(n), n) for n in range(40)))
    some, everything = nearest(store, k=5), nearest(store, k=40)
    left_out = set(everything.image_ids.tolist()) - set(some.image_ids.tolist())
    scores = dict(zip(everything.image_ids.tolist(), everything.scores.tolist(), strict=True))
    assert len(some.image_ids) == 5
    assert max(scores[image_id] for image_id in left_out) <= some.unseen + 1e-9


def test_a_removed_product_is_no_candidate(store: Store) -> None:
    put(store, *(product(str(n), n) for n in range(5)))
    nearest(store)
    with store.writer() as writer:
        writer.remove(["1"])
    assert "1" not in nearest(store).product_ids
    assert len(nearest(store).product_ids) == 4


def test_an_excluded_product_is_no_candidate_and_not_counted(store: Store) -> None:
    put(store, *(product(str(n), n, color="red") for n in range(5)))
    with store.search_reader(attributes=True) as found:
        for conditions in ([], [parse("color:red")]):
            selection = found.select(conditions, ["1"])
            assert selection.total == 4
            assert "1" not in selection.nearest(unit(1)[None], 10).product_ids


def test_pages_of_a_selection_are_in_code_point_order(store: Store) -> None:
    names = ["B", "a", "a/1", "a b", "z", "ä", "中"]
    put(store, *(product(name, n, color="red") for n, name in enumerate(names)))
    put(store, product("other", 50, color="blue"), product("z", 51, color="red"))
    with store.search_reader(attributes=True) as found:
        for selection in (
            found.select([parse("color:red")], ["B"]),
            found.select((), ["B", "other"]),
        ):
            pages, after = [], ""
            while page := selection.page(after, 2):
                pages.append(page)
                after = page[-1]
            assert pages == [["a", "a b"], ["a/1", "z"], ["ä", "中"]]


def test_an_unknown_attribute_is_an_error(store: Store) -> None:
    put(store, product("a", 1, color="red"))
    with store.search_reader(attributes=True) as found:
        assert found.has_attribute("color")
        assert not found.has_attribute("colour")
        with pytest.raises(BadFilterError):
            found.select([parse("colour:red")])
        with pytest.raises(BadFilterError):
            found.select().split([parse("colour:red")])
        for ask in (
            lambda: found.first_values("colour", ["a"]),
            lambda: found.select().facet("colour", 5),
            lambda: found.select().distinct("colour"),
        ):
            with pytest.raises(BadParameterError):
                ask()


@pytest.mark.parametrize("open_store", HERE, indirect=True)
def test_precomputed_neighbours_are_the_first_of_the_ranking(store: Store) -> None:
    put(store, *(product(str(n), n, n + 100) for n in range(30)))
    if isinstance(store, EmbeddedStore):
        bring_up_to_date(store.catalog, 5, lambda _: None)
    put(store, product("3", 3, 99), product("new", 1))
    with store.search_reader(attributes=False) as found:
        for k in (4, 40):
            everything = found.neighbours([*map(str, range(30)), "no such product"], k)
            assert 20 < len(everything) < 31
            for product_id, first in everything.items():
                images = found.reader.products([product_id])[product_id].images
                queries = found.reader.vectors([image.image_id for image in images])[1]
                ranking = ranked(found.select().nearest(queries, 100))
                assert rows_of(first) == ranking[: len(first.product_ids)]
                assert len(first.product_ids) >= min(k, 6)
                assert first.unseen == (-np.inf if len(rows_of(first)) == 31 else first.scores[-1])


def rows_of(candidates: Candidates) -> list[tuple[float, str, int]]:
    columns = -candidates.scores, candidates.product_ids, candidates.image_ids.tolist()
    return list(zip(*columns, strict=True))


def ranked(candidates: Candidates) -> list[tuple[float, str, int]]:
    best: dict[str, tuple[float, str, int]] = {}
    for row in sorted(rows_of(candidates)):
        best.setdefault(row[1], row)
    return list(best.values())


def test_candidates_among_a_selection_are_those_that_it_contains(store: Store) -> None:
    put(store, *(product(str(n), n, color="red" if n % 2 else "blue") for n in range(8)))
    with store.search_reader(attributes=True) as found:
        everything = found.select().nearest(unit(1)[None], 8)
        for conditions in ([], [parse("color:red")]):
            selection = found.select(conditions, ["1"])
            expected = selection.nearest(unit(1)[None], 8)
            among = selection.among(everything)
            assert rows_of(among) == rows_of(expected)
            assert among.unseen == everything.unseen


def test_a_sample_is_of_stored_embeddings(store: Store) -> None:
    assert len(store.sample(10)) == 0
    put(store, *(product(str(n), n) for n in range(4)))
    sample = sorted(store.sample(10).tolist())
    assert sample == sorted(unit(n).tolist() for n in range(4))


VALUES: dict[str, list[Any]] = {
    "color": ["red", "Red", "blue", '["red", "green"]', "7", 7, True],
    "price": [5, 7.5, "7.50", -3, "cheap"],
    "brand": ["acme", "Acme", "globex"],
}
attributes = st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in VALUES.items()})
names = st.sampled_from([f"p{n}é" for n in range(12)])
shops = st.dictionaries(
    names,
    st.tuples(attributes, st.lists(st.integers(0, 20), min_size=1, max_size=3, unique=True)),
    max_size=12,
)
texts = st.sampled_from(
    [
        "color:red",
        "color:7,blue",
        "!color:green",
        "color:true",
        "price<7.5",
        "price>=-3",
        "!price>5",
        "brand:ACME",
        "!brand:globex",
    ]
)


def answers(store: Store, queries: Vectors, conditions: Sequence[str]) -> list[object]:
    """Everything that a search reader tells, in a form that does not depend on image ids."""
    with store.search_reader(attributes=True) as found:
        known = [name for name in VALUES if found.has_attribute(name)]
        asked = [parse(text) for text in conditions if parse(text).field in known]
        selection = found.select(asked)
        candidates = selection.nearest(queries, 50)
        names = sorted(found.reader.product_ids())
        parts = {
            met: (part.total, sorted(part.nearest(queries, 50).product_ids))
            for met, part in found.select().split(asked)
        }
        return [
            selection.total,
            sorted(zip(candidates.product_ids, candidates.scores.round(6).tolist(), strict=True)),
            parts,
            [
                (str(f.value).casefold(), f.count)
                for name in known
                for f in sorted(selection.facet(name, 50), key=lambda f: str(f.value).casefold())
            ],
            [selection.distinct(name) for name in known],
            list(selection.page("", 50)),
            list(selection.page(names[0] if names else "", 2)),
            [_groups(found.first_values(name, names)) for name in known],
        ]


def _groups(values: Sequence[object]) -> list[object]:
    """Which values are equal to which, whatever stands for them."""
    return [None if value is None else values.index(value) for value in values]


Changes = Sequence[tuple[dict[str, tuple[Attributes, list[int]]], set[str]]]
any_changes = given(
    changes=st.lists(st.tuples(shops, st.sets(names)), max_size=4),
    conditions=st.lists(texts, max_size=2),
)


@pytest.mark.parametrize("open_store", HERE, indirect=True)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@any_changes
def test_after_any_changes_it_answers_as_the_model_does(
    open_store: OpenStore, changes: Changes, conditions: Sequence[str]
) -> None:
    require_answers_of_the_model(open_store(), changes, conditions)


@pytest.mark.parametrize("open_store", MILVUS, indirect=True)
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@any_changes
def test_after_any_changes_milvus_answers_as_the_model_does(
    open_store: OpenStore, changes: Changes, conditions: Sequence[str]
) -> None:
    """Fewer examples, as each takes seconds; test_expressions.py has many for the conditions."""
    require_answers_of_the_model(open_store(), changes, conditions)


def require_answers_of_the_model(store: Store, changes: Changes, conditions: Sequence[str]) -> None:
    model = MemoryStore()
    with model.writer() as writer:
        writer.bind(fingerprint="f" * 64, weights="w", dimension=DIMENSION)
    for shop, gone in changes:
        puts = [product(name, *photos, **own) for name, (own, photos) in shop.items()]
        assert put(store, *puts) == put(model, *puts)
        with store.writer() as one, model.writer() as other:
            assert one.remove(gone) == other.remove(gone)
        queries = np.stack([unit(3), unit(4)])
        assert answers(store, queries, conditions) == answers(model, queries, conditions)
