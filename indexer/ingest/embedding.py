"""Computes the vectors of photos; each photo is embedded once."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vector, batched
from indexer.embedding import Embedder, EmbeddingSpec
from indexer.ingest.reading import Photo, Prepared, RowReader
from indexer.store import Records

# Pixels per call of the model: 32 photos of side 80, 4 of side 224. Smaller batches take longer
# per photo, larger ones more memory.
_PIXELS_PER_CALL = 32 * 80 * 80


class RowEmbedder:
    """Looks up or computes the vectors of batches of rows.

    Args:
        records: stored vectors.
        spec: of the vectors.
        embedder: returns the model; called only if there is a photo to embed.
        reader: reads a photo again if its stored vector was removed in the meantime.
    """

    def __init__(
        self,
        records: Records,
        spec: EmbeddingSpec,
        embedder: Callable[[], Embedder],
        reader: RowReader,
    ) -> None:
        self._records = records
        self._embedder = embedder
        self._reader = reader
        self._photos_per_call = max(1, _PIXELS_PER_CALL // spec.input_size**2)

    def vectors(
        self, batch: Sequence[Prepared], before: dict[str, Vector]
    ) -> tuple[dict[str, Vector], int]:
        """Returns the vector of each photo of a batch by content hash, and the number of new ones.

        Args:
            batch: rows.
            before: vectors of the previous batch, which may not be committed yet.
        """
        photos = {p.content_hash: p for prepared in batch for p in prepared.photos}
        vectors = {key: before[key] for key in photos if key in before}
        vectors |= {key: p.vector for key, p in photos.items() if p.vector is not None}
        vectors |= self._stored(photos.keys() - vectors)
        new = [photo for key, photo in photos.items() if key not in vectors]
        for chunk in batched(new, self._photos_per_call):
            pixels = np.stack([self._pixels(photo) for photo in chunk])
            embedded = self._embedder().embed_batch(pixels)
            vectors |= {p.content_hash: v for p, v in zip(chunk, embedded, strict=True)}
        return vectors, len(new)

    def _stored(self, content_hashes: set[str]) -> dict[str, Vector]:
        with self._records.reader() as reader:
            known = reader.known_photos(content_hashes)
            ids, stored = reader.vectors(list(known.values()))
        by_id = dict(zip(ids.tolist(), stored, strict=True))
        return {content_hash: by_id[image_id] for content_hash, image_id in known.items()}

    def _pixels(self, photo: Photo) -> NDArray[np.uint8]:
        if photo.pixels is not None:
            return photo.pixels
        # Its vector was stored when it was read, but an earlier batch replaced the only product
        # that had it.
        return self._reader.read_again(photo)
