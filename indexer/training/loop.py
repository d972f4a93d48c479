"""Trains a model until the retrieval on validation photos stops improving."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Ids, Vectors
from indexer.embedding.head import Head
from indexer.evaluation.metrics import nearest_is_right
from indexer.training.batches import batches
from indexer.training.examples import NONE, Examples

MAX_EPOCHS = 60
PATIENCE = 10  # epochs without improvement
# Comparing each of this many photos with each other takes a second.
_MAX_QUERIES = 2048
_MAX_OTHERS = 2048
_PHOTOS_PER_CALL = 256

State = list[NDArray[Any]]


class Trainer(Protocol):
    """A model that is trained step by step; see `indexer.embedding.finetuning.Trainer`."""

    def reset(self, head: Head) -> None:
        """Starts again from a head."""
        ...

    def step(self, inputs: Any, labels: Ids, products: Ids) -> None:
        """Does one step of gradient descent."""
        ...

    def vectors(self, inputs: Any) -> Vectors:
        """Returns the unit vectors of inputs."""
        ...

    def state(self) -> State:
        """Returns all that training changes."""
        ...

    def restore(self, state: State) -> None:
        """Continues from a state."""
        ...


# Inputs of the model for photos (n,), varied at random if a generator is given.
Inputs = Callable[[Ids, np.random.RandomState | None], Any]


@dataclass
class Course:
    """How far a training is.

    Attributes:
        state: of the trainer after the last epoch.
        epochs: their number.
        scores: precision@1 of the validation photos, before training and after each epoch; empty
            without them.
    """

    state: State
    epochs: int = 0
    scores: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The first epoch with the highest score; 0 is before training."""
        return int(np.argmax(self.scores))

    @property
    def stopped(self) -> bool:
        """Whether the score has not improved for long."""
        return self.epochs >= MAX_EPOCHS or self.epochs - self.best_epoch >= PATIENCE


Report = Callable[[Course], None]


@dataclass(frozen=True)
class Loop:
    """Trains a model on some of the photos.

    Attributes:
        trainer: of the model.
        inputs: returns its inputs.
        examples: all photos.
        seed: of the batches.
    """

    trainer: Trainer
    inputs: Inputs
    examples: Examples
    seed: int

    def search(self, course: Course, training: Ids, validation: Ids, report: Report) -> int:
        """Trains until the score on validation photos stops improving; returns the best epoch.

        Args:
            course: to continue.
            training: numbers of the photos to learn from.
            validation: numbers of the photos to measure on.
            report: called after each epoch.
        """
        random = np.random.RandomState(self.seed)
        queries = random.permutation(validation)[:_MAX_QUERIES]
        others = random.permutation(training)[:_MAX_OTHERS]
        self.trainer.restore(course.state)
        if not course.scores:
            course.scores.append(self._precision(queries, others))
        while not course.stopped:
            self._epoch(course, training)
            course.scores.append(self._precision(queries, others))
            report(course)
        return course.best_epoch

    def run(self, course: Course, training: Ids, epochs: int, report: Report) -> None:
        """Trains for a number of epochs in all; otherwise as `search`."""
        self.trainer.restore(course.state)
        while course.epochs < epochs:
            self._epoch(course, training)
            report(course)

    def _epoch(self, course: Course, training: Ids) -> None:
        random = np.random.RandomState([self.seed, course.epochs])
        labels, owners = self.examples.photo_labels, self.examples.photos.owners
        for rows in batches(self.examples, training, random):
            self.trainer.step(self.inputs(rows, random), labels[rows], owners[rows])
        course.state = self.trainer.state()
        course.epochs += 1

    def _precision(self, queries: Ids, others: Ids) -> float:
        """Returns the share of queries whose nearest photo has their label.

        They search among each other and the others, without photos of their own product. The mean
        over the columns of labels.
        """
        rows = np.concatenate([queries, others])
        vectors, owners = self.vectors(rows), self.examples.photos.owners[rows]
        measured = np.arange(len(rows)) < len(queries)
        shares = []
        for column in self.examples.photo_labels[rows].T:
            known = column != NONE
            products = np.unique(np.stack([column[known], owners[known]]), axis=1)[0]
            able = np.bincount(products, minlength=column.max() + 1)[column[known]] > 1
            able &= measured[known]
            if able.any():
                right = nearest_is_right(vectors[known], column[known], owners[known])
                shares.append(right[able].mean())
        return float(np.mean(shares))

    def vectors(self, rows: Ids) -> Vectors:
        """Returns the vectors of photos by the model as it is now."""
        parts = [
            self.trainer.vectors(self.inputs(rows[start : start + _PHOTOS_PER_CALL], None))
            for start in range(0, len(rows), _PHOTOS_PER_CALL)
        ]
        return np.concatenate(parts)
