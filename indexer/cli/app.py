"""The command group, and what all commands share: settings, `--json`, errors, exit codes."""

import atexit
import functools
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
from rich.console import Console, RenderableType

from indexer import __version__
from indexer.backend import open_collection
from indexer.cli.errors import DONE, INTERRUPTED, MEANINGS, exit_code
from indexer.cli.group import Commands, print_error, shared_options
from indexer.config import (
    DEFAULT_COLLECTION,
    DEFAULT_FILE,
    PREFIX,
    EmbeddingSettings,
    Settings,
    load_settings,
)
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
from indexer.store import Store
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
        details: lines for stderr instead of the notes with --verbose; None for the notes.
    """

    document: dict[str, Any]
    text: RenderableType
    code: int = DONE
    notes: Sequence[str] = ()
    details: Sequence[str] | None = None


@dataclass
class App:
    """Opens what a command needs, on first use.

    Args:
        config: path of the settings file; None uses the default.
        collection: name of the collection.

    Attributes:
        wait_s: seconds to wait for another process that is writing.
        yes: whether questions are answered with yes without asking.
        quiet: whether stderr has errors only.
        verbose: whether stderr has the settings in use, details and the duration.
    """

    config: Path | None
    collection: str
    wait_s: float = 0
    yes: bool = False
    quiet: bool = False
    verbose: bool = False

    @cached_property
    def settings(self) -> Settings:
        """All settings."""
        return load_settings(self.settings_file)

    @property
    def settings_file(self) -> Path | None:
        """The settings file in use; None if there is none."""
        return self.config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)

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

    def store(self, *, create: bool = False) -> Store:
        """Opens the collection; creates it if `create` is set."""
        return open_collection(self.settings, self.collection, create=create, wait_s=self.wait_s)

    def catalog(self, *, create: bool = False) -> Catalog:
        """Opens the catalogue of the collection, for commands on files of this machine.

        Raises:
            BadParameterError: the collection is stored elsewhere.
        """
        self.require_embedded()
        return Catalog(self.folder(), create=create, wait_s=self.wait_s)

    def require_embedded(self) -> None:
        """Checks that collections are stored on this machine.

        Raises:
            BadParameterError: they are stored elsewhere.
        """
        if self.settings.index.backend != "faiss":
            raise BadParameterError(
                "this command is for collections on this machine (index.backend: faiss); here"
                f" index.backend is {self.settings.index.backend}, see docs/milvus.md"
            )

    def maintain(self, store: Store) -> None:
        """Compacts a catalogue and updates its neighbours if enough has changed."""
        if isinstance(store, EmbeddedStore):  # Milvus does that itself
            compact_when_due(store.catalog, self.settings.index)
            self.maintain_neighbours(store.catalog)

    def maintain_neighbours(self, catalog: Catalog) -> None:
        """Updates the neighbours of a catalogue if enough has changed."""
        with log.status("updating similar products"):
            update_when_due(catalog)

    @cached_property
    def photos(self) -> PhotoSource:
        """Reads photos from disk and from the web."""
        return self.photo_source()

    def photo_source(self, max_age_s: float = 0) -> PhotoSource:
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
            self.store(),
            self.usable[0],
            hide_out_of_stock=self.settings.hides_out_of_stock(self.collection),
        )


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\n".join(["\b", "Exit codes:", *(f"  {code:3}  {what}" for code, what in MEANINGS)]),
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
    envvar="IMAGE_SEARCH_COLLECTION",
    help="Collection to use, as named in the settings; also accepted after the command.",
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, config: Path | None, collection: str) -> None:
    """Index a store's products and search them by photo."""
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
    @shared_options
    @click.pass_obj
    @functools.wraps(command)
    def body(app: App, /, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        log.quiet = app.quiet
        started = time.monotonic()
        try:
            _introduce(app)
            output = command(app, *args, **kwargs)
        except ImageSearchError as error:
            _add_hint(error)
            _fail(str(error), error.code, exit_code(error), as_json)
        except (KeyboardInterrupt, click.Abort):  # the latter while a question is asked
            _fail(f"interrupted; {interrupted}", "interrupted", INTERRUPTED, as_json)
        else:
            _print(app, output, time.monotonic() - started, as_json=as_json)
            sys.exit(output.code)

    return body


def _introduce(app: App) -> None:
    if app.quiet and app.verbose:
        raise BadParameterError("pass either --quiet or --verbose")
    if app.verbose:
        file = app.settings_file or "none"
        variables = ", ".join(name for name in sorted(os.environ) if name.startswith(PREFIX))
        click.echo(f"settings file: {file}; variables: {variables or 'none'}", err=True)
        click.echo(f"collection {app.collection} in {app.folder().absolute()}", err=True)


def _print(app: App, output: Output, seconds: float, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(output.document, ensure_ascii=False, indent=2))
    elif isinstance(output.text, str):  # rich takes a minute for a million lines
        click.echo(output.text)
    else:
        # Product ids and paths may look like markup or emoji codes.
        console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
        if not sys.stdout.isatty():  # `is_terminal` believes the environment
            console.width = _FILE_WIDTH
        console.print(output.text)
    if app.verbose:
        for line in output.notes if output.details is None else output.details:
            click.echo(line, err=True)
        click.echo(f"took {seconds:.1f} s", err=True)
    elif not app.quiet:
        for note in output.notes:
            click.echo(note, err=True)


def _add_hint(error: ImageSearchError) -> None:
    options = click.get_current_context().command.params
    if isinstance(error, LockedError) and any(option.name == "wait_s" for option in options):
        error.hint = "or pass --wait SECONDS"


def _fail(text: str, code: str, exit_with: int, as_json: bool) -> None:
    click.echo(f"error: {text}", err=True)
    if as_json:
        print_error(text, code)
    sys.exit(exit_with)
