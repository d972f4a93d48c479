"""A whole training: from photos, labels and a base model to new weights and their measurement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import EmbeddingSpec
from indexer.embedding.head import Head, HeadManifest
from indexer.embedding.weights import LayerWeights
from indexer.training.checkpoint import Checkpoint
from indexer.training.examples import Examples
from indexer.training.fitting import Fitting, Stage, initial_head
from indexer.training.inputs import PhotoInputs
from indexer.training.loop import Inputs, Loop
from indexer.training.split import folds


@dataclass(frozen=True)
class Options:
    """What decides a training.

    Attributes:
        dimension: length of the new vectors.
        folds: number of parts of the products, each of which is held out once.
        seed: of everything random.
    """

    dimension: int
    folds: int
    seed: int


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        head: trained on all products.
        convolutions: that belong to it.
        manifest: what the head was trained for.
        epochs: of the training on all products; 0 if training did not help.
        folds: (products,), the fold of each.
        vectors: (photos, dimension), each by a model that was trained without its fold.
    """

    head: Head
    convolutions: LayerWeights
    manifest: HeadManifest
    epochs: int
    folds: Ids
    vectors: Vectors


@dataclass(frozen=True)
class Base:
    """The model to start from.

    Attributes:
        spec: of the model.
        convolutions: of the model.
        features: (photos, d), its vectors.
        photos: to train the last convolutions too; None trains the head alone.
    """

    spec: EmbeddingSpec
    convolutions: LayerWeights
    features: Vectors
    photos: PhotoInputs | None = None


def train(
    base: Base,
    examples: Examples,
    options: Options,
    checkpoint: Checkpoint,
    report: Callable[[Stage], None],
) -> Trained:
    """Trains a head on all products, after measuring the procedure by cross-validation.

    Args:
        base: the model to start from.
        examples: all photos.
        options: see there.
        checkpoint: of what a run before has done.
        report: called after each epoch.

    Raises:
        LabelsError: there are too few products to divide.
        ImageError: a photo can no longer be read.
    """
    of_products = folds(examples, options.folds, options.seed)
    from indexer.embedding.finetuning import Trainer  # imports TensorFlow, which takes seconds

    spec, photos = base.spec, base.photos
    trainer = Trainer(
        initial_head(base.features, options.dimension),
        base.convolutions if photos else None,
        spec.pooling,
    )
    inputs: Inputs = photos or (lambda rows, _: base.features[rows])
    fitting = Fitting(
        Loop(trainer, inputs, examples, options.seed),
        base.features,
        options.dimension,
        checkpoint,
        report,
    )
    vectors = fitting.cross_validate(of_products, options.folds)
    epochs = fitting.fit(np.arange(len(examples.photos)))
    manifest = HeadManifest(
        model=spec.model,
        input_size=spec.input_size,
        resize=spec.resize,
        pooling=spec.pooling,
        features=base.features.shape[1],
        dimension=options.dimension,
        base_fingerprint="" if photos else spec.fingerprint,
    )
    convolutions = trainer.convolutions or base.convolutions
    return Trained(trainer.head, convolutions, manifest, epochs, of_products, vectors)
