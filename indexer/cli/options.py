"""Options that several commands have, and their checks."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from indexer.cli.app import App
from indexer.cli.group import set_on_app
from indexer.errors import BadParameterError, DeclinedError
from indexer.files import require_writable

F = TypeVar("F", bound=Callable[..., Any])


def waiting(command: F) -> F:
    """Adds --wait: the seconds to wait for another process that is writing."""
    return click.option(
        "--wait",
        "wait_s",
        type=click.FloatRange(0),
        metavar="SECONDS",
        expose_value=False,
        callback=set_on_app,
        help="Wait for another process that is writing, instead of exiting with 4.",
    )(command)


def confirmed(command: F) -> F:
    """Adds --yes, which answers `confirm`."""
    return click.option(
        "--yes",
        "-y",
        is_flag=True,
        expose_value=False,
        callback=set_on_app,
        help="Do not ask for confirmation. Without a terminal, nothing is asked.",
    )(command)


def asks(app: App) -> bool:
    """Returns whether `confirm` asks: on a terminal, without --yes."""
    return not app.yes and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(app: App, question: str) -> None:
    """Asks a question on a terminal.

    Raises:
        DeclinedError: the answer is no.
    """
    if asks(app) and not click.confirm(question, err=True):
        raise DeclinedError("nothing was changed")


class Percentage(click.ParamType[float]):
    """A share such as `40%`, as a fraction."""

    name = "percentage"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Returns the fraction; fails if the value is not a percentage."""
        match = re.fullmatch(r"(\d{1,2}(?:\.\d+)?|100) ?%", value)
        if match is None:
            self.fail(f"{value!r} is not a percentage from 0% to 100%, such as 40%", param, ctx)
        return float(match[1]) / 100


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
