"""Damaged feeds of every format: no product is lost, each bad row is told once, the rest goes in.

python -m tests.campaigns.fuzz_feeds --seed 1 --size 1000
"""

import csv
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from indexer.errors import FeedError
from indexer.feeds import Feed, RejectedFile, by_row, read_feed
from indexer.ingest.report import Report
from tests.campaigns.command import Counts, main
from tests.campaigns.feed_mutations import (
    MARKS,
    Row,
    Write,
    change_rows,
    cut_or_flipped,
    delimited,
    json_lines,
    mutated,
    xml,
)
from tests.conftest import Store

_IDS = ("SKU-{}", "boots/tall {}", "Größe {}", "A,B-{}", 'IN"CH-{}', "👟{}")
_PRODUCTS = 12
_COLOURS = ("red", "navy", "gold", "black")
_WRITERS: dict[str, Write] = {
    ".csv": delimited(","),
    ".tsv": delimited("\t"),
    ".jsonl": json_lines,
    ".xml": xml,
}
# What is around an id that is a value of its own.
_EDGES = {
    ".csv": (r'[\s",]', r'[\s",]'),
    ".tsv": (r'[\s"]', r'[\s"]'),
    ".jsonl": ('"', '"'),
    ".xml": (r"(?:\s|<[^<>]*>)", r"[\s<]"),
}
_SUFFIXES = (".jpg", ".heic", ".txt", ".PNG", ".tiff", "", ".webp", ".jfif", ".png.bak")


class Campaign:
    """A catalogue that each damaged feed is synchronised into.

    Args:
        folder: where all of it lies.
        random: decides what is damaged.
    """

    def __init__(self, folder: Path, random: Random) -> None:
        self.store = Store(folder)
        self.random = random
        self.counts = Counter[str]()
        for colour in _COLOURS:
            self.store.photo(f"{colour}.png", colour)
        self._number = 0

    def rows(self) -> list[Row]:
        """The whole feed, with a price that it never had, and its columns in any order."""
        self._number += 1
        rows = [
            {
                "id": _IDS[n % len(_IDS)].format(1000 + n),
                "title": self.random.choice(("Boot", "Shoe, red", "Warm\nand dry", '4" heel')),
                "image_link": f"{self.random.choice(_COLOURS)}.png",
                "price": f"{self._number}.00 EUR",
                "color": self.random.choice(("", "red", "blue")),
                "brand": f"maker {n % 5}",
                "product_id": f"group {n % 3}",
            }
            for n in range(_PRODUCTS)
        ]
        columns = self.random.sample(list(rows[0]), len(rows[0]))
        return [{name: row[name] for name in columns} for row in rows]

    def sync(self, path: Path, standing: Callable[[str], bool], intact: Iterable[Row]) -> None:
        """Synchronises a damaged feed.

        Args:
            standing: whether an id is still in the feed.
            intact: rows that must go in, as nothing can have touched them.

        Raises:
            AssertionError: what happened must not.
        """
        before = self.store.product_ids()
        try:
            report = self.store.indexer.sync(
                lambda: read_feed(path),
                max_removal=1,
                remove_despite_rejects=self.random.random() < 0.4,
            )
        except FeedError:
            assert self.store.product_ids() == before
            self.counts["refused whole"] += 1
            return
        lost = [name for name in report.removed if standing(name)]
        assert not lost, f"removed, but in the feed: {lost}"
        self._require_told_once(report, path)
        with self.store.catalog.reader() as snapshot:
            products = snapshot.products([row["id"] for row in intact])
        for row in intact:
            assert row["id"] in products, f"not added: {row}"
            price = products[row["id"]].attributes["price"]
            assert price == float(row["price"].split()[0]), f"not updated: {row}"
        self._count(report)

    def _require_told_once(self, report: Report, path: Path) -> None:
        rows = by_row(report.rejected)
        places = Counter(row.number for row in rows)
        assert max(places.values(), default=1) == 1, places
        file = path.with_name("rejected.csv")
        RejectedFile(file, [Feed.of(path)]).write(rows)
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            assert sum(1 for _ in csv.reader(stream)) == 1 + len(rows)

    def _count(self, report: Report) -> None:
        self.counts["done"] += 1
        self.counts["rows rejected"] += len(by_row(report.rejected))
        self.counts["products removed"] += len(report.removed)
        self.counts["products kept for a row without id"] += len(report.not_removed)
        self.counts["products kept with a warning"] += sum(
            "so that product is kept" in warning.reason for warning in report.warnings
        )

    def restore(self, rows: Sequence[Row]) -> None:
        """Brings the catalogue back to the whole feed."""
        path = self.store.photos / "whole.jsonl"
        path.write_text(json_lines(rows), encoding="utf-8")
        self.store.indexer.sync(lambda: read_feed(path), max_removal=1)


def _text(campaign: Campaign, suffix: str) -> None:
    rows, write = campaign.rows(), _WRITERS[suffix]
    data = mutated(campaign.random, rows, write, MARKS[suffix])
    path = campaign.store.photos / f"feed{suffix}"
    path.write_bytes(data)
    texts = [
        data.decode(each, "replace") for each in ("utf-8", "utf-16-le", "utf-16-be", "latin-1")
    ]
    names = {row["id"]: _written(row, write) for row in rows}
    before, behind = _EDGES[suffix]

    def standing(name: str) -> bool:
        # A comma before an id with a comma, which is in quotes, makes another id of it.
        first = before.replace(",", "") if "," in name else before
        written = re.compile(f"(?:^|{first}){re.escape(names[name])}(?:{behind}|$)")
        return any(map(written.search, texts))

    campaign.sync(path, standing, _intact(rows, write, data))
    campaign.restore(rows)


