"""Commands as real processes that are stopped in the middle of their work."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from indexer.ingest.sync import BATCH
from indexer.store import Product
from indexer.store.embedded.catalog import Catalog
from tests.conftest import png
from tests.indexer.cli.conftest import grey
from tests.processes import Finished, cli, start, wait_for

PRODUCTS = 60
STALLS_AFTER = BATCH  # photos: before the second batch
FAKE = "tests.processes"


@dataclass
class Shop:
    """Photos to add, and a folder for catalogues."""

    folder: Path

    @property
    def photos(self) -> Path:
        return self.folder / "photos"

    def add(self, data: str) -> Any:
        """Adds the photos to the end; the report."""
        done = cli("add", str(self.photos), "--json", data_dir=self.folder / data, module=FAKE)
        assert done.code == 0, done.err
        return json.loads(done.out)

    @contextmanager
    def adding(self, data: str) -> Iterator[subprocess.Popen[bytes]]:
        """A process that has committed a batch, and waits before it embeds the next."""
        marker = self.folder / f"{data} stalls"
        process = start(
            "-m",
            FAKE,
            "add",
            str(self.photos),
            "--json",
            data_dir=self.folder / data,
            settings={"STALL_AFTER": str(STALLS_AFTER), "STALL_MARKER": str(marker)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            wait_for(marker.exists, "embedding")
            # A batch is committed while the next one is embedded.
            wait_for(lambda: len(self.contents(data)[0]) == BATCH, "the commit")
            yield process
        finally:
            process.kill()
            process.communicate()

    def contents(self, data: str) -> tuple[dict[str, Product], list[tuple[list[int], bytes]]]:
        """Everything in a catalogue that can be searched or shown, image ids included."""
        catalog = Catalog(self.folder / data / "default")
        with catalog.reader() as reader:
            products = reader.products(reader.product_ids())
            chunks = [(ids.tolist(), vectors.tobytes()) for ids, vectors in reader.all_vectors()]
        catalog.close()
        return products, chunks


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("interrupted"))
    shop.photos.mkdir()
    for number in range(PRODUCTS):
        (shop.photos / f"p{number:02}.png").write_bytes(png(grey(number)))
    return shop


@pytest.fixture(scope="module")
def whole(shop: Shop) -> object:
    """What a run that nobody interrupts leaves."""
    assert shop.add("whole")["embedded"] == PRODUCTS
    return shop.contents("whole")


def _goes_on(shop: Shop, data: str, whole: object) -> None:
    report = shop.add(data)
    left = PRODUCTS - BATCH
    assert (report["unchanged"], report["added"], report["embedded"]) == (BATCH, left, left)
    assert shop.contents(data) == whole


def test_a_run_that_was_killed_goes_on_where_it_was_and_embeds_nothing_twice(
    shop: Shop, whole: object
) -> None:
    with shop.adding("killed") as process:
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
    _goes_on(shop, "killed", whole)


def test_ctrl_c_ends_a_run_at_once_with_130_and_the_next_goes_on(shop: Shop, whole: object) -> None:
    with shop.adding("interrupted") as process:
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - started < 5
    assert process.returncode == 130
    assert json.loads(out)["error"]["code"] == "interrupted"
    assert "run the command again" in err.decode()
    assert "Traceback" not in err.decode()
    _goes_on(shop, "interrupted", whole)


def test_a_second_process_is_refused_with_the_pid_of_the_first_until_that_dies(shop: Shop) -> None:
    def remove() -> Finished:
        return cli("remove", "p00", "--json", data_dir=shop.folder / "locked", module=FAKE)

    with shop.adding("locked") as process:
        refused = remove()
        assert refused.code == 4
        assert json.loads(refused.out)["error"]["code"] == "locked"
        assert f"process {process.pid} " in refused.err
        process.kill()
        process.wait(10)
        assert remove().code == 0


def test_ctrl_c_while_modules_are_imported_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    arguments = ("-X", "importtime", "-m", "indexer", "status")
    with start(*arguments, data_dir=tmp_path, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:  # one for each module imported
            if b"click" in line:
                process.send_signal(signal.SIGINT)
                break
        err = process.stderr.read().decode()
    assert process.returncode == 130
    assert err.endswith("error: interrupted\n")
    assert "Traceback" not in err
