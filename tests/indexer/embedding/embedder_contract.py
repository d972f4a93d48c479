"""What every `Embedder` keeps to: subclass `EmbedderContract` with a fixture `embedder`."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from indexer.embedding import Embedder
from indexer.embedding.attribution import explain
from indexer.embedding.base import PixelBatch
from indexer.errors import UnsupportedByModelError


def photos(count: int, side: int) -> PixelBatch:
    """Different pictures, the same ones at each call: coarse colour patches with some noise."""
    random = np.random.RandomState(count)
    patches = random.randint(0, 256, (count, 4, 4, 3))
    patches = patches.repeat(-(-side // 4), 1).repeat(-(-side // 4), 2)[:, :side, :side]
    noisy = patches + random.randint(-16, 17, patches.shape)
    return noisy.clip(0, 255).astype(np.uint8)


class EmbedderContract:
    """The tests that every embedder passes."""

    @pytest.fixture
    def images(self, embedder: Embedder) -> PixelBatch:
        return photos(5, embedder.spec.input_size)

    def test_a_photo_becomes_a_float32_vector_of_the_stated_dimension(
        self, embedder: Embedder, images: PixelBatch
    ) -> None:
        vectors = embedder.embed_batch(images)
        assert vectors.dtype == np.float32
        assert vectors.shape == (5, embedder.dimension)

    def test_vectors_have_length_one(self, embedder: Embedder, images: PixelBatch) -> None:
        lengths = np.linalg.norm(embedder.embed_batch(images).astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)

    @pytest.mark.parametrize("value", [0, 127, 255])
    def test_a_photo_of_one_colour_has_a_vector_too(self, embedder: Embedder, value: int) -> None:
        side = embedder.spec.input_size
        vectors = embedder.embed_batch(np.full((1, side, side, 3), value, np.uint8))
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-6)

    def test_the_same_photos_give_the_same_vectors(
        self, embedder: Embedder, images: PixelBatch
    ) -> None:
        again = images.copy()
        np.testing.assert_array_equal(embedder.embed_batch(images), embedder.embed_batch(again))

    def test_different_photos_give_different_vectors(
        self, embedder: Embedder, images: PixelBatch
    ) -> None:
        vectors = embedder.embed_batch(images)
        scores = vectors @ vectors.T
        assert scores[~np.eye(5, dtype=bool)].max() < 0.9999

    def test_a_vector_depends_neither_on_its_batch_nor_on_its_place(
        self, embedder: Embedder, images: PixelBatch
    ) -> None:
        together = embedder.embed_batch(images)
        singly = np.concatenate([embedder.embed_batch(image[None]) for image in images])
        backwards = embedder.embed_batch(images[::-1])[::-1]
        np.testing.assert_allclose(singly, together, atol=1e-4)
        np.testing.assert_allclose(backwards, together, atol=1e-4)

    def test_threads_do_not_disturb_each_other(self, embedder: Embedder) -> None:
        batches = [photos(count, embedder.spec.input_size) for count in (1, 2, 3, 4) * 4]
        expected = [embedder.embed_batch(batch) for batch in batches]
        with ThreadPoolExecutor(4) as pool:
            received = list(pool.map(embedder.embed_batch, batches))
        for one, other in zip(received, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)

    def test_an_empty_batch_gives_no_vectors(self, embedder: Embedder) -> None:
        side = embedder.spec.input_size
        vectors = embedder.embed_batch(np.empty((0, side, side, 3), np.uint8))
        assert vectors.shape == (0, embedder.dimension)
        assert vectors.dtype == np.float32
        assert embedder.embed([]).shape == (0, embedder.dimension)

    def test_the_photos_are_left_as_they_were(self, embedder: Embedder, images: PixelBatch) -> None:
        before = images.copy()
        images.flags.writeable = False
        embedder.embed_batch(images)
        np.testing.assert_array_equal(images, before)

    def test_another_shape_or_dtype_is_refused(
        self, embedder: Embedder, images: PixelBatch
    ) -> None:
        wrong = [images[0], images[:, 1:], images[..., :1], images[..., 0]]
        for batch in [*wrong, images.astype(np.float32)]:
            with pytest.raises(ValueError, match=r"expected uint8 .* received"):
                embedder.embed_batch(batch)

    def test_pictures_of_any_size_are_embedded_as_prepared(self, embedder: Embedder) -> None:
        side = embedder.spec.input_size
        pictures = [
            Image.fromarray(photo).resize(size)
            for photo, size in zip(photos(2, side), [(31, 77), (300, 200)], strict=True)
        ]
        prepared = np.stack([embedder.prepare(picture) for picture in pictures])
        assert prepared.shape == (2, side, side, 3)
        assert prepared.dtype == np.uint8
        np.testing.assert_array_equal(embedder.embed(pictures), embedder.embed_batch(prepared))

    @pytest.mark.parametrize(("count", "height", "width"), [(1, 3, 2), (2, 1, 5)])
    def test_the_last_maps_are_given_for_photos_of_any_size(
        self, embedder: Embedder, count: int, height: int, width: int
    ) -> None:
        if embedder.cells is None:
            pytest.skip("the vector is not the mean of maps")
        side = embedder.cells.side
        images = photos(count, 5 * side)[:, : height * side, : width * side]
        maps = embedder.activations(images)
        assert maps.dtype == np.float32
        assert maps.shape[:3] == (count, height, width)
        np.testing.assert_allclose(
            embedder.activations(images[:1]), maps[:1], atol=1e-2 * maps.max()
        )

    def test_maps_of_other_sides_or_dtypes_are_refused(self, embedder: Embedder) -> None:
        side = embedder.cells.side if embedder.cells else 32
        images = np.zeros((1, side, side, 3), np.uint8)
        if embedder.cells is None:
            with pytest.raises(UnsupportedByModelError, match="mean of its feature maps"):
                embedder.activations(images)
            return
        wrong = [images[0], images[:, 1:], images[..., :1], images[:0], images.astype(np.float32)]
        for batch in wrong:
            with pytest.raises(
                ValueError, match=rf"expected uint8 .*multiples of {side}, received"
            ):
                embedder.activations(batch)

    def test_a_heat_map_sums_up_to_a_cosine(self, embedder: Embedder) -> None:
        if embedder.cells is None:
            pytest.skip("the vector is not the mean of maps")
        photo, other = (Image.fromarray(photo) for photo in photos(2, embedder.spec.input_size))
        grid = explain(photo, embedder.embed([other])[0], embedder)
        side = grid.shape[0] * embedder.cells.side
        assert grid.shape == (side // embedder.cells.side,) * 2
        assert -1 <= grid.sum() <= 1
