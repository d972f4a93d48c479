"""Parts that behave like the real ones, without what makes those slow."""

import threading
from dataclasses import replace
from threading import Lock

import numpy as np

from indexer.arrays import Vectors
from indexer.embedding.base import VGG16_CELLS, Cells, Embedder, Maps, PixelBatch, unit_rows
from indexer.embedding.spec import EmbeddingSpec

FAKE_SPEC = EmbeddingSpec(
    model="fake",
    weights="fake",
    weights_sha256="0" * 64,
    input_size=16,
    resize="bilinear",
    dimension=48,
)


class FakeEmbedder(Embedder):
    """The mean colours of a 4 x 4 grid: photos of like colours in like places are close.

    Attributes:
        calls: batches embedded so far.
        images_seen: photos embedded so far.
    """

    runs_on = "nothing"

    def __init__(self, spec: EmbeddingSpec = FAKE_SPEC) -> None:
        """`spec.input_size` is a multiple of 4; `dataclasses.replace` makes other fingerprints."""
        self.spec = spec
        self.calls = 0
        self.images_seen = 0
        self._counting = Lock()

    def embed_batch(self, images: PixelBatch) -> Vectors:
        self._check(images)
        with self._counting:
            self.calls += 1
            self.images_seen += len(images)
        cell = self.spec.input_size // 4
        cells = images.reshape(len(images), 4, cell, 4, cell, 3).astype(np.float64)
        # Around mid-grey, so that opposite colours are far apart.
        return unit_rows(cells.mean(axis=(2, 4)).reshape(len(images), self.dimension) - 127.5)

    def activations(self, images: PixelBatch) -> Maps:
        """The mean colours of cells of 16 x 16 pixels."""
        self._check_sides(images)
        count, height, width, _ = images.shape
        side = VGG16_CELLS.side
        tiles = images.reshape(count, height // side, side, width // side, side, 3)
        maps: Maps = tiles.mean(axis=(2, 4), dtype=np.float32)
        return maps


class PoolingEmbedder(FakeEmbedder):
    """The shape of the real model: an embedding is the mean of the last maps, pooled.

    The maps are what the mean colours of cells have above and below mid-grey, which so excites
    nothing.
    """

    cells = VGG16_CELLS

    def __init__(self) -> None:
        super().__init__(replace(FAKE_SPEC, input_size=80, dimension=6))

    def embed_batch(self, images: PixelBatch) -> Vectors:
        maps = self.activations(images)
        count, height, width = (len(maps), maps.shape[1] // 2, maps.shape[2] // 2)
        cells = maps[:, : 2 * height, : 2 * width].reshape(count, height, 2, width, 2, -1)
        return unit_rows(cells.max(axis=(2, 4)).mean(axis=(1, 2)))

    def activations(self, images: PixelBatch) -> Maps:
        colours = super().activations(images) - 127.5
        return np.concatenate([colours.clip(min=0), -colours.clip(max=0)], axis=-1)


class MeanEmbedder(PoolingEmbedder):
    """The shape of models that pool without max-pooling before."""

    cells = Cells(VGG16_CELLS.side)

    def embed_batch(self, images: PixelBatch) -> Vectors:
        return unit_rows(self.activations(images).mean(axis=(1, 2)))


class GatedEmbedder(FakeEmbedder):
    """Waits, once it is warm, until its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.waiting = 0

    def embed_batch(self, images: PixelBatch) -> Vectors:
        if images.any():
            self.waiting += 1
            assert self.gate.wait(20)
        return super().embed_batch(images)
