"""What `finetune` learns from: the products of the collection, or of a feed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.progress import Progress

from indexer import __version__
from indexer.arrays import Vectors
from indexer.cli.app import App, log
from indexer.cli.options import require_label
from indexer.embedding import EmbeddingSpec
from indexer.embedding.kinds import require
from indexer.evaluation.embedding import Embedded, embed
from indexer.evaluation.labels import labelled_collection, labelled_feed, vectors_of
from indexer.evaluation.tasks import PhotoSet
from indexer.feeds import Rejection, read_feed
from indexer.store.places import location_of
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import Examples, joined
from indexer.training.inputs import PhotoInputs, TrainingData, embedded
from indexer.training.run import Options


@dataclass(frozen=True)
class Material:
    """What to learn from.

    Attributes:
        examples: photos and labels.
        source: of the photos, as shown.
        vectors: (photos, d), stored ones; None if the photos must be embedded.
        rejected: rows of a feed that cannot be used.
    """

    examples: Examples
    source: str
    vectors: Vectors | None = None
    rejected: Sequence[Rejection] = ()

    def key(self, *more: object) -> str:
        """Returns a hash of the photos, their labels, the version of the program, and `more`."""
        examples = self.examples
        photos = examples.photos
        parts = (
            [photos.product_ids, photos.owners.tolist(), photos.locations, photos.content_hashes],
            [dict(examples.names), examples.labels.tolist(), examples.families.tolist()],
            [__version__, *map(str, more)],
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]

    def data(
        self, app: App, spec: EmbeddingSpec, options: Options, saved: Checkpoint
    ) -> TrainingData:
        """Returns the photos that can be read, with their vectors.

        Args:
            app: of the command.
            spec: of the model.
            options: of the training.
            saved: vectors that a run before has computed.

        Raises:
            LabelsError: no photo can be read.
        """
        if self.vectors is not None:
            data = TrainingData(self.examples, self.vectors)
        else:
            data = self._embedded(app, saved)
        if not options.unfrozen:
            return data
        limits = app.settings.images.limits()
        photos = PhotoInputs(data.examples.photos, app.photos.read, spec, limits)
        return replace(data, photos=photos)

    def _embedded(self, app: App, saved: Checkpoint) -> TrainingData:
        with Progress(console=log) as progress:
            task = progress.add_task("embedding", total=len(self.examples.photos))

            def embed_part(photos: PhotoSet) -> Embedded:
                return embed(
                    photos,
                    app.photos.read,
                    app.embedder(),
                    app.settings.images.limits(),
                    partial(progress.advance, task),
                )

            return embedded(self.examples, embed_part, saved)


def labelled_photos(
    app: App, feed: Path | None, labels: Sequence[str], *, stored: bool
) -> Material:
    """Returns the photos of a feed, or without one those of the collection.

    Args:
        app: of the command.
        feed: a feed or a folder.
        labels: names of attributes.
        stored: use the vectors of the collection.

    Raises:
        BadParameterError: a label is empty.
        FingerprintMismatchError: the vectors of the collection were made with other settings.
        LabelsError: no product has one of the labels.
    """
    for label in labels:
        require_label(label)
    return _from_feed(feed, labels) if feed else _from_collection(app, labels, stored=stored)


def _from_feed(feed: Path, labels: Sequence[str]) -> Material:
    rows = list(read_feed(feed))
    everything, rejected = labelled_feed(rows, None)
    by_column = {label: labelled_feed(rows, label)[0] for label in labels}
    return Material(joined(everything, by_column), str(feed), rejected=rejected)


def _from_collection(app: App, labels: Sequence[str], *, stored: bool) -> Material:
    locate = partial(location_of, app.folder())
    with app.catalog().reader() as reader, log.status("reading the catalogue"):
        everything = labelled_collection(reader, None, locate)
        by_column = {label: labelled_collection(reader, label, locate) for label in labels}
        examples = joined(everything, by_column)
        if stored:
            require(reader, app.spec)
        vectors = vectors_of(reader, examples.image_ids) if stored else None
    return Material(examples, f"collection {app.collection}", vectors)
