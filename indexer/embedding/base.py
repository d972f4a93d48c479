"""What every engine promises."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vectors, normalised
from indexer.embedding.resize import resize
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import WeightsError

Pixels = NDArray[np.uint8]  # (side, side, 3), RGB
Photos = NDArray[np.uint8]  # (n, side, side, 3), RGB
Maps = NDArray[np.float32]  # (n, height / 16, width / 16, 512)

# What ImageNet VGG16 was trained with: mean of blue, green and red.
MEAN_BGR = (103.939, 116.779, 123.68)
CELL = 16  # pixels per value of the last maps, in either direction


class Embedder(ABC):
    """Turns photos into vectors of length 1. Safe to call from several threads at once.

    Attributes:
        spec: what decides the vectors; those of equal fingerprints may be compared.
        runs_on: the engine and its number format, for people.
    """

    spec: EmbeddingSpec
    runs_on: str

    @property
    def dimension(self) -> int:
        """Values per vector."""
        return self.spec.dimension

    @abstractmethod
    def embed_batch(self, images: Photos) -> Vectors:
        """Embeds prepared photos.

        Args:
            images: uint8 (n, side, side, 3), RGB, side as in `spec.input_size`; n may be 0.

        Returns:
            float32 (n, dimension), row i of length 1 and belonging to `images[i]`.

        Raises:
            ValueError: another dtype or shape.
            WeightsError: the network answers with values that are not finite.
        """

    @abstractmethod
    def activations(self, images: Photos) -> Maps:
        """The last convolution's maps, before they are pooled: what is where in a photo.

        Args:
            images: uint8 (n, height, width, 3), RGB, n at least 1; height and width are any
                multiples of 16, whatever `spec.input_size` is.

        Returns:
            float32 (n, height / 16, width / 16, channels), 0 or more in a real network.

        Raises:
            ValueError: another dtype or shape.
        """

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """An RGB photo of any size as uint8 (side, side, 3), resized as `spec` says."""
        return resize(image, self.spec.input_size, self.spec.resize)

    def embed(self, images: Sequence[Image.Image]) -> Vectors:
        """Embeds RGB photos of any sizes in one batch: float32 (n, dimension)."""
        side = self.spec.input_size
        prepared = np.empty((len(images), side, side, 3), np.uint8)
        for row, image in zip(prepared, images, strict=True):
            row[...] = self.prepare(image)
        return self.embed_batch(prepared)

    def _check(self, images: Photos) -> None:
        side = self.spec.input_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise ValueError(
                f"expected uint8 of shape (n, {side}, {side}, 3), received {images.dtype} of shape"
                f" {images.shape}; `prepare` makes the right one"
            )

    def _check_sides(self, images: Photos) -> None:
        shape = images.shape
        if (
            images.dtype != np.uint8
            or images.ndim != 4
            or shape[3] != 3
            or 0 in shape
            or shape[1] % CELL
            or shape[2] % CELL
        ):
            raise ValueError(
                f"expected uint8 of shape (n, height, width, 3), sides multiples of {CELL},"
                f" received {images.dtype} of shape {shape}"
            )


def unit_rows(features: NDArray[np.floating]) -> Vectors:
    """Features (n, d) scaled to length 1.

    A photo that excites nothing in the network gives zeros, which have no direction and so
    no cosine to anything. Such a row becomes the even vector 1/sqrt(d), of which nothing can
    be read either: the photo can be stored and searched with, is equal to its like, and is
    near to other photos only as far as they excite everything alike.

    Raises:
        WeightsError: a value is not finite, which only damaged weights produce.
    """
    if not np.isfinite(features).all():
        raise WeightsError(
            "the network answers with values that are not finite; its weights are damaged or"
            " diverged in training: use others (setting embedding.weights)"
        )
    silent = ~features.any(axis=1, keepdims=True)
    return normalised(np.where(silent, np.ones_like(features), features))
