"""Photos of queries: each embedded once, none waiting for ever."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from indexer.arrays import Vectors
from indexer.embedding.base import PixelBatch
from indexer.embedding.photos import Timings
from indexer.errors import UnsupportedFormatError
from indexer.images import Box, ImageLimits
from service.engine.batching import Batcher
from service.engine.query_embedder import QueryEmbedder
from service.errors import DeadlineError
from tests.conftest import png
from tests.fakes import FakeEmbedder, GatedEmbedder
from tests.processes import wait_for

LEFT: Box = (0, 0, 0.5, 1)


class Asked:
    """`QueryEmbedder` over a gated model, and what it made the model do."""

    def __init__(self, remembered: int = 10, deadline_s: float = 20) -> None:
        self.embedder = GatedEmbedder()
        self.batcher = Batcher(self.embedder)
        self.photos = QueryEmbedder(self.batcher, ImageLimits(), remembered, deadline_s)
        self._before = self.embedder.images_seen

    @property
    def embedded(self) -> int:
        return self.embedder.images_seen - self._before

    def vectors(self, *photos: bytes, box: Box | None = None) -> Vectors:
        return self.photos.embed(photos, box).vectors

    def open(self) -> "Asked":
        self.embedder.gate.set()
        return self


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.open().batcher.stop()


def test_vectors_are_those_of_the_model_in_the_order_of_the_photos(asked: Asked) -> None:
    photos = [png(colour) for colour in ("red", "green", "blue", "teal", "gold", "navy")]
    received = asked.open().vectors(*photos)
    singly = np.concatenate([asked.vectors(photo) for photo in photos])
    np.testing.assert_array_equal(received, singly)
    assert len({row.tobytes() for row in received}) == len(photos)


def test_a_photo_that_comes_again_is_not_embedded_again(asked: Asked) -> None:
    first = asked.open().vectors(png("red"))
    again = asked.photos.embed([png("red"), png("red")])
    np.testing.assert_array_equal(again.vectors, np.concatenate([first, first]))
    assert asked.embedded == 1
    assert again.timings == Timings()


def test_another_part_of_a_photo_is_another_photo(asked: Asked) -> None:
    asked.open().vectors(png("red"))
    asked.vectors(png("red"), box=LEFT)
    asked.vectors(png("red"), box=LEFT)
    assert asked.embedded == 2


def test_photos_beyond_those_remembered_are_embedded_again_the_oldest_first() -> None:
    asked = Asked(remembered=2).open()
    for colour in ("red", "green", "red", "blue", "red", "green"):
        asked.vectors(png(colour))
    assert asked.embedded == 4  # red stays, as it is asked for; green had to go for blue
    asked.batcher.stop()


def test_equal_photos_that_come_at_the_same_time_are_embedded_once(asked: Asked) -> None:
    with ThreadPoolExecutor(8) as pool:
        coming = [pool.submit(asked.vectors, png("red")) for _ in range(8)]
        wait_for(lambda: asked.embedder.waiting, "reaching the model")
        asked.open()
        rows = [future.result() for future in coming]
    assert len({row.tobytes() for row in rows}) == 1
    assert asked.embedded == 1


def test_photos_that_wait_together_go_together(asked: Asked) -> None:
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(asked.vectors, png("red"))
        wait_for(lambda: asked.embedder.waiting, "reaching the model")
        rest = [pool.submit(asked.vectors, png((0, 0, 9 * n))) for n in range(1, 9)]
        wait_for(lambda: asked.batcher.waiting == 8, "queueing")
        calls = asked.embedder.calls
        asked.open()
        for future in [first, *rest]:
            future.result()
    assert asked.embedder.calls - calls == 1 + 2


def test_a_photo_that_is_none_is_an_error_before_the_model_is_asked_for_the_others(
    asked: Asked,
) -> None:
    for _ in range(2):
        with pytest.raises(UnsupportedFormatError):
            asked.vectors(png("red"), b"no photo")
    asked.open()
    assert asked.vectors(png("red")).shape == (1, asked.embedder.dimension)


def test_a_photo_whose_turn_does_not_come_is_given_up_and_the_next_is_served() -> None:
    asked = Asked(deadline_s=0.05)
    for colour in ("red", "green"):
        with pytest.raises(DeadlineError):
            asked.vectors(png(colour))
    asked.open().batcher.stop()
    assert asked.embedded == 1  # that of the model's turn; nobody waited for the other


def test_a_fault_of_the_model_is_an_error_of_that_photo_alone() -> None:
    class Faulty(FakeEmbedder):
        def embed_batch(self, images: PixelBatch) -> Vectors:
            if images.max() == 255:
                raise RuntimeError("a fault")
            return super().embed_batch(images)

    batcher = Batcher(Faulty())
    photos = QueryEmbedder(batcher, ImageLimits(), 10, 20)
    with pytest.raises(RuntimeError, match="a fault"):
        photos.embed([png("white")])
    assert len(photos.embed([png("black")]).vectors) == 1
    batcher.stop()
