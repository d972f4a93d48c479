"""The command line within the test's process, with a fake model."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from indexer.cli import app, main
from indexer.config import EmbeddingSettings
from indexer.embedding import EmbeddingSpec
from indexer.embedding.spec import whitened_spec
from indexer.embedding.whitening import read_whitening
from indexer.store import Product
from indexer.store.embedded.catalog import Catalog
from tests.conftest import png
from tests.fakes import FakeEmbedder


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Shop:
    """A folder with photos, feeds and a catalogue, on which commands are run."""

    folder: Path
    embedder: FakeEmbedder

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def run(self, *arguments: object, stdin: str = "", **environ: str) -> Ran:
        """Runs a command; what it raises beyond its own errors fails the test."""
        variables = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(self.data_dir), **environ}
        result = CliRunner(env=variables).invoke(
            main, [str(each) for each in arguments], input=stdin
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def photo(self, name: str, colour: object) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(colour))
        return path

    def feed(self, products: Mapping[str, object], name: str = "feed.csv") -> Path:
        """A feed of products, with the colour of the photo of each."""
        lines = ["id,image_link,title,price"]
        for number, (product_id, colour) in enumerate(products.items()):
            drawn = "-".join(re.findall(r"\w+", str(colour)))
            photo = self.photo(f"photos/{number}-{drawn}.png", colour)
            lines.append(f'"{product_id}",{photo.relative_to(self.folder)},{product_id}!,5.00 EUR')
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def products(self) -> dict[str, Product]:
        catalog = Catalog(self.data_dir / "default")
        with catalog.reader() as reader:
            products = reader.products(reader.product_ids())
        catalog.close()
        return products


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    embedder = FakeEmbedder()
    monkeypatch.setattr(app, "load_embedder", lambda _: embedder)

    def resolve(settings: EmbeddingSettings) -> EmbeddingSpec:
        if settings.whitening == "none":
            return embedder.spec
        return whitened_spec(embedder.spec, read_whitening(settings.whitening))

    monkeypatch.setattr(app, "resolve_spec", resolve)
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path, embedder)


def grey(number: int) -> tuple[int, int, int]:
    """A colour of its own for each number below 256."""
    return (number, 255 - number, number * 7 % 256)


@pytest.fixture
def files() -> Callable[[Path], dict[str, bytes]]:
    """Reads every file below a folder, to see what changed."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            os.path.relpath(path, folder): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return read


COLOURS = {"red": "red", "crimson": "crimson", "navy": "navy", "a/b [/c]": "gold"}


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A shop with products of `COLOURS`."""
    assert shop.run("add", shop.feed(COLOURS)).code == 0
    return shop
