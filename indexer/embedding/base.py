"""The interface of an embedding engine."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.arrays import Vectors, normalised
from indexer.embedding.head import Head
from indexer.embedding.pooling import pooled
from indexer.embedding.spec import EmbeddingSpec
from indexer.errors import UnsupportedByModelError, WeightsError

Pixels = NDArray[np.uint8]  # (side, side, 3), RGB
PixelBatch = NDArray[np.uint8]  # (n, side, side, 3), RGB
Maps = NDArray[np.float32]  # (n, height / cell, width / cell, channels)

# Means of blue, green and red that VGG16 was trained with.
MEAN_BGR = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class Cells:
    """How the last feature maps cover a photo; their mean over the positions is its vector.

    Attributes:
        side: input pixels per position, in either direction.
        fewest: smallest number of positions in either direction.
        max_pooled: blocks of 2 x 2 positions are max-pooled before the mean.
    """

    side: int
    fewest: int = 1
    max_pooled: bool = False


# Of the convolutions of VGG16, without dense layers.
VGG16_CELLS = Cells(16, fewest=2, max_pooled=True)


class Embedder(ABC):
    """Turns photos into vectors of length 1. Thread-safe.

    Attributes:
        spec: everything that determines the vectors; vectors of equal fingerprints are comparable.
        runs_on: the engine and its number format, as shown to users.
        cells: how the last feature maps cover a photo; None if the vector does not come from their
            mean.
        head: linear layer between that mean and the vector; None if there is none.
    """

    spec: EmbeddingSpec
    runs_on: str
    cells: Cells | None = None
    head: Head | None = None

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.spec.dimension

    @abstractmethod
    def embed_batch(self, images: PixelBatch) -> Vectors:
        """Embeds prepared photos.

        Args:
            images: uint8 (n, side, side, 3), RGB, with `spec.input_size` as side; n may be 0.

        Returns:
            float32 (n, dimension); row i is the unit vector of `images[i]`.

        Raises:
            ValueError: `images` has another dtype or shape.
            WeightsError: the model outputs values that are not finite.
        """

    @abstractmethod
    def activations(self, images: PixelBatch) -> Maps:
        """Computes the last feature maps, of which `cells` says how they cover the photo.

        Args:
            images: uint8 (n, height, width, 3), RGB, n at least 1; height and width are
                multiples of `cells.side`, independent of `spec.input_size`.

        Returns:
            float32 (n, height / cells.side, width / cells.side, channels).

        Raises:
            UnsupportedByModelError: `cells` is None.
            ValueError: `images` has another dtype or shape.
        """

    def required_cells(self) -> Cells:
        """Returns `cells`.

        Raises:
            UnsupportedByModelError: it is None.
        """
        if self.cells is None:
            whitening = " and whitening" if self.spec.whitening_sha256 else ""
            raise UnsupportedByModelError(
                f"box=auto and explanations need a model whose vector is the mean of its feature"
                f" maps, which {self.spec.model} with {self.spec.pooling} pooling{whitening} is"
                " not; use a box of your own, or the whole photo"
            )
        return self.cells

    def projected(self, features: NDArray[np.floating]) -> Vectors:
        """Returns the vectors of features (n, channels): normalised, through the head if any."""
        vectors = unit_rows(features)
        return unit_rows(self.head(vectors)) if self.head else vectors

    def prepare(self, image: Image.Image) -> NDArray[np.uint8]:
        """Resizes an RGB photo of any size to uint8 (side, side, 3), as `spec` says."""
        return self.spec.square(image)

    def embed(self, images: Sequence[Image.Image]) -> Vectors:
        """Embeds RGB photos of any size as one batch: float32 (n, dimension)."""
        side = self.spec.input_size
        prepared = np.empty((len(images), side, side, 3), np.uint8)
        for row, image in zip(prepared, images, strict=True):
            row[...] = self.prepare(image)
        return self.embed_batch(prepared)

    def _check(self, images: PixelBatch) -> None:
        side = self.spec.input_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise ValueError(
                f"expected uint8 of shape (n, {side}, {side}, 3), received {images.dtype} of shape"
                f" {images.shape}; use `prepare`"
            )

    def _check_sides(self, images: PixelBatch) -> None:
        shape, side = images.shape, self.required_cells().side
        if (
            images.dtype != np.uint8
            or images.ndim != 4
            or shape[3] != 3
            or 0 in shape
            or shape[1] % side
            or shape[2] % side
        ):
            raise ValueError(
                f"expected uint8 of shape (n, height, width, 3), sides multiples of {side},"
                f" received {images.dtype} of shape {shape}"
            )


def vectors_of(outputs: NDArray[np.floating], spec: EmbeddingSpec) -> Vectors:
    """Returns the unit vectors of a model's outputs: rows (n, d), or maps, which are pooled.

    Raises:
        WeightsError: a value is not finite.
    """
    return unit_rows(pooled(outputs, spec.pooling) if outputs.ndim == 4 else outputs)


def unit_rows(features: NDArray[np.floating]) -> Vectors:
    """Scales the rows of features (n, d) to length 1.

    A photo that activates no channel of the model gives a row of zeros, for which no cosine is
    defined. It becomes the uniform vector 1/sqrt(d), so that the photo can be stored and
    searched for. It equals other such photos and is close to a photo that activates all channels
    alike.

    Raises:
        WeightsError: a value is not finite, which only damaged weights produce.
    """
    if not np.isfinite(features).all():
        raise WeightsError(
            "the model outputs values that are not finite: its weights are damaged, or training"
            " diverged; set embedding.weights to other weights"
        )
    silent = ~features.any(axis=1, keepdims=True)
    return normalised(np.where(silent, np.ones_like(features), features))
