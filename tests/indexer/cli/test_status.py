"""What `status` says of the last sync, the writer, the snapshots and the disk."""

import datetime
import os

from indexer.files import writer_lock
from indexer.ingest import last_sync
from indexer.ingest.report import Report
from tests.indexer.cli.conftest import COLOURS, Shop


def test_the_last_sync_is_told_with_its_counts(stocked: Shop) -> None:
    products = {**COLOURS, "new": "white"}
    products.pop("a/b [/c]")
    feed = stocked.feed(products, "next.csv")
    with feed.open("a") as stream:
        stream.write("bad,photos/0-red.png,bad!,free\n")
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    counts = stocked.run("sync", feed, "--max-removal", "25%", "--json").json
    told = stocked.run("status", "--json").json["last_sync"]
    assert told["feed"] == str(feed)
    names = ("added", "updated", "removed", "unchanged", "rejected", "embedded")
    assert [told[name] for name in names] == [counts[name] for name in names]
    assert counts["added"] == counts["removed"] == counts["rejected"] == 1
    finished = datetime.datetime.fromisoformat(told["finished_at"])
    assert before <= finished <= datetime.datetime.now(datetime.UTC)
    assert 0 <= told["seconds"] < 60
    assert f"feed {feed}, added 1" in stocked.run("status").out


def test_what_is_no_completed_sync_leaves_the_record(stocked: Shop) -> None:
    feed = stocked.feed(COLOURS)
    stocked.run("sync", feed)
    folder = stocked.data_dir / "default"
    before = last_sync.read(folder)
    assert before is not None
    stocked.run("sync", feed, "--dry-run")
    stocked.run("add", feed)
    assert stocked.run("sync", stocked.feed({"red": "red"})).code == 1
    assert last_sync.read(folder) == before


def test_a_token_in_a_url_is_not_recorded(stocked: Shop) -> None:
    folder = stocked.data_dir / "default"
    last_sync.record(folder, "https://shop.example/f.csv?token=secret#x", Report(), 1)
    done = last_sync.read(folder)
    assert done is not None
    assert done.feed == "https://shop.example/f.csv"


def test_a_damaged_record_is_none(stocked: Shop) -> None:
    (stocked.data_dir / "default" / last_sync.FILE_NAME).write_bytes(b"{}")
    assert stocked.run("status", "--json").json["last_sync"] is None


def test_the_writer_is_told_by_its_pid(stocked: Shop) -> None:
    with writer_lock(stocked.data_dir / "default"):
        assert stocked.run("status", "--json").json["writer"] == os.getpid()
        assert f"process {os.getpid()}" in stocked.run("status").out
    assert stocked.run("status", "--json").json["writer"] is None


def test_the_newest_usable_snapshot_is_told(stocked: Shop) -> None:
    created = stocked.run("snapshot", "create", "--json").json
    (stocked.data_dir / ".snapshots" / "default" / "99999999T000000Z").mkdir()
    told = stocked.run("status", "--json").json["newest_snapshot"]
    assert told == {name: created[name] for name in ("name", "created_at", "seq", "products")}


def test_sizes_are_those_of_the_files(stocked: Shop) -> None:
    stocked.run("compact")
    folder = stocked.data_dir / "default"
    told = stocked.run("status", "--json").json["bytes"]
    assert told["index"] == sum(file.stat().st_size for file in folder.glob("segment*.faiss"))
    assert told["catalogue"] >= (folder / "catalog.db").stat().st_size > 0
    assert (told["neighbours"], told["uploads"]) == (0, 0)
    assert told["free"] > 0
