"""Photos to vectors, for measuring a model."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

import numpy as np

from indexer.arrays import Vectors, batched
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.embedding.base import Pixels
from indexer.embedding.photos import prepare
from indexer.errors import ImageError
from indexer.evaluation.tasks import PhotoSet
from indexer.images import ImageLimits

# Pixels per call of the model, as when indexing: more take memory, fewer take longer each.
_PIXELS_PER_CALL = 32 * 80 * 80
_READERS = 4


@dataclass(frozen=True)
class Embedded:
    """The result of embedding photos.

    Attributes:
        vectors: (photos, dimension); zeros for photos that cannot be read.
        content_hashes: of each photo; empty for those that cannot be read.
        errors: location and reason of those that cannot be read.
    """

    vectors: Vectors
    content_hashes: list[str]
    errors: dict[str, str]


def embed(
    photos: PhotoSet,
    read: Callable[[str], bytes],
    embedder: Embedder,
    limits: ImageLimits,
    progress: Callable[[int], None],
) -> Embedded:
    """Reads, decodes and embeds photos.

    Args:
        photos: to embed.
        read: returns the bytes of the file at a location.
        embedder: the model.
        limits: maximum size of a photo.
        progress: called with a number of photos that are done.
    """
    prepared = partial(_prepared, photos, read, embedder.spec, limits)
    vectors = np.zeros((len(photos), embedder.dimension), np.float32)
    hashes = [""] * len(photos)
    errors: dict[str, str] = {}
    size = max(1, _PIXELS_PER_CALL // embedder.spec.input_size**2)
    with ThreadPoolExecutor(_READERS) as pool:
        for batch in batched(range(len(photos)), size):
            good: dict[int, Pixels] = {}
            for place, found in zip(batch, pool.map(prepared, batch), strict=True):
                if isinstance(found, ImageError):
                    errors[photos.locations[place]] = str(found)
                else:
                    hashes[place], good[place] = found
            if good:
                vectors[list(good)] = embedder.embed_batch(np.stack(list(good.values())))
            progress(len(batch))
    return Embedded(vectors, hashes, errors)


def _prepared(
    photos: PhotoSet,
    read: Callable[[str], bytes],
    spec: EmbeddingSpec,
    limits: ImageLimits,
    place: int,
) -> tuple[str, Pixels] | ImageError:
    """Returns the hash of a file and the input of the model, or why there is none."""
    try:
        data = read(photos.locations[place])
        return sha256(data).hexdigest(), prepare(data, limits, spec, photos.boxes[place])
    except ImageError as error:
        return error
