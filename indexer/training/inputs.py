"""Photos as the inputs of a model: embedded once, or read again in each epoch."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import EmbeddingSpec
from indexer.embedding.base import PixelBatch
from indexer.embedding.photos import prepare
from indexer.evaluation.embedding import Embedded
from indexer.evaluation.preparing import readable
from indexer.evaluation.tasks import PhotoSet
from indexer.images import ImageLimits
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import Examples

_READERS = 4
_CHUNK = 1024  # photos between two checkpoints


@dataclass(frozen=True)
class PhotoInputs:
    """Photos, prepared for the model; in training, half of them are mirrored.

    Attributes:
        photos: all of them.
        read: returns the bytes of the file at a location.
        spec: of the model.
        limits: maximum size of a photo.
    """

    photos: PhotoSet
    read: Callable[[str], bytes]
    spec: EmbeddingSpec
    limits: ImageLimits

    def __call__(self, rows: Ids, random: np.random.RandomState | None) -> PixelBatch:
        """Reads photos (n,): uint8 (n, side, side, 3).

        Raises:
            ImageError: a photo can no longer be read.
        """
        locations = [self.photos.locations[row] for row in rows.tolist()]
        with ThreadPoolExecutor(_READERS) as pool:
            pixels = np.stack(list(pool.map(self._prepared, locations)))
        if random is not None:
            mirrored = random.random_sample(len(pixels)) < 0.5
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        return pixels

    def _prepared(self, location: str) -> PixelBatch:
        return prepare(self.read(location), self.limits, self.spec)


@dataclass(frozen=True)
class TrainingData:
    """What a model learns from.

    Attributes:
        examples: photos and labels.
        features: (photos, d), the vectors of the base model.
        photos: the photos themselves, to train the last convolutions too; None trains the head
            alone.
        errors: location and reason of photos that cannot be read, which are left out.
    """

    examples: Examples
    features: Vectors
    photos: PhotoInputs | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


def embedded(
    examples: Examples, embed: Callable[[PhotoSet], Embedded], checkpoint: Checkpoint
) -> TrainingData:
    """Embeds photos, except those that a run before has embedded.

    Args:
        examples: the photos.
        embed: embeds some of them.
        checkpoint: of those that are done.

    Returns:
        The readable photos, with the hashes of their files.

    Raises:
        LabelsError: no photo can be read.
    """
    vectors: list[Vectors] = []
    hashes: list[str] = []
    errors: dict[str, str] = {}
    for start in range(0, len(examples.photos), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(examples.photos)))
        name = f"vectors-{start}"
        if (done := checkpoint.load(name)) is None:
            part = embed(examples.photos.keep(rows))
            done = {
                "vectors": part.vectors,
                "hashes": np.array(part.content_hashes),
                "errors": np.array(list(part.errors.items()), str).reshape(-1, 2),
            }
            checkpoint.save(name, done)
        vectors.append(done["vectors"])
        hashes += done["hashes"].tolist()
        errors |= dict(done["errors"].tolist())
    good = readable(examples.photos, errors)
    return TrainingData(
        examples.with_hashes(hashes).keep(good), np.concatenate(vectors)[good], errors=errors
    )
