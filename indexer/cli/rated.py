"""`evaluate --ratings`: the judgements of raters, and the tables."""

from hashlib import file_digest
from pathlib import Path

from rich.console import Group, RenderableType

from indexer.cli.app import App
from indexer.cli.evaluation_tables import differences, metrics_table
from indexer.errors import BadParameterError
from indexer.evaluation.labels import LabelsError
from indexer.evaluation.rated_evaluation import RatedEvaluation
from indexer.events import Rating, RatingStore


def stored_ratings(app: App) -> list[Rating]:
    """Returns all judgements that were not withdrawn.

    Raises:
        LabelsError: there are none.
        RatingsError: they cannot be read.
    """
    store = RatingStore(app.settings.storage.data_dir)
    try:
        ratings = [rating for rating in store.all() if rating.grade is not None]
    finally:
        store.close()
    if not ratings:
        raise LabelsError("there are no ratings; make some on the page /rate of the service")
    return ratings


def files_by_hash(folder: Path | None) -> dict[str, str]:
    """Returns the paths of the files in a folder, and below it, by their SHA-256.

    Raises:
        BadParameterError: a file cannot be read.
    """
    files = {}
    for path in sorted(folder.rglob("*")) if folder else ():
        if path.is_file():
            try:
                with path.open("rb") as file:
                    files[file_digest(file, "sha256").hexdigest()] = str(path)
            except OSError as error:
                raise BadParameterError(f"--photos: {path}: {error.strerror}") from error
    return files


def rated_tables(evaluation: RatedEvaluation, source: str, not_common: int) -> Group:
    """Returns the results as text; see `RatedEvaluation.sentences`."""
    results, names = evaluation.results, evaluation.main_metrics
    parts: list[RenderableType] = [*evaluation.sentences(source, not_common), ""]
    parts += [metrics_table(results, names, [evaluation.coverage]), *differences(results, names)]
    if evaluation.verdict:
        parts += ["", evaluation.verdict.sentence()]
    return Group(*parts)
