"""The command group, and what all commands share: settings, `--json`, errors, exit codes."""

import atexit
import functools
import gc
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
from rich.console import Console, RenderableType

from indexer import __version__
from indexer.cli.errors import DONE, INTERRUPTED, exit_code
from indexer.config import DEFAULT_COLLECTION, EmbeddingSettings, Settings, load_settings
from indexer.embedding import Embedder, EmbeddingSpec, load_embedder, resolve_spec
from indexer.embedding.photos import PlainQueryEmbedder
from indexer.embedding.spec import require_bundled
from indexer.embedding.whitening import Whitening, read_whitening
from indexer.errors import (
    BadParameterError,
    ImageSearchError,
    LockedError,
    ModelError,
    WeightsError,
)
from indexer.fetch import PhotoRoot, PhotoSource
from indexer.maintenance.compaction import compact_when_due
from indexer.maintenance.neighbours import update_when_due
from indexer.search import Searcher
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore

P = ParamSpec("P")

# Skips the garbage collection at exit, which takes up to a second.
atexit.register(gc.freeze)

# stdout carries results only; everything else goes here.
log = Console(stderr=True, markup=False)

# Columns of a table in a file or a pipe: no cell is cut.
_FILE_WIDTH = 10_000

# Consecutive failures after which a command stops sending requests to a photo server.
_PATIENCE = 3


@dataclass(frozen=True)
class Output:
    """The output of a command.

    Attributes:
        document: for `--json`.
        text: for stdout without `--json`.
        code: exit code.
        notes: lines for stderr.
    """

    document: dict[str, Any]
    text: RenderableType
    code: int = DONE
    notes: Sequence[str] = ()


@dataclass
class App:
    """Opens what a command needs, on first use.

    Args:
        config: path of the settings file; None uses the default.
        collection: name of the collection.

    Attributes:
        wait_s: seconds to wait for another process that is writing.
        yes: whether questions are answered with yes without asking.
    """

    config: Path | None
    collection: str
    wait_s: float = 0
    yes: bool = False

    @cached_property
    def settings(self) -> Settings:
        """All settings."""
        return load_settings(self.config)

    @cached_property
    def embedding(self) -> EmbeddingSettings:
        """The embedding settings of the collection."""
        return self.settings.embedding_of(self.collection)

    @cached_property
    def spec(self) -> EmbeddingSpec:
        """The spec of the configured model."""
        return resolve_spec(self.embedding)

    @cached_property
    def usable(self) -> tuple[EmbeddingSpec | None, str]:
        """The spec and "", or None and why photos cannot be searched: no file of the model."""
        try:
            require_bundled(self.spec)
        except (ModelError, WeightsError) as error:
            return None, str(error)
        return self.spec, ""

    def load(self, settings: EmbeddingSettings) -> Embedder:
        """Loads a model; takes seconds."""
        spec = resolve_spec(settings)
        if not spec.trained:
            log.print("weights: untrained; for tests only, results are meaningless")
        with log.status(f"loading {spec.model}, {spec.weights} weights"):
            return load_embedder(settings)

    @cached_property
    def unwhitened(self) -> EmbeddingSpec:
        """The spec of the configured model without its whitening."""
        return resolve_spec(self.embedding.model_copy(update={"whitening": "none"}))

    @cached_property
    def whitening(self) -> Whitening | None:
        """The configured whitening; None without one."""
        path = self.embedding.whitening
        return None if path == "none" else read_whitening(path)

    @cached_property
    def _loaded(self) -> Embedder:
        return self.load(self.embedding)

    def embedder(self) -> Embedder:
        """Returns the embedder; the first call takes seconds."""
        return self._loaded

    def folder(self) -> Path:
        """Returns the folder of the collection."""
        return self.settings.folder_of(self.collection)

    def catalog(self, *, create: bool = False) -> Catalog:
        """Opens the catalogue of the collection; creates it if `create` is set."""
        return Catalog(self.folder(), create=create, wait_s=self.wait_s)

    def maintain(self, catalog: Catalog) -> None:
        """Compacts a catalogue and updates its neighbours if enough has changed."""
        compact_when_due(catalog, self.settings.index)
        self.maintain_neighbours(catalog)

    def maintain_neighbours(self, catalog: Catalog) -> None:
        """Updates the neighbours of a catalogue if enough has changed."""
        with log.status("updating similar products"):
            update_when_due(catalog)

    @cached_property
    def photos(self) -> PhotoSource:
        """Reads photos from disk and from the web, recent ones from the cache."""
        return self.photo_source(self.settings.fetch.max_age_s)

    def photo_source(self, max_age_s: float) -> PhotoSource:
        """Returns a source of photos that asks the host of a cached one that is older."""
        settings = self.settings
        return PhotoSource(
            settings.images.limits(),
            settings.fetch,
            settings.photo_cache,
            patience=_PATIENCE,
            root=PhotoRoot.of(settings.storage),
            max_age_s=max_age_s,
        )

    def query_embedder(self) -> PlainQueryEmbedder:
        """Returns the embedder of query photos."""
        return PlainQueryEmbedder(self.embedder, self.settings.images.limits())

    def searcher(self) -> Searcher:
        """Opens the searcher of the collection."""
        return Searcher(
            self.collection,
            EmbeddedStore(self.catalog()),
            self.usable[0],
            hide_out_of_stock=self.settings.hides_out_of_stock(self.collection),
        )


