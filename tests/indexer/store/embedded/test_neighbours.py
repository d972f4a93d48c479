"""The table of neighbours: equal to a search after any changes, whole or absent after any fault."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.arrays import Vectors, normalised
from indexer.errors import DiskFullError, LockedError, UnknownProductError
from indexer.files import writer_lock
from indexer.maintenance import neighbours
from indexer.maintenance.neighbours import bring_up_to_date, drop, state_of
from indexer.maintenance.verify import verify
from indexer.search import Answer, Searcher, SearchParameters
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.index import Hits, View, nearest_rows
from indexer.store.embedded.neighbours import (
    NeighboursError,
    Table,
    building,
    changes,
    exact,
    live,
    open_table,
    table_path,
    write_table,
)
from indexer.store.embedded.neighbours.merging import Entry, merged
from indexer.store.embedded.neighbours.table import width_of
from indexer.store.embedded.store import EmbeddedStore
from tests.fakes import FAKE_SPEC

DIMENSION = 6
K = 3
# Some products share photos, so that scores are equal.
PHOTOS: Vectors = normalised(np.random.default_rng(0).standard_normal((40, DIMENSION)))
NAMES = [f"p{number:02} é" for number in range(70)]

# product id -> photos; None removes it
Change = dict[str, list[int] | None]


class Shop:
    """A catalogue of made-up vectors."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog(folder, create=True)
        with self.catalog.writer() as writer:
            writer.bind(fingerprint=FAKE_SPEC.fingerprint, weights="w", dimension=DIMENSION)
        self.store = EmbeddedStore(self.catalog)
        self.searcher = Searcher("shop", self.store, FAKE_SPEC)

    def change(self, change: Change) -> None:
        with self.catalog.writer() as writer:
            writer.put(_product(name, own) for name, own in change.items() if own is not None)
            writer.remove(name for name, own in change.items() if own is None)

    def update(self, k: int | None = None) -> str:
        return bring_up_to_date(self.catalog, k, lambda _: None).action

    def product_ids(self) -> list[str]:
        with self.catalog.reader() as reader:
            return list(reader.product_ids())

    def similar(self, product_id: str, **parameters: object) -> Answer:
        asked = SearchParameters.model_validate({"limit": K} | parameters)
        return self.searcher.by_product(product_id, asked, include_itself=True)

    def searched(self, product_id: str, **parameters: object) -> Answer:
        """The same by the vectors of the product, which uses no table."""
        asked = SearchParameters.model_validate({"limit": K} | parameters)
        with self.catalog.reader() as reader:
            images = reader.products([product_id])[product_id].images
            _, vectors = reader.vectors([image.image_id for image in images])
        return self.searcher.by_vectors(vectors, asked)


def _product(name: str, numbers: Sequence[int]) -> PutProduct:
    images = tuple(NewImage(f"{n}.jpg", f"{n}.jpg", f"hash {n}", PHOTOS[n]) for n in numbers)
    return PutProduct(name, {"price": len(numbers)}, images)


def rows(answer: Answer) -> list[tuple[str, int, float]]:
    return [(m.product.product_id, m.image.image_id, m.score) for m in answer.matches]


def lists(catalog: Catalog) -> dict[str, list[tuple[int, float]]]:
    """What every list of the table has at least: images and scores."""
    table = open_table(table_path(catalog.folder))
    found = {}
    for number, name in enumerate(table.photos.product_ids.tolist()):
        ids = table.photos.ids[table.places_of(number)][: K + 1].tolist()
        found[name] = list(zip(ids, table.scores[number].tolist(), strict=False))
    return found


@pytest.fixture
def new_shop(tmp_path: Path) -> Iterator[Callable[[], Shop]]:
    made: list[Shop] = []

    def new() -> Shop:
        made.append(Shop(tmp_path / str(len(made))))
        return made[-1]

    yield new
    for shop in made:
        shop.catalog.close()


