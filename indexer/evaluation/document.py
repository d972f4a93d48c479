"""An evaluation as one JSON document, and as sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from indexer.evaluation.bootstrap import LEVEL
from indexer.evaluation.comparison import MIN_QUERIES, Verdict
from indexer.evaluation.evaluation import Evaluation, Result
from indexer.evaluation.preparing import Model, Prepared
from indexer.evaluation.results import rounded

CHANGED = "photos left out, because the file has changed since it was added"
_NAMED = 10  # ids or labels in a sentence


@dataclass(frozen=True)
class Scope:
    """What was measured, and what was left out.

    Attributes:
        source: of the gallery, as shown.
        judged_by: of the judgements, as shown.
        products: in the gallery.
        photos: in the gallery.
        candidates: photos that could be queries, before the sample.
        queries: measured.
        unanswerable: queries left out, because no other product is right for them.
        copies: queries from whose results exact copies in other products were excluded.
        other_photos: queries from whose results other photos of their product were excluded.
        unlabelled: products left out, because they have no label.
        without_photos: products with a label, left out because they have no photo.
        single: labels of only one product.
        unreadable: location and reason of photos left out.
        changed: photos left out, because their files are not those that were added.
        unknown: product ids in the judgements that the gallery does not have.
        not_common: photos left out, because not all that is compared has them.
    """

    source: str
    judged_by: str
    products: int
    photos: int
    candidates: int
    queries: int
    unanswerable: int
    copies: int
    other_photos: int
    unlabelled: int
    without_photos: int
    single: Sequence[str]
    unreadable: Mapping[str, str]
    changed: int
    unknown: Sequence[str]
    not_common: int

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        evaluation: Evaluation | None,
        source: str,
        judged_by: str,
        not_common: int,
    ) -> "Scope":
        """Returns the scope of an evaluation; None if there was nothing to measure."""
        task, labelled = prepared.task, prepared.labelled
        queries = evaluation.queries if evaluation else 0
        return cls(
            source=source,
            judged_by=judged_by,
            products=len(task.gallery.product_ids),
            photos=len(task.gallery),
            candidates=prepared.candidates,
            queries=queries,
            unanswerable=len(task.queries) - queries,
            copies=task.with_copies,
            other_photos=task.with_other_photos,
            unlabelled=labelled.unlabelled,
            without_photos=labelled.without_photos,
            single=labelled.single,
            unreadable=prepared.errors,
            changed=prepared.changed,
            unknown=prepared.unknown,
            not_common=not_common,
        )

    def sentences(self) -> Iterator[str]:
        """Yields what a reader of the numbers must know."""
        yield (
            f"{self.queries:,} query photos, {self.products:,} products with {self.photos:,} photos"
            f" from {self.source}; judged by {self.judged_by}"
        )
        yield from too_few(self.queries)
        if self.candidates > self.queries + self.unanswerable:
            yield f"queries: a random sample of {self.candidates:,} photos"
        counted = {
            "queries left out, because no other product is right": self.unanswerable,
            "queries whose exact copies in other products were excluded from their results": (
                self.copies
            ),
            "queries whose product's other photos were excluded from their results": (
                self.other_photos
            ),
            "products left out, because they have no label": self.unlabelled,
            "products left out, because they have no photo": self.without_photos,
            CHANGED: self.changed,
            "photos left out, because not all that is compared has them": self.not_common,
        }
        yield from counts(counted)
        named = {
            "labels of only one product": self.single,
            "photos that cannot be read": [f"{at} ({why})" for at, why in self.unreadable.items()],
            "products in the judgements that do not exist": self.unknown,
        }
        for what, names in named.items():
            if names:
                more = ", ..." if len(names) > _NAMED else ""
                yield f"{what}: {len(names):,} ({', '.join(names[:_NAMED])}{more})"


def too_few(queries: int) -> Iterator[str]:
    """Yields a warning if the queries are too few for intervals."""
    if 0 < queries < MIN_QUERIES:
        yield (
            f"fewer than {MIN_QUERIES} queries: the intervals are too narrow, do not rely on them"
        )


def counts(counted: Mapping[str, int]) -> Iterator[str]:
    """Yields a sentence for each number above 0."""
    yield from (f"{what}: {number:,}" for what, number in counted.items() if number)


def document(
    scope: Scope, evaluation: Evaluation, models: Sequence[Model], verdict: Verdict | None
) -> dict[str, Any]:
    """Returns the evaluation for `--json`.

    Args:
        scope: what was measured.
        evaluation: the results.
        models: that were measured.
        verdict: of a comparison.
    """
    settings = {model.name: dict(model.fields) for model in models}
    return {
        **asdict(scope),
        "k": evaluation.k,
        "seed": evaluation.seed,
        "level": LEVEL,
        "chance": rounded(evaluation.chance),
        "results": [
            {**_result(result), "settings": settings[result.model]} for result in evaluation.results
        ],
        "comparison": None if verdict is None else rounded(asdict(verdict)),
    }


def _result(result: Result) -> dict[str, Any]:
    return {
        **result.fields(),
        "min_score": result.threshold and rounded(asdict(result.threshold)),
        "classes": [rounded(asdict(each)) for each in result.classes],
    }
