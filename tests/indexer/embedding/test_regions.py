"""The product in a photo is found by what the catalogue holds."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import load_embedder
from indexer.embedding.regions import iou, locate
from indexer.images import crop, decode
from indexer.search import SearchParameters
from tests.conftest import Store, png
from tests.fakes import MeanEmbedder, PoolingEmbedder

MODEL = PoolingEmbedder()
PRODUCTS = MODEL.embed([Image.new("RGB", (50, 50), colour) for colour in ("red", "navy")])
CORNERS = {"upper left": (20, 20), "upper right": (250, 30), "lower left": (10, 260)}


def clutter(seed: int = 0) -> Image.Image:
    """A photo of many colours."""
    colours = np.random.default_rng(seed).integers(0, 256, (10, 9, 3)).astype(np.uint8)
    return Image.fromarray(colours).resize((360, 400), Image.Resampling.NEAREST)


@pytest.mark.parametrize("model", [MODEL, MeanEmbedder()], ids=["max-pooled", "mean"])
@pytest.mark.parametrize("corner", CORNERS.values(), ids=CORNERS)
def test_a_product_in_a_corner_of_clutter_is_found(
    corner: tuple[int, int], model: PoolingEmbedder
) -> None:
    x, y = corner
    products = model.embed([Image.new("RGB", (50, 50), colour) for colour in ("red", "navy")])
    photo = clutter()
    photo.paste("red", (x, y, x + 100, y + 120))
    box = locate(photo, model, products)
    assert box is not None
    true = x / 360, y / 400, (x + 100) / 360, (y + 120) / 400
    assert iou(np.array(box), np.array([true]))[0] > 0.4
    scores = model.embed([photo, crop(photo, box)]) @ products[0]
    assert scores[1] > 0.9 > scores[0]


def test_a_photo_that_its_product_fills_is_left_whole() -> None:
    assert locate(Image.new("RGB", (300, 400), "red"), MODEL, PRODUCTS) is None


def test_without_products_every_photo_is_left_whole() -> None:
    assert locate(clutter(), MODEL, np.empty((0, 0), np.float32)) is None


@given(st.integers(1, 700), st.integers(1, 700), st.integers(0, 9))
def test_a_box_is_within_the_photo_whatever_its_shape(width: int, height: int, seed: int) -> None:
    photo = clutter(seed).resize((width, height))
    if box := locate(photo, MODEL, PRODUCTS):
        x1, y1, x2, y2 = box
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path, PoolingEmbedder())
    store.add(store.row("red", "red"), store.row("navy", "navy"), store.row("olive", "olive"))
    yield store
    store.catalog.close()


def test_a_search_with_box_auto_says_which_part_it_took(store: Store) -> None:
    scene = clutter()
    scene.paste("red", (20, 20, 130, 150))
    file = BytesIO()
    scene.save(file, "PNG")
    answer = store.by_photos([file.getvalue()], SearchParameters(box="auto"))
    assert answer.matches[0].product.product_id == "red"
    assert answer.took_ms["embed"] > 0
    part = ",".join(map(str, answer.box or ()))
    again = store.by_photos([file.getvalue()], SearchParameters(box=part))
    assert again.matches == answer.matches


def test_a_search_with_box_auto_takes_a_plain_photo_whole(store: Store) -> None:
    whole = store.by_photos([png("navy")], SearchParameters())
    auto = store.by_photos([png("navy")], SearchParameters(box="auto"))
    assert auto.matches == whole.matches
    assert auto.has_box
    assert auto.box is None


def test_what_was_removed_is_no_product_to_look_for(store: Store) -> None:
    navy = decode(png("navy"))
    assert len(store.searcher.store.sample(10)) == 3
    with store.catalog.writer() as writer:
        writer.remove(["red", "olive"])
    np.testing.assert_array_equal(store.searcher.store.sample(10), MODEL.embed([navy]))


def test_where_a_real_photo_in_a_corner_is_found_the_box_is_on_it(test_data: Path) -> None:
    model = load_embedder(EmbeddingSettings())
    files = sorted((test_data / "footwear" / "images").iterdir())[:40]
    photos = [decode(file.read_bytes()) for file in files]
    products = model.embed(photos)
    found = []
    for number, photo in enumerate(photos[:5]):
        scene = clutter(number)
        scene.paste(photo.resize((140, 140)), (200, 240))
        box = locate(scene, model, products)
        true = np.array([[200 / 360, 240 / 400, 340 / 360, 380 / 400]])
        if box is not None:
            found.append(float(iou(np.array(box), true)[0]))
    assert found
    assert min(found) > 0.4