@pytest.mark.slow
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_after_any_changes_a_table_answers_as_a_search_and_an_updated_one_is_a_new_one(
    new_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(neighbours, "_REBUILT", 1)
    random, shop = Random(seed), new_shop()
    shop.change({name: _photos(random) for name in NAMES[:60]})
    shop.update(K)
    for _ in range(3):
        changed = random.sample(NAMES, random.randint(1, 10))
        shop.change({name: random.choice([None, _photos(random)]) for name in changed})
        for name in shop.product_ids():
            limit = random.randint(1, 2 * K + 3)
            assert rows(shop.similar(name, limit=limit)) == rows(shop.searched(name, limit=limit))
        assert shop.update() in ("updated", "unchanged")
        updated = lists(shop.catalog)
        drop(shop.catalog)
        assert shop.update(K) == "built"
        assert updated == lists(shop.catalog)


def _photos(random: Random) -> list[int]:
    return random.sample(range(len(PHOTOS)), random.randint(1, 3))


def test_ties_at_the_end_of_a_list_are_cut_by_product_id(new_shop: Callable[[], Shop]) -> None:
    shop = new_shop()
    shop.change({name: [0] for name in NAMES[10:20]})
    shop.update(K)
    shop.change({NAMES[5]: [0], NAMES[25]: [0]})
    for limit in range(1, 13):
        found = rows(shop.similar(NAMES[12], limit=limit))
        assert [row[0] for row in found] == [NAMES[5], *NAMES[10:20], NAMES[25]][:limit]


def test_lists_that_lose_many_products_are_compared_again(new_shop: Callable[[], Shop]) -> None:
    shop = new_shop()
    shop.change({name: [number % len(PHOTOS)] for number, name in enumerate(NAMES)})
    shop.update(K)
    near = [row[0] for row in rows(shop.similar(NAMES[7], limit=6))]
    shop.change(dict.fromkeys(set(near) - {NAMES[7]}))
    assert not shop.similar(NAMES[7]).precomputed
    assert shop.update() == "updated"
    answer = shop.similar(NAMES[7])
    assert answer.precomputed
    assert rows(answer) == rows(shop.searched(NAMES[7]))


@pytest.fixture
def shop(new_shop: Callable[[], Shop]) -> Shop:
    shop = new_shop()
    shop.change({name: [number, number + 1] for number, name in enumerate(NAMES[:30])})
    assert shop.update(K) == "built"
    return shop


def test_a_page_within_the_lists_comes_from_the_table_and_a_later_one_joins_it(shop: Shop) -> None:
    whole = rows(shop.searched(NAMES[7], limit=30))
    assert len(whole) == 30
    sources = []
    for offset in range(30):
        answer = shop.similar(NAMES[7], limit=1, offset=offset)
        assert rows(answer) == whole[offset : offset + 1]
        assert answer.total == 30
        sources.append(answer.precomputed)
    assert sources[: K + 1] == [True] * (K + 1)
    assert sources[-1] is False


def test_pages_join_although_the_index_misses_a_product(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(shop.searched(NAMES[7], limit=30))
    search, (_, missed, _) = View.search, whole[2]

    def forgetful(view: View, queries: Vectors, k: int) -> Hits:
        hits = search(view, queries, k)
        kept = hits.ids != missed
        return Hits(hits.ids[kept], hits.scores[kept])

    monkeypatch.setattr(View, "search", forgetful)
    assert rows(shop.searched(NAMES[7], limit=30)) != whole
    pages = [shop.similar(NAMES[7], limit=1, offset=offset) for offset in range(30)]
    assert [row for page in pages for row in rows(page)] == whole


def test_the_product_itself_is_left_out_on_request(shop: Shop) -> None:
    answer = shop.searcher.by_product(NAMES[7], SearchParameters(limit=K), include_itself=False)
    assert (answer.precomputed, answer.total) == (True, 29)
    others = [row for row in rows(shop.searched(NAMES[7], limit=K + 1)) if row[0] != NAMES[7]]
    assert rows(answer) == others


@pytest.mark.parametrize(
    "parameters",
    [
        {"filter": ["price<=2"]},
        {"min_score": 0.9},
        {"min_score": -0.2, "limit": 20},
        {"dedup": 0.9},
        {"group_by": "price"},
        {"facets": ["price"]},
        {"boost": ["price:2^0.5"]},
        {"limit": 200},
    ],
)
def test_every_option_gives_the_results_of_a_search(
    shop: Shop, parameters: dict[str, object]
) -> None:
    for name in NAMES[:30:5]:
        found, expected = shop.similar(name, **parameters), shop.searched(name, **parameters)
        assert (rows(found), found.total) == (rows(expected), expected.total)
        assert found.facets == expected.facets


def test_hidden_products_are_left_out_of_a_page_from_the_table(shop: Shop) -> None:
    assert NAMES[8] in [row[0] for row in rows(shop.similar(NAMES[7]))]
    with shop.catalog.writer() as writer:
        writer.put([replace(_product(NAMES[8], [8, 9]), attributes={"in_stock": False})])
    hiding = Searcher("shop", EmbeddedStore(shop.catalog), FAKE_SPEC, hide_out_of_stock=True)
    answer = hiding.by_product(NAMES[7], SearchParameters(limit=K - 1), include_itself=False)
    assert answer.precomputed
    assert NAMES[8] not in [row[0] for row in rows(answer)]
    assert answer.total == 28


def test_a_new_price_keeps_the_table_and_is_shown(shop: Shop) -> None:
    with shop.catalog.writer() as writer:
        writer.put([replace(_product(NAMES[8], [8, 9]), attributes={"price": 99})])
    answer = shop.similar(NAMES[7])
    assert answer.precomputed
    assert {"price": 99} in [match.product.attributes for match in answer.matches]
    assert shop.update() == "unchanged"


def test_a_product_with_new_photos_is_searched_and_others_are_not(shop: Shop) -> None:
    shop.change({NAMES[7]: [35]})
    assert not shop.similar(NAMES[7]).precomputed
    assert shop.similar(NAMES[20]).precomputed
    shop.update()
    assert shop.similar(NAMES[7]).precomputed


def test_an_unknown_product_is_an_error_with_a_table_too(shop: Shop) -> None:
    with pytest.raises(UnknownProductError):
        shop.similar("absent")
    shop.change({NAMES[7]: None})
    with pytest.raises(UnknownProductError):
        shop.similar(NAMES[7])


def test_a_table_too_far_behind_is_not_used(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_CHANGES", 5)
    parameters = SearchParameters(limit=K)
    for photo, is_used in ((35, True), (36, True), (37, False)):  # changes 3, 2 and 2 images
        shop.change({NAMES[7]: [photo]})
        opened_now = Searcher("new", EmbeddedStore(shop.catalog), FAKE_SPEC)
        for searcher in (shop.searcher, opened_now):
            answer = searcher.by_product(NAMES[20], parameters, include_itself=True)
            assert answer.precomputed is is_used
        state = state_of(shop.catalog)
        assert state is not None
        assert state.in_use is shop.store.neighbours_in_use is is_used


def test_searches_go_on_while_another_thread_opens_a_new_table(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, opened = Event(), Event()

    def slow(path: Path) -> Table:
        opening.set()
        assert opened.wait(20)
        return open_table(path)

    monkeypatch.setattr(live, "open_table", slow)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(shop.similar, NAMES[7])
        assert opening.wait(20)
        meanwhile = shop.similar(NAMES[7])
        opened.set()
        assert rows(first.result()) == rows(meanwhile)
    assert (first.result().precomputed, meanwhile.precomputed) == (True, False)
    assert shop.similar(NAMES[7]).precomputed


@pytest.mark.parametrize("place", ["header", "first array", "last array", "cut", "empty"])
def test_a_damaged_table_is_named_and_not_used(
    shop: Shop, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = table_path(shop.catalog.folder)
    data = bytearray(path.read_bytes())
    at = {"header": 20, "first array": 4100, "last array": len(data) - 100}.get(place)
    if at is not None:
        data[at] ^= 4
    path.write_bytes(data[: {"cut": len(data) - 64, "empty": 0}.get(place, len(data))])
    assert not shop.similar(NAMES[7]).precomputed
    assert "neighbours.table: damaged" in caplog.text
    (finding,) = verify(shop.catalog)
    assert "neighbours.table: damaged" in finding
    assert shop.update() == "built"
    assert verify(shop.catalog) == []
    assert shop.similar(NAMES[7]).precomputed


def test_verify_finds_wrong_neighbours(shop: Shop) -> None:
    path = table_path(shop.catalog.folder)
    table = open_table(path)
    wrong = table.lists.copy()
    wrong[7] = wrong[8]
    write_table(path, replace(table, lists=wrong))
    (finding,) = verify(shop.catalog)
    assert f"the neighbours of {NAMES[7]!r} are wrong" in finding


def test_a_table_that_cannot_be_written_leaves_the_old_one(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table_path(shop.catalog.folder)
    before = path.read_bytes()
    shop.change({NAMES[7]: [35]})

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFullError):
        shop.update()
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} == {path.name, "writer.lock"}


def test_what_a_killed_process_left_is_deleted(shop: Shop) -> None:
    path = table_path(shop.catalog.folder)
    rest = path.with_name(f".{path.name}.killed")
    rest.write_bytes(b"half")
    shop.update()
    assert not rest.exists()


def test_another_k_builds_a_new_table(shop: Shop) -> None:
    assert shop.update(K + 4) == "built"
    assert shop.similar(NAMES[7], limit=K + 4).precomputed
    assert shop.update() == "unchanged"


def test_a_second_writer_of_the_table_is_refused_and_the_catalogue_stays_writable(
    shop: Shop,
) -> None:
    with writer_lock(table_path(shop.catalog.folder).parent):
        shop.change({NAMES[7]: [35]})
        with pytest.raises(LockedError):
            shop.update()


def test_a_table_of_other_embeddings_is_not_used(shop: Shop) -> None:
    with shop.catalog.writer() as writer:
        writer.remove(shop.product_ids())
        writer.bind(fingerprint="another", weights="w", dimension=DIMENSION)
    shop.change({name: [number] for number, name in enumerate(NAMES[:40])})
    for name in NAMES[:40]:
        answer = shop.similar(name)
        assert not answer.precomputed
        assert answer.matches[0].score == 1
    assert shop.update() == "built"


def test_a_table_is_not_used_for_another_history_of_the_catalogue(
    shop: Shop, tmp_path: Path
) -> None:
    """As after replacing a damaged catalogue by a snapshot, whose journal goes on elsewhere."""
    other = Shop(tmp_path / "other")
    other.change({name: [30 - number] for number, name in enumerate(NAMES[:30])})
    while _seq(other) <= _seq(shop):
        other.change({NAMES[0]: [_seq(other) % 7]})
    copy = table_path(other.catalog.folder)
    copy.parent.mkdir()
    copy.write_bytes(table_path(shop.catalog.folder).read_bytes())
    assert not other.similar(NAMES[7]).precomputed
    assert verify(other.catalog) == []
    other.catalog.close()


def _seq(shop: Shop) -> int:
    with shop.catalog.reader() as reader:
        return reader.seq


def test_a_photo_of_thousands_of_products_is_compared_once(new_shop: Callable[[], Shop]) -> None:
    shop = new_shop()
    shop.change({f"without a photo {number:04}": [0] for number in range(3000)})
    shop.change({name: [number] for number, name in enumerate(NAMES[1:40], start=1)})
    assert shop.update(K) == "built"
    for name in ("without a photo 0000", "without a photo 2999", NAMES[7]):
        answer = shop.similar(name)
        assert answer.precomputed
        assert rows(answer) == rows(shop.searched(name))


def test_new_products_that_share_a_photo_with_many_are_merged_once_per_list(
    new_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = new_shop()
    shop.change({f"without a photo {number:04}": [0] for number in range(0, 1000, 2)})
    shop.change({name: [number] for number, name in enumerate(NAMES[1:40], start=1)})
    shop.update(K)
    sizes: list[int] = []

    def counted(*arguments: Any, **options: Any) -> list[Entry]:
        sizes.append(len(arguments[2]))
        return merged(*arguments, **options)

    monkeypatch.setattr(building, "merged", counted)
    shop.change({f"without a photo {number:04}": [0] for number in range(1, 200, 2)})
    assert shop.update() == "updated"
    assert max(sizes) <= width_of(K)
    updated = lists(shop.catalog)
    drop(shop.catalog)
    shop.update(K)
    assert updated == lists(shop.catalog)


def test_vectors_that_are_nearly_equal_are_told_apart(
    new_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def nearest(queries: Vectors, vectors: Vectors, k: int) -> object:
        asked.append(len(queries) * k)
        return nearest_rows(queries, vectors, k)

    monkeypatch.setattr(exact, "nearest_rows", nearest)
    monkeypatch.setattr(exact, "_FOUND", 500)
    shop, random = new_shop(), np.random.default_rng(3)
    near = normalised(PHOTOS[0] + 1e-6 * random.standard_normal((100, DIMENSION)))
    puts = [
        PutProduct(f"near {number:03}", {}, (NewImage("n", "n", f"near {number}", vector),))
        for number, vector in enumerate(near)
    ]
    with shop.catalog.writer() as writer:
        writer.put(puts)
    shop.change({name: [number] for number, name in enumerate(NAMES[:40])})
    shop.update(K)
    assert max(asked) <= 500
    for name in ("near 000", "near 099", NAMES[0], NAMES[7]):
        everything = rows(shop.searched(name, limit=200))  # hence every image is scored exactly
        assert rows(shop.similar(name)) == everything[:K]
        assert shop.similar(name).precomputed


def test_an_empty_catalogue_has_no_neighbours(new_shop: Callable[[], Shop], tmp_path: Path) -> None:
    with pytest.raises(NeighboursError, match="no embeddings yet"):
        bring_up_to_date(Catalog(tmp_path / "empty", create=True), None, lambda _: None)
    shop = new_shop()
    for own in ([0], None, [1]):
        shop.change({NAMES[0]: own})
        shop.update()
    assert rows(shop.similar(NAMES[0])) == rows(shop.searched(NAMES[0]))
