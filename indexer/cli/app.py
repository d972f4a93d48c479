"""The group of commands, and what all of them share: settings, `--json`, errors, exit codes."""

import atexit
import functools
import gc
import json
import sys
from collections.abc import Callable, Sequence
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
from indexer.errors import ImageSearchError
from indexer.fetch import PhotoSource
from indexer.search import Searcher
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore

P = ParamSpec("P")

# At exit, Python searches everything that was imported for garbage, for up to a second.
atexit.register(gc.freeze)

# stdout carries results only; everything else goes here.
log = Console(stderr=True, markup=False)

# Failures in a row after which a command asks a photo server no more.
_PATIENCE = 3


@dataclass(frozen=True)
class Output:
    """What a command has to say: the document for `--json`, the text for people.

    `notes` are lines for stderr.
    """

    document: dict[str, Any]
    text: RenderableType
    code: int = DONE
    notes: Sequence[str] = ()


@dataclass
class App:
    """Opens what a command needs, when it needs it."""

    config: Path | None
    collection: str

    @cached_property
    def settings(self) -> Settings:
        return load_settings(self.config)

    @cached_property
    def embedding(self) -> EmbeddingSettings:
        return self.settings.embedding_of(self.collection)

    @cached_property
    def spec(self) -> EmbeddingSpec:
        return resolve_spec(self.embedding)

    @cached_property
    def _loaded(self) -> Embedder:
        if not self.spec.trained:
            log.print("weights: untrained; use them for tests, their results mean little")
        with log.status(f"loading {self.spec.model}, {self.spec.weights} weights"):
            return load_embedder(self.embedding)

    def embedder(self) -> Embedder:
        """The embedder; the first call takes seconds."""
        return self._loaded

    def folder(self) -> Path:
        return self.settings.folder_of(self.collection)

    def catalog(self, *, create: bool = False) -> Catalog:
        return Catalog(self.folder(), create=create)

    @cached_property
    def photos(self) -> PhotoSource:
        settings = self.settings
        return PhotoSource(
            settings.images.limits(), settings.fetch, settings.photo_cache, patience=_PATIENCE
        )

    def query_embedder(self) -> PlainQueryEmbedder:
        return PlainQueryEmbedder(self.embedder, self.settings.images.limits())

    def searcher(self) -> Searcher:
        return Searcher(
            self.collection,
            EmbeddedStore(self.catalog()),
            self.spec,
            hide_out_of_stock=self.settings.hides_out_of_stock(self.collection),
        )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="IMAGE_SEARCH_CONFIG",
    help="Settings file.  [default: config.yaml, if it is there]",
)
@click.option(
    "--collection",
    default=DEFAULT_COLLECTION,
    show_default=True,
    help="Section of the store to work on, as named in the settings.",
)
@click.version_option(__version__)
@click.pass_context
def main(context: click.Context, config: Path | None, collection: str) -> None:
    """Index a store's products and search them by photo.

    Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 done but some rows were rejected,
    4 another process is writing.
    """
    context.obj = App(config, collection)


def reporting(command: Callable[Concatenate[App, P], Output]) -> Callable[..., None]:
    """Makes a function of `App` and options into a command's body with `--json`."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @click.pass_obj
    @functools.wraps(command)
    def body(app: App, /, as_json: bool, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            output = command(app, *args, **kwargs)
        except ImageSearchError as error:
            _fail(str(error), error.code, exit_code(error), as_json)
        except KeyboardInterrupt:
            text = "interrupted; what was reported done is kept, run it again to go on"
            _fail(text, "interrupted", INTERRUPTED, as_json)
        else:
            if as_json:
                click.echo(json.dumps(output.document, ensure_ascii=False, indent=2))
            else:
                # Product ids and paths may look like markup or emoji.
                console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
                console.print(output.text)
            for note in output.notes:
                click.echo(note, err=True)
            sys.exit(output.code)

    return body


def _fail(text: str, code: str, exit_with: int, as_json: bool) -> None:
    click.echo(f"error: {text}", err=True)
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "detail": text}}, ensure_ascii=False))
    sys.exit(exit_with)
