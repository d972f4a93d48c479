"""The command group: its sections, usage errors as JSON, and the options of all commands."""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from indexer.errors import BadParameterError


class Commands(click.Group):
    """Commands in sections. Usage errors are printed as JSON too if `--json` is an argument."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self._sections: dict[str, list[str]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Adds commands under a title of the help."""
        for command in commands:
            self.add_command(command)
            self._sections.setdefault(title, []).append(str(command.name))

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the sections of the help."""
        width = max(map(len, self.commands))
        for title, names in self._sections.items():
            with formatter.section(title):
                limit = formatter.width - width - 6
                rows = [(name, self.commands[name].get_short_help_str(limit)) for name in names]
                formatter.write_dl([(name.ljust(width), text) for name, text in rows])

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Parses the arguments before the command."""
        as_json = "--json" in args
        with _usage_errors(as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[__name__] = as_json
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command."""
        with _usage_errors(ctx.meta[__name__]):
            return super().invoke(ctx)


@contextmanager
def _usage_errors(as_json: bool) -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if as_json:
            print_error(error.format_message(), BadParameterError.code)
        raise


def print_error(text: str, code: str) -> None:
    """Prints an error as a JSON document."""
    click.echo(json.dumps({"error": {"code": code, "detail": text}}, ensure_ascii=False))


def set_on_app(context: click.Context, option: click.Parameter, value: object) -> None:
    """Sets the attribute of the `App` that has the name of an option, if the option is given."""
    if value and context.obj is not None:  # None during completion
        setattr(context.obj, str(option.name), value)


def _choose_collection(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is None or context.obj is None:
        return
    before = context.find_root().get_parameter_source("collection")
    if before is ParameterSource.COMMANDLINE and context.obj.collection != value:
        raise click.UsageError(f"received two collections: {context.obj.collection} and {value}")
    context.obj.collection = value


_SHARED = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout."),
    click.option(
        "--collection",
        expose_value=False,
        callback=_choose_collection,
        help="Collection to use, as before the command.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=set_on_app,
        help="Print only errors on stderr.",
    ),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=set_on_app,
        help="Print the settings in use and all details on stderr.",
    ),
)


def shared_options(body: Callable[..., None]) -> Callable[..., None]:
    """Adds the options of all commands."""
    return functools.reduce(lambda made, option: option(made), reversed(_SHARED), body)
