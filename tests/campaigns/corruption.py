"""Flipped bits and cut files: each is found and named, and no answer is wrong.

python -m tests.campaigns.corruption --seed 1 --size 2500
"""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing, nullcontext, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from indexer.errors import CatalogError
from indexer.maintenance.verify import verify
from indexer.store.embedded.catalog import Catalog
from tests.campaigns.command import Counts, main
from tests.campaigns.shop import Operation, Shop, operation_of, require_answer

_SHARE_CUT = 0.2
_TABLES = ("meta", "products", "images", "embeddings", "journal", "segments", "state")


class Museum:
    """The files of a shop with segment and snapshot, and a copy that is damaged again and again.

    Args:
        killed: there is a write-ahead log, as a writer leaves it that is killed.
    """

    def __init__(self, folder: Path, random: Random, *, killed: bool) -> None:
        self._whole, self._copy = folder / "whole", folder / "copy"
        shop = Shop(self._copy)
        for kind in ("put", "put", "put", "put", "compact", "neighbours"):
            shop.do(operation_of(kind, random, {}, {}))
        self.snapshot = shop.do(Operation("snapshot"))
        with shop.catalog.reader() if killed else nullcontext():  # the log is not emptied
            for kind in ("put", "remove", "put"):
                shop.do(operation_of(kind, random, shop.state(), {}))
            self.state = shop.state()
            shutil.copytree(
                self._copy, self._whole, ignore=shutil.ignore_patterns("*-shm", "*.lock")
            )
        shop.close()
        self.files = sorted(
            str(path.relative_to(self._whole))
            for path in self._whole.rglob("*")
            if path.is_file() and path.stat().st_size
        )
        # Where something is: most of a small catalogue is empty space.
        self._places = {
            file: [i for i, byte in enumerate((self._whole / file).read_bytes()) if byte]
            for file in self.files
        }
        self._rows = self._dump()

    def damage(self, file: str, random: Random) -> str:
        """Damages a file of a fresh copy; returns what became of it.

        Raises:
            AssertionError: the damage was not found, or not named, or a wrong answer was given.
        """
        shutil.rmtree(self._copy)
        shutil.copytree(self._whole, self._copy)
        path = self._copy / file
        data = bytearray(path.read_bytes())
        if random.random() < _SHARE_CUT:
            how, data = "cuts", data[: random.randrange(len(data))]
        else:
            how = "flips"
            data[random.choice(self._places[file])] ^= 1 << random.randrange(8)
        path.write_bytes(data)
        found = self._findings(snapshot=file.startswith("snapshots"))
        # SQLite names no file but its own, of which the log is a part.
        named = str(path).removesuffix("-wal").removesuffix(".sha256")
        if any(named in finding for finding in found):
            verdict = "found"
        else:
            assert not found, (path, found)
            verdict = f"harmless in {path.name}"
            assert not (differing := self._dump() ^ self._rows), (path, differing)
        self._require_no_wrong_answer()
        return f"{how} {verdict}"

    def _findings(self, *, snapshot: bool) -> list[str]:
        if snapshot:
            return Shop(self._copy).snapshots.verify(self.snapshot)
        try:
            catalog = Catalog(self._copy / "data" / "default")
            found = verify(catalog)
            catalog.close()
        except CatalogError as error:
            return [str(error)]
        return found

    def _require_no_wrong_answer(self) -> None:
        try:
            shop = Shop(self._copy)
        except CatalogError:
            return
        for product_id in self.state:
            try:
                answer = shop.similar(product_id)
            except CatalogError:
                continue
            require_answer(answer, product_id, self.state)
        with suppress(CatalogError):
            shop.require_filtered(self.state)
        shop.close()

    def _dump(self) -> set[tuple[str, object]]:
        """Every row that anything reads. Nothing reads when a migration was applied."""
        with closing(sqlite3.connect(self._copy / "data" / "default" / "catalog.db")) as connection:
            connection.text_factory = bytes
            return {
                (table, row)
                for table in _TABLES
                for row in connection.execute(f"SELECT * FROM {table} NOT INDEXED")
            }


def run(seed: int, size: int) -> Counts:
    """Damages one file at a time, `size` times, a fifth of them by cutting it.

    Raises:
        AssertionError: see `Museum.damage`.
    """
    random, counts = Random(seed), Counter[str]()
    with TemporaryDirectory() as folder:
        museums = [
            Museum(Path(folder) / name, random, killed=killed)
            for name, killed in (("closed", False), ("killed", True))
        ]
        for _ in range(size):
            museum = random.choice(museums)
            counts[museum.damage(random.choice(museum.files), random)] += 1
    return counts


if __name__ == "__main__":
    main(run, size=2500)
