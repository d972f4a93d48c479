"""An evaluation with the judgements of raters, as one JSON document and as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from indexer.evaluation.bootstrap import LEVEL
from indexer.evaluation.comparison import UNRATED_WRONG, Verdict, compare
from indexer.evaluation.distances import Metric
from indexer.evaluation.document import CHANGED, counts, too_few
from indexer.evaluation.labels import Labelled
from indexer.evaluation.preparing import Embed, Model
from indexer.evaluation.rated import measure_ratings
from indexer.evaluation.rated_queries import PreparedRatings, prepare_ratings
from indexer.evaluation.results import ModelResult, rounded
from indexer.events import Rating

_COVERED = 0.95  # of the first page should be rated


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        distances: between vectors; the first one is the reference of the others.
        k: number of results that count as the first page.
        sample: maximum number of queries.
        seed: of samples and intervals.
        tolerance: to compare the second model with the first, a loss of nDCG@k that is accepted;
            None compares nothing.
    """

    distances: Sequence[Metric]
    k: int
    sample: int
    seed: int
    tolerance: float | None


@dataclass(frozen=True)
class RatedEvaluation:
    """The results of all models and distances on rated queries.

    Attributes:
        models: that were measured.
        prepared: queries and judgements.
        options: how it was measured.
        results: at least one.
        verdict: of a comparison.
    """

    models: Sequence[Model]
    prepared: PreparedRatings
    options: Options
    results: Sequence[ModelResult]
    verdict: Verdict | None

    def sentences(self, source: str, not_common: int) -> Iterator[str]:
        """Yields what a reader of the numbers must know.

        Args:
            source: of the gallery, as shown.
            not_common: photos left out, because not all that is compared has them.
        """
        prepared, judged = self.prepared, self.prepared.judged
        queries = len(prepared.task.own)
        yield (
            f"{queries:,} queries in {source}; ratings: {judged.judgements:,}, raters:"
            f" {judged.raters:,}"
        )
        yield judged.agreement.sentence()
        yield from too_few(queries - self.same_grade)
        counted = {
            "rated queries in all": judged.queries - queries and judged.queries,
            "rated query products that are not among the products searched": len(judged.missing),
            "rated query photos without a file (--photos FOLDER)": judged.without_file,
            "queries left out of nDCG, because all their rated products have the same grade": (
                self.same_grade
            ),
            "photos left out, because they cannot be read": len(prepared.errors),
            CHANGED: prepared.changed,
            "photos left out, because not all that is compared has them": not_common,
        }
        yield from counts(counted)
        for result in self.results:
            rated = result.metrics[self.coverage].value
            lower = result.metrics[self.main_metrics[0] + UNRATED_WRONG].value
            if rated < _COVERED:
                yield (
                    f"{result.name}: {rated:.0%} of the first page is rated; if"
                    f" the rest is wrong, {self.main_metrics[0]} is {lower:.3f}"
                )

    @property
    def same_grade(self) -> int:
        """The number of queries whose rated products all have the same grade."""
        return int(np.count_nonzero(~self.prepared.task.ordered))

    @property
    def main_metrics(self) -> list[str]:
        """The metrics to show first."""
        k = self.options.k
        return [f"nDCG@{k}", f"match@{k}", f"similar@{k}"]

    @property
    def coverage(self) -> str:
        """The metric that says how far the others can be trusted."""
        return f"rated@{self.options.k}"

    def document(self, source: str, not_common: int) -> dict[str, Any]:
        """Returns the evaluation for `--json`; see `sentences`."""
        prepared, judged = self.prepared, self.prepared.judged
        settings = {model.name: dict(model.fields) for model in self.models}
        return {
            "source": source,
            "queries": len(prepared.task.own),
            "rated_queries": judged.queries,
            "ratings": judged.judgements,
            "raters": judged.raters,
            "agreement": rounded(asdict(judged.agreement)),
            "missing": judged.missing,
            "without_file": judged.without_file,
            "same_grade": self.same_grade,
            "unreadable": prepared.errors,
            "changed": prepared.changed,
            "not_common": not_common,
            "k": self.options.k,
            "seed": self.options.seed,
            "level": LEVEL,
            "results": [
                {**result.fields(), "settings": settings[result.model]} for result in self.results
            ],
            "comparison": self.verdict and rounded(asdict(self.verdict)),
        }


def evaluate_ratings(
    gallery: Labelled,
    models: Sequence[Model],
    embed: Embed,
    ratings: Sequence[Rating],
    files: Mapping[str, str],
    options: Options,
) -> RatedEvaluation:
    """Measures models with the judgements of raters.

    Args:
        gallery: photos to search in.
        models: to measure; the first one is the reference of the others.
        embed: embeds photos.
        ratings: the judgements.
        files: locations of query photos by their SHA-256.
        options: how to measure.

    Raises:
        LabelsError: no query can be measured.
    """
    sample, seed, k = options.sample, options.seed, options.k
    prepared = prepare_ratings(gallery, models, embed, ratings, files, sample=sample, seed=seed)
    results = measure_ratings(prepared.task, prepared.models, options.distances, k=k, seed=seed)
    tolerance = options.tolerance
    queries = int(np.count_nonzero(prepared.task.ordered))
    verdict = None if tolerance is None else compare(results, k, tolerance, queries)
    return RatedEvaluation(models, prepared, options, results, verdict)
