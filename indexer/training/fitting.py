"""Fits a model to labels, and measures the procedure by cross-validation."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.arrays import Ids, Vectors
from indexer.embedding.head import Head
from indexer.training.checkpoint import Checkpoint
from indexer.training.loop import Course, Loop
from indexer.training.split import validation

SAVED_EVERY_S = 20.0


@dataclass(frozen=True)
class Stage:
    """What a fit does at the moment, as shown to users.

    Attributes:
        fold: that is held out; None if none is.
        course: of the training.
    """

    fold: int | None
    course: Course


@dataclass(frozen=True)
class Fitting:
    """Fits models to parts of the photos.

    The number of epochs is found on `VALIDATION` of the products; then the model is trained again
    on all products of the part for as many epochs.

    Attributes:
        loop: trains.
        features: (photos, d), unit vectors of the base model, which the head starts from.
        dimension: of the new vectors.
        checkpoint: of what is done.
        report: called after each epoch.
    """

    loop: Loop
    features: Vectors
    dimension: int
    checkpoint: Checkpoint
    report: Callable[[Stage], None]

    def cross_validate(self, folds: Ids, count: int) -> Vectors:
        """Fits a model without each fold, which then embeds the photos of that fold.

        Args:
            folds: (products,), the fold of each.
            count: of folds.

        Returns:
            (photos, dimension); vectors of different folds are not comparable.
        """
        photo_folds = folds[self.loop.examples.photos.owners]
        vectors = np.empty((len(photo_folds), self.dimension), np.float32)
        for fold in range(count):
            held_out = np.flatnonzero(photo_folds == fold)
            done = self.checkpoint.load(f"fold-{fold}")
            if done is None:
                self.fit(np.flatnonzero(photo_folds != fold), fold)
                done = {"vectors": self.loop.vectors(held_out)}
                self.checkpoint.save(f"fold-{fold}", done)
                self.checkpoint.remove(f"without-{fold}-")
            vectors[held_out] = done["vectors"]
        return vectors

    def fit(self, rows: Ids, fold: int | None = None) -> int:
        """Trains on photos; leaves the trainer in its final state and returns the epochs.

        Args:
            rows: the numbers of the photos.
            fold: that is held out; None if none is.
        """
        training, stopping = (
            rows[part] for part in validation(self.loop.examples.keep(rows), self.loop.seed)
        )
        name = "all" if fold is None else f"without-{fold}"
        search, refit = f"{name}-search", f"{name}-refit"
        best = self.loop.search(
            self._course(search, training), training, stopping, self._reporter(search, fold)
        )
        self.loop.run(self._course(refit, rows), rows, best, self._reporter(refit, fold))
        return best

    def _course(self, name: str, rows: Ids) -> Course:
        """Returns the course of an interrupted run, or a new one."""
        if saved := self.checkpoint.load(name):
            state = [saved[str(number)] for number in range(len(saved) - 2)]
            return Course(state, int(saved["epochs"]), saved["scores"].tolist())
        self.loop.trainer.reset(initial_head(self.features[rows], self.dimension))
        return Course(self.loop.trainer.state())

    def _reporter(self, name: str, fold: int | None) -> Callable[[Course], None]:
        saved_at = time.monotonic()

        def report(course: Course) -> None:
            nonlocal saved_at
            self.report(Stage(fold, course))
            if time.monotonic() - saved_at > SAVED_EVERY_S:
                arrays = {str(number): array for number, array in enumerate(course.state)}
                epochs, scores = np.array(course.epochs), np.array(course.scores)
                self.checkpoint.save(name, {**arrays, "epochs": epochs, "scores": scores})
                saved_at = time.monotonic()

        return report


def initial_head(features: Vectors, dimension: int) -> Head:
    """Returns the centred projection onto the principal components of features (n, d)."""
    mean = features.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(np.cov((features - mean).T, bias=True))
    kernel = axes[:, ::-1][:, :dimension]
    return Head(kernel.astype(np.float32), (-mean @ kernel).astype(np.float32))
