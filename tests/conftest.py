"""What tests of several rooms start from."""

import ctypes
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import partial
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from PIL import Image

from indexer.config import FetchSettings, MilvusSettings
from indexer.embedding.photos import PlainQueryEmbedder
from indexer.feeds import FeedRow, ImageRef, Rejection
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest.report import Report
from indexer.ingest.sync import Indexer
from indexer.search import Answer, Searcher, SearchParameters, search_by_photos
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore
from tests.fakes import FakeEmbedder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
SLOW = [
    *(ROOT / "tests/campaigns", ROOT / "tests/examples", ROOT / "tests/service/static"),
    ROOT / "tests/test_real_data.py",
]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h

# How long an example takes is for benchmarks to say: a busy machine breaks no rule.
settings.register_profile("untimed", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out slow tests, and what starts a process or loads TensorFlow",
    )
    parser.addoption(
        "--backend",
        choices=["faiss", "milvus"],
        default="faiss",
        help="where the collections of tests/service are: milvus is milvus-lite",
    )


def pytest_configure(config: pytest.Config) -> None:
    """With --fast, properties are tested on fewer examples; with --backend, on another backend."""
    global milvus_of
    if config.getoption("backend") == "milvus":
        folder = Path(mkdtemp(prefix="milvus-"))
        config.add_cleanup(lambda: rmtree(folder, ignore_errors=True))
        milvus_of = partial(_milvus_in, folder / "lite.db")
    if config.getoption("fast"):
        settings.load_profile("fast")
    _keep_freed_memory()


def _milvus_in(file: Path, data_dir: Path) -> MilvusSettings:
    """Each data directory has collections of its own."""
    prefix = f"t{sha256(str(data_dir).encode()).hexdigest()[:16]}"
    return MilvusSettings(uri=str(file), prefix=prefix, timeout_s=20)


def _keep_freed_memory() -> None:
    """Keeps glibc from returning up to 512 MiB to the system, in this process only.

    TensorFlow frees and allocates weights and feature maps so often that the page faults take as
    much processor time as its computing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 512 * 1024**2)
        mallopt(_M_MMAP_MAX, 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With --fast, tests that wait or compute for seconds are left out."""
    # The longest test would be one of the last, with nothing left to run beside it.
    items.sort(key=lambda item: item.path.name != "test_readme.py")
    if config.getoption("fast"):
        items[:] = [item for item in items if item.get_closest_marker("slow") is None]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With --fast, no campaigns, browsers, drawn stores or real photos."""
    return True if config.getoption("fast") and collection_path in SLOW else None


@pytest.fixture(scope="session", autouse=True)
def _fast(pytestconfig: pytest.Config) -> None:
    """With --fast, a test is skipped at the moment it would begin something slow."""
    if pytestconfig.getoption("fast"):
        sys.addaudithook(_skip_what_is_slow)


def _skip_what_is_slow(event: str, arguments: tuple[object, ...]) -> None:
    if event == "subprocess.Popen":
        pytest.skip("starts a process")
    # Of the modules within, as `importlib.import_module` tells no hook of the library itself.
    if event == "import" and str(arguments[0]).startswith(("tensorflow.", "openvino.")):
        pytest.skip("loads TensorFlow or OpenVINO")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see the defaults, whatever the developer's environment sets."""
    for variable in os.environ:
        if variable.startswith("IMAGE_SEARCH_") and variable != "IMAGE_SEARCH_TEST_DATA":
            monkeypatch.delenv(variable)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Real photos and vectors."""
    folder = Path(os.environ.get("IMAGE_SEARCH_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set IMAGE_SEARCH_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a milvus-lite for all tests of a process."""
    pytest.importorskip("pymilvus", reason="pip install -r requirements-milvus.txt")
    return str(tmp_path_factory.mktemp("milvus") / "lite.db")


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real Milvus server for all tests of a process."""
    pytest.importorskip("pymilvus", reason="pip install -r requirements-milvus.txt")
    from tests import milvus_peers  # an optional library

    if not milvus_peers.SERVER.exists():
        pytest.skip("no Milvus server; install it with: make milvus-server")
    with milvus_peers.milvus_server(tmp_path_factory.mktemp("milvus-server")) as (address, _):
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A real browser for all tests of a process."""
    from tests.browser import find_chromium, launched  # Playwright, which few tests need

    executable = find_chromium()
    if executable is None:
        pytest.skip("no Chromium on PATH")
    with launched(executable) as browser:
        yield browser


def png(colour: object, size: tuple[int, int] = (32, 32)) -> bytes:
    """A picture of one colour: `FakeEmbedder` finds those of like colours close."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")  # type: ignore[arg-type]
    return buffer.getvalue()


# Settings of Milvus for a data directory, with --backend milvus: a file for all tests of a process.
milvus_of: Callable[[Path], Any] | None = None


def opened(folder: Path) -> Any:
    """Opens the collection of a folder, created if need be: its catalogue, or a Milvus store."""
    if milvus_of is None:
        return Catalog(folder, create=True)
    from indexer.store.milvus.store import MilvusStore  # an optional library

    folder.mkdir(parents=True, exist_ok=True)
    return MilvusStore(milvus_of(folder.parent), folder.name, folder, create=True)


class Store:
    """A catalogue in a folder of its own, with photos that are drawn as they are needed."""

    def __init__(self, folder: Path, embedder: FakeEmbedder | None = None) -> None:
        self.photos = folder / "photos"
        self.photos.mkdir(parents=True)
        # Typed as the catalogue; a Milvus store has the parts that tests of the service use.
        self.catalog: Catalog = opened(folder / "data" / "default")
        self.embedder = embedder or FakeEmbedder()
        store: Any = self.catalog if milvus_of else EmbeddedStore(self.catalog)
        self.searcher = Searcher("default", store, self.embedder.spec)
        self.query_embedder = PlainQueryEmbedder(lambda: self.embedder, ImageLimits())

    @classmethod
    def reopened(cls, store: "Store") -> "Store":
        """The same catalogue, as another process would open it."""
        again = copy(store)
        again.catalog = Catalog(store.catalog.folder)
        return again

    @property
    def indexer(self) -> Indexer:
        spec = self.embedder.spec
        photos = PhotoSource(ImageLimits(), FetchSettings())
        return Indexer(self.catalog, spec, lambda: self.embedder, photos, lambda _: None)

    def by_photos(self, photos: Sequence[bytes], parameters: SearchParameters) -> Answer:
        """Searches with photos, as the command line does."""
        return search_by_photos(self.searcher, self.query_embedder, photos, parameters)

    def photo(self, name: str, colour: object) -> ImageRef:
        """Draws a photo; the same name again replaces it."""
        path = self.photos / name
        path.write_bytes(png(colour))
        return ImageRef(name, str(path))

    def row(self, product_id: str, *colours: object, **attributes: str | float | bool) -> FeedRow:
        """A product with a photo of each colour."""
        images = tuple(
            self.photo(f"{product_id.replace('/', '_')}-{number}.png", colour)
            for number, colour in enumerate(colours)
        )
        return FeedRow(product_id, dict(attributes), images, None, "feed")

    def add(self, *rows: FeedRow | Rejection) -> Report:
        return self.indexer.add(rows)

    def product_ids(self) -> list[str]:
        with self.catalog.reader() as reader:
            return list(reader.product_ids())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store")
    yield store
    store.catalog.close()


@pytest.fixture
def draw(tmp_path: Path) -> Callable[[str, object], Path]:
    """Writes a picture of one colour to a file below `tmp_path`."""

    def write(name: str, colour: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(colour))
        return path

    return write