class _Commands(click.Group):
    """Prints wrong usage as JSON too if `--json` is an argument: click prints text only."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        as_json = "--json" in args
        with _usage_errors(as_json):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[__name__] = as_json
        return context

    def invoke(self, ctx: click.Context) -> Any:
        with _usage_errors(ctx.meta[__name__]):
            return super().invoke(ctx)


@contextmanager
def _usage_errors(as_json: bool) -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        if as_json:
            _print_error(error.format_message(), BadParameterError.code)
        raise


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="IMAGE_SEARCH_CONFIG",
    help="Settings file.  [default: config.yaml, if it exists]",
)
@click.option(
    "--collection",
    default=DEFAULT_COLLECTION,
    show_default=True,
    help="Collection to use, as named in the settings.",
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, config: Path | None, collection: str) -> None:
    """Index a store's products and search them by photo.

    Exit codes: 0 done, 1 failed, 2 invalid usage or settings, 3 done but some rows were rejected,
    4 another process is writing.
    """
    context.obj = App(config, collection)


def reporting(command: Callable[Concatenate[App, P], Output]) -> Callable[..., None]:
    """Decorates a function that returns an `Output`: adds `--json`, printing and error handling."""
    kept = "changes reported as done are kept, run the command again to continue"
    return _reporting(command, kept)


def reading(command: Callable[Concatenate[App, P], Output]) -> Callable[..., None]:
    """Decorates a function that changes nothing stored; see `reporting`."""
    return _reporting(command, "nothing was changed")


def _reporting(
    command: Callable[Concatenate[App, P], Output], interrupted: str
) -> Callable[..., None]:
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @click.pass_obj
    @functools.wraps(command)
    def body(app: App, /, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            output = command(app, *args, **kwargs)
        except ImageSearchError as error:
            _add_hint(error)
            _fail(str(error), error.code, exit_code(error), as_json)
        except KeyboardInterrupt:
            _fail(f"interrupted; {interrupted}", "interrupted", INTERRUPTED, as_json)
        else:
            if as_json:
                click.echo(json.dumps(output.document, ensure_ascii=False, indent=2))
            else:
                # Product ids and paths may look like markup or emoji codes.
                console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
                if not sys.stdout.isatty():  # `is_terminal` believes the environment
                    console.width = _FILE_WIDTH
                console.print(output.text)
            for note in output.notes:
                click.echo(note, err=True)
            sys.exit(output.code)

    return body


def _add_hint(error: ImageSearchError) -> None:
    options = click.get_current_context().command.params
    if isinstance(error, LockedError) and any(option.name == "wait" for option in options):
        error.hint = "or pass --wait SECONDS"


def _fail(text: str, code: str, exit_with: int, as_json: bool) -> None:
    click.echo(f"error: {text}", err=True)
    if as_json:
        _print_error(text, code)
    sys.exit(exit_with)


def _print_error(text: str, code: str) -> None:
    click.echo(json.dumps({"error": {"code": code, "detail": text}}, ensure_ascii=False))
