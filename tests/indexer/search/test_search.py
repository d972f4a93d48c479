"""Ranking products: grouped, paged, stable, and as exact as float64."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.errors import (
    BadParameterError,
    FingerprintMismatchError,
    TruncatedImageError,
    UnknownProductError,
)
from indexer.search import Answer, SearchParameters
from indexer.store import NewImage, PutProduct
from tests.conftest import Store, png

RED, DARK_RED, ORANGE, GREEN, BLUE = "#d00000", "#a00000", "#e06000", "#00a000", "#0000c0"


def ranked(answer: Answer) -> list[str]:
    return [match.product.product_id for match in answer.matches]


def by_photo(store: Store, colour: object, **parameters: float) -> Answer:
    return store.by_photos([png(colour)], SearchParameters.model_validate(parameters))


@pytest.fixture
def shop(store: Store) -> Store:
    store.add(
        store.row("orange", ORANGE, title="Orange"),
        store.row("green", GREEN),
        store.row("red", RED, title="Red", price=9.5, in_stock=True),
        store.row("two/faced", BLUE, DARK_RED),
    )
    return store


def test_the_product_of_the_photo_comes_first_with_score_one(shop: Store) -> None:
    answer = by_photo(shop, RED)
    assert ranked(answer)[0] == "red"
    assert answer.matches[0].score == pytest.approx(1)
    assert answer.matches[0].product.attributes == {"title": "Red", "price": 9.5, "in_stock": True}
    scores = [match.score for match in answer.matches]
    assert scores == sorted(scores, reverse=True)


def test_a_product_is_shown_once_with_its_best_photo(shop: Store) -> None:
    answer = by_photo(shop, DARK_RED)
    assert sorted(ranked(answer)) == ["green", "orange", "red", "two/faced"]
    (best,) = (match for match in answer.matches if match.product.product_id == "two/faced")
    assert best.image.uri == "two_faced-1.png"
    assert best.score == pytest.approx(1)


def test_several_photos_find_what_is_close_to_any_of_them(shop: Store) -> None:
    answer = shop.by_photos([png(RED), png(GREEN)], SearchParameters(limit=2))
    assert sorted(ranked(answer)) == ["green", "red"]


def test_a_search_by_product_is_one_by_its_photos(shop: Store) -> None:
    answer = shop.searcher.by_product("red", SearchParameters(), include_itself=True)
    assert ranked(answer) == ranked(by_photo(shop, RED))
    assert answer.total == 4


def test_similar_products_never_include_the_product(shop: Store) -> None:
    answer = shop.searcher.by_product("red", SearchParameters(), include_itself=False)
    assert ranked(answer) == ranked(by_photo(shop, RED))[1:]
    assert answer.total == 3


def test_an_unknown_product_is_named(shop: Store) -> None:
    with pytest.raises(UnknownProductError, match="'absent'"):
        shop.searcher.by_product("absent", SearchParameters(), include_itself=True)


def test_equal_scores_are_ordered_by_product_id(store: Store) -> None:
    store.add(*(store.row(name, RED) for name in ("c", "a", "d", "b")))
    assert ranked(by_photo(store, RED)) == ["a", "b", "c", "d"]
    assert ranked(by_photo(store, RED, limit=2, offset=1)) == ["b", "c"]


def test_a_page_is_full_although_most_photos_are_of_one_product(store: Store) -> None:
    store.add(store.row("many", *(f"#d0{n:02x}00" for n in range(150))), store.row("one", BLUE))
    assert ranked(by_photo(store, RED, limit=2)) == ["many", "one"]


def test_min_score_cuts_the_ranking_and_counts_what_is_left(shop: Store) -> None:
    everything = by_photo(shop, RED)
    floor = everything.matches[1].score
    answer = by_photo(shop, RED, min_score=floor)
    assert ranked(answer) == ranked(everything)[:2]
    assert answer.total == 2
    assert by_photo(shop, RED, min_score=floor, offset=1, limit=1).total == 2


def test_an_offset_past_the_end_gives_an_empty_page(shop: Store) -> None:
    answer = by_photo(shop, RED, offset=4)
    assert (ranked(answer), answer.total) == ([], 4)


def test_an_empty_catalogue_answers_with_an_empty_page(store: Store) -> None:
    answer = by_photo(store, RED)
    assert (ranked(answer), answer.total, answer.seq) == ([], 0, 0)


def test_a_photo_that_cannot_be_used_is_refused(shop: Store) -> None:
    with pytest.raises(TruncatedImageError):
        shop.by_photos([png(RED)[:60]], SearchParameters())


def test_a_box_searches_with_a_part_of_the_photo(shop: Store) -> None:
    two_halves = Image.new("RGB", (64, 32), GREEN)
    two_halves.paste(RED, (0, 0, 32, 32))
    file = io.BytesIO()
    two_halves.save(file, "PNG")
    for box, expected in (("0,0,0.5,1", "red"), ("0.5,0,1,1", "green")):
        parameters = SearchParameters(limit=1, box=box)
        assert ranked(shop.by_photos([file.getvalue()], parameters)) == [expected]


@pytest.mark.parametrize("box", ["0,0,0,1", "0.5,0,2,1", "0,0,1.2.3,1"])
def test_a_box_outside_of_the_photo_is_refused(shop: Store, box: str) -> None:
    with pytest.raises(BadParameterError, match="box"):
        shop.by_photos([png(RED)], SearchParameters(box=box))


def test_the_next_search_sees_every_change(shop: Store) -> None:
    before = by_photo(shop, RED)
    shop.add(shop.row("newer", RED), shop.row("green", RED, title="red now"))
    with shop.catalog.writer() as writer:
        writer.remove(["red"])
    answer = by_photo(shop, RED, limit=2)
    assert ranked(answer) == ["green", "newer"]
    assert answer.matches[0].product.attributes == {"title": "red now"}
    assert answer.seq > before.seq


def test_photos_are_not_compared_with_vectors_of_another_model(store: Store) -> None:
    with store.catalog.writer() as writer:
        writer.bind(fingerprint="another", weights="theirs", dimension=2)
        vector = np.array([1, 0], np.float32)
        writer.put([PutProduct("p", {}, (NewImage("u", "u", "h", vector),))])
    with pytest.raises(FingerprintMismatchError, match=r"made with embedding\.weights theirs"):
        by_photo(store, RED)
    answer = store.searcher.by_product("p", SearchParameters(), include_itself=True)
    assert ranked(answer) == ["p"]


def test_the_document_has_the_fields_of_the_contract(shop: Store) -> None:
    document = by_photo(shop, RED, limit=1).document()
    assert set(document) == {"query_id", "collection", "seq", "total", "took_ms", "results"}
    assert set(document["took_ms"]) == {"decode", "queue", "embed", "search"}
    (result,) = document["results"]
    found = shop.searcher.by_product("red", SearchParameters(limit=1), include_itself=True)
    image = found.matches[0].image
    path = f"/v1/images/{image.image_id}?collection=default&hash={image.content_hash[:16]}"
    assert result == {
        "product_id": "red",
        "score": 1.0,
        "distance": 0.0,
        "image": "red-0.png",
        "image_url": path,
        "thumbnail_url": f"{path}&width=320",
        "attributes": {"title": "Red", "price": 9.5, "in_stock": True},
    }


# Few directions and few products, so that equal scores and repeated photos are common.
directions = st.integers(0, 7)
photos = st.lists(directions, min_size=1, max_size=3)
catalogues = st.lists(
    st.dictionaries(st.sampled_from("abcdefghij"), st.one_of(st.none(), photos), max_size=6),
    min_size=1,
    max_size=4,
)


def direction(number: int) -> np.ndarray:
    vector = np.random.default_rng(number).standard_normal(8).astype(np.float32)
    return vector / np.linalg.norm(vector)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    wide, wide_other = one.astype(np.float64), other.astype(np.float64)
    lengths = np.linalg.norm(wide) * np.linalg.norm(wide_other)
    return round(float(wide @ wide_other / lengths), 12)  # as a score is: 1 with itself


@given(
    batches=catalogues,
    query=directions,
    offset=st.integers(0, 5),
    limit=st.integers(1, 5),
    floor=st.one_of(st.none(), st.floats(-1, 1)),
)
def test_a_page_is_that_of_a_brute_force_ranking(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[dict[str, list[int] | None]],
    query: int,
    offset: int,
    limit: int,
    floor: float | None,
) -> None:
    store = Store(tmp_path_factory.mktemp("shop"))
    model: dict[str, list[int]] = {}
    with store.catalog.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=8)
        writer.put([_product("query", [query])])
        for batch in batches:
            writer.put(_product(name, of) for name, of in batch.items() if of)
            writer.remove(name for name, of in batch.items() if of is None)
            model |= {name: of for name, of in batch.items() if of}
            model = {name: of for name, of in model.items() if batch.get(name, of) is not None}
            store.searcher.store.refresh()  # so that views advance from views
    cosine = {number: _cosine(direction(number), direction(query)) for number in range(8)}
    expected = sorted((-max(cosine[n] for n in of), name) for name, of in model.items())
    if floor is not None:
        expected = [row for row in expected if -row[0] >= floor]
    parameters = SearchParameters(offset=offset, limit=limit, min_score=floor)
    answer = store.searcher.by_product("query", parameters, include_itself=False)
    page = expected[offset : offset + limit]
    assert [match.product.product_id for match in answer.matches] == [name for _, name in page]
    assert [-match.score for match in answer.matches] == pytest.approx(
        [score for score, _ in page], abs=1e-6
    )
    assert answer.total == len(expected)
    store.catalog.close()


def _product(name: str, of: list[int]) -> PutProduct:
    images = tuple(NewImage(f"{n}", f"{n}", f"{n}", direction(n)) for n in of)
    return PutProduct(name, {}, images)