def _written(row: Row, write: Write) -> str:
    """The id as the format writes it, without quotes around it."""
    alone = write([{"id": row["id"]}])
    if write is xml:
        return alone.partition("<g:id>")[2].partition("</g:id>")[0]
    if write is json_lines:
        return alone[len('{"id": "') : -len('"}\n')]
    line = alone.splitlines()[1]
    return line[1:-1] if line.startswith('"') else line


def _intact(rows: Sequence[Row], write: Write, data: bytes) -> list[Row]:
    """Rows of one line that stand unchanged, between lines that are unchanged."""
    whole = write(rows)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return []
    head = "" if write is json_lines else whole.splitlines(keepends=True)[0]
    if not text.startswith(head):
        return []
    found = []
    for row in rows:
        line = write([row]).removeprefix(head)
        if write is xml:
            line = re.findall("<item>.*</item>\n", line, re.S)[0]
            line = f"</item>\n{line}"  # not inside of another
        else:
            line = f"\n{line}"
        if line in f"\n{text}" and line.count("\n") == 2 and text.count(row["id"]) == 1:
            found.append(row)
    return found


def _parquet(campaign: Campaign) -> None:
    rows = campaign.rows()
    changed = [dict(row) for row in rows]
    for _ in range(campaign.random.choice((0, 1, 2))):
        change_rows(campaign.random, changed)
    if campaign.random.random() < 0.2:  # null instead of empty
        changed = [{name: text or None for name, text in row.items()} for row in changed]  # type: ignore[misc]
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(changed), stream, write_page_checksum=True)
    data = stream.getvalue()
    whole = campaign.random.random() < 0.5
    if not whole:
        data = cut_or_flipped(campaign.random, data)
    path = campaign.store.photos / "feed.parquet"
    path.write_bytes(data)
    names = {row["id"] for row in changed}
    times = Counter(row["id"] for row in changed)
    intact = [row for row in rows if whole and row in changed and times[row["id"]] == 1]
    campaign.sync(path, lambda name: name in names, intact)
    campaign.restore(rows)


def _folder(campaign: Campaign) -> None:
    random, folder = campaign.random, campaign.store.photos / "stock"
    for each in (folder, folder.with_name("elsewhere")):
        shutil.rmtree(each, ignore_errors=True)
    for n in range(_PRODUCTS):
        file = folder / ("boots" if n % 2 else ".") / f"p{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(campaign.store.photos / f"{_COLOURS[n % len(_COLOURS)]}.png", file)
    campaign.store.indexer.sync(lambda: read_feed(folder), max_removal=1)
    if random.random() < 0.3:  # a folder behind a link, with a link back
        folder.joinpath("boots").rename(elsewhere := folder.with_name("elsewhere"))
        folder.joinpath("boots").symlink_to(elsewhere)
        elsewhere.joinpath("back").symlink_to(folder)
    for _ in range(random.randint(1, 4)):
        file = random.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
        _damage_file(random, file)
    names = {
        str(file.relative_to(folder).with_suffix(""))
        for file in folder.rglob("*")
        if file.suffix.lower() not in (".txt", "")
    }
    campaign.sync(folder, lambda name: name in names, [])


def _damage_file(random: Random, file: Path) -> None:
    kind = random.randrange(6)
    if kind == 0:
        file.write_bytes(cut_or_flipped(random, file.read_bytes() or b"\0"))
    elif kind == 1:
        file.write_bytes(b"")
    elif kind == 2:
        file.rename(file.with_suffix(random.choice(_SUFFIXES)))
    elif kind == 3:
        file.with_suffix(random.choice((".jpg", ".webp"))).write_bytes(file.read_bytes())
    elif kind == 4:
        file.rename(os.fsdecode(os.fsencode(file.with_suffix("")) + b"\xff.png"))
    else:
        file.unlink()
        file.symlink_to(random.choice(("nowhere.png", file.name, "/etc/hostname")))


def run(seed: int, size: int) -> Counts:
    """Synchronises so many damaged feeds of each format.

    Raises:
        AssertionError: a product was removed that is in the feed, or a row was lost.
    """
    counts = Counter[str]()
    for kind in (*_WRITERS, ".parquet", "folder"):
        with TemporaryDirectory() as folder:
            campaign = Campaign(Path(folder) / "shop", Random())
            campaign.restore(campaign.rows())
            for number in range(size):
                campaign.random.seed(f"{seed}/{kind}/{number}")
                try:
                    if kind in _WRITERS:
                        _text(campaign, kind)
                    else:
                        (_parquet if kind == ".parquet" else _folder)(campaign)
                except Exception as error:
                    raise AssertionError(f"{kind} feed {number} of seed {seed}") from error
            campaign.store.catalog.close()
            counts.update(campaign.counts)
    return dict(counts)


if __name__ == "__main__":
    main(run, size=1000)
