"""A whole training: from photos, labels and a base model to new weights and their measurement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding import EmbeddingSpec
from indexer.embedding.head import Head, HeadManifest
from indexer.embedding.weights import LayerWeights
from indexer.training.base import Base
from indexer.training.checkpoint import Checkpoint
from indexer.training.fitting import Fitting, Stage, initial_head
from indexer.training.inputs import TrainingData
from indexer.training.loop import Inputs, Loop
from indexer.training.split import assign_folds


@dataclass(frozen=True)
class Options:
    """What decides a training.

    Attributes:
        dimension: length of the new vectors.
        folds: number of parts of the products, each of which is held out once.
        seed: of everything random.
        unfrozen: block of convolutions that is trained too; None if there is none.
    """

    dimension: int
    folds: int
    seed: int
    unfrozen: str | None = None


@dataclass(frozen=True)
class Trained:
    """The result of a training.

    Attributes:
        base: spec of the model that it started from.
        options: of the training.
        head: trained on all products.
        convolutions: that belong to it.
        epochs: of the training on all products; 0 if training did not help.
        folds: (products,), the fold of each.
        vectors: (photos, dimension), each by a model that was trained without its fold.
    """

    base: EmbeddingSpec
    options: Options
    head: Head
    convolutions: LayerWeights
    epochs: int
    folds: Ids
    vectors: Vectors

    @property
    def manifest(self) -> HeadManifest:
        """What the head was trained for."""
        features, dimension = self.head.kernel.shape
        return HeadManifest(
            model=self.base.model,
            input_size=self.base.input_size,
            resize=self.base.resize,
            pooling=self.base.pooling,
            features=features,
            dimension=dimension,
            base_fingerprint="" if self.options.unfrozen else self.base.fingerprint,
        )


def train(
    base: Base,
    data: TrainingData,
    options: Options,
    checkpoint: Checkpoint,
    report: Callable[[Stage], None],
) -> Trained:
    """Trains a head on all products, after measuring the procedure by cross-validation.

    Args:
        base: the model to start from.
        data: to learn from.
        options: see there.
        checkpoint: of what a run before has done.
        report: called after each epoch.

    Raises:
        LabelsError: there are too few products to divide.
        ImageError: a photo can no longer be read.
    """
    examples, features, photos = data.examples, data.features, data.photos
    folds = assign_folds(examples, options.folds, options.seed)
    from indexer.embedding.finetuning import Trainer  # imports TensorFlow, which takes seconds

    trainer = Trainer(
        initial_head(features, options.dimension),
        base.convolutions if photos else None,
        base.spec.pooling,
    )
    inputs: Inputs = photos or (lambda rows, _: features[rows])
    loop = Loop(trainer, inputs, examples, options.seed)
    fitting = Fitting(loop, features, options.dimension, checkpoint, report)
    vectors = fitting.cross_validate(folds, options.folds)
    epochs = fitting.fit(np.arange(len(examples.photos)))
    convolutions = trainer.convolutions or base.convolutions
    return Trained(base.spec, options, trainer.head, convolutions, epochs, folds, vectors)
