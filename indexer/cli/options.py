"""Checks of options that several commands have."""

from pathlib import Path

from indexer.errors import BadParameterError
from indexer.files import require_writable


def require_label(label: str | None) -> None:
    """Raises BadParameterError if --label is given and empty."""
    if label is not None and not label.strip():
        raise BadParameterError(f"--label: received {label!r}; must be the name of an attribute")


def require_report(report: Path | None) -> None:
    """Raises BadParameterError if --report is given and the file cannot be written."""
    if report:
        try:
            require_writable(report)
        except OSError as error:
            raise BadParameterError(f"--report: cannot write {report}: {error.strerror}") from error
