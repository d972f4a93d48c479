"""add, sync and remove."""

import os
import re
import threading
import time
from pathlib import Path

import pytest

from indexer.store.embedded.catalog import Catalog
from tests.indexer.cli.conftest import COLOURS, Shop, grey

MANY = 70  # products: more than two batches


def test_add_reports_what_it_did_and_again_that_nothing_changed(shop: Shop) -> None:
    feed = shop.feed({"a": "red", "b": "navy", "c": "red"})
    first = shop.run("add", feed, "--json")
    assert first.code == 0
    assert first.json == {
        "dry_run": False,
        "added": 3,
        "updated": 0,
        "removed": 0,
        "unchanged": 0,
        "rejected": 0,
        "embedded": 2,  # two products share a photo
        "not_removed": 0,
        "hosts_down": [],
        "rejections": [],
        "warnings": [],
    }
    again = shop.run("add", feed, "--json").json
    assert (again["unchanged"], again["added"], again["embedded"]) == (3, 0, 0)
    assert shop.embedder.images_seen == 2


def test_add_takes_feeds_folders_and_photos_together(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    shop.photo("folder/boots/tall.png", "green")
    photo = shop.photo("single.png", "gold")
    assert shop.run("add", feed, shop.folder / "folder", photo).code == 0
    products = shop.products()
    assert set(products) == {"a", "boots/tall", "single"}
    assert products["boots/tall"].attributes == {"category": "boots"}


def test_add_removes_nothing(shop: Shop) -> None:
    shop.run("add", shop.feed({"a": "red", "b": "navy"}))
    shop.run("add", shop.feed({"c": "green"}))
    assert set(shop.products()) == {"a", "b", "c"}


def test_a_feed_that_is_not_there_fails(shop: Shop) -> None:
    ran = shop.run("add", "nothing.csv")
    assert ran.code == 1
    assert "nothing.csv" in ran.err
    assert ran.err.count("\n") == 1


def test_sync_makes_the_catalogue_equal_to_the_feed(shop: Shop) -> None:
    before = {f"p{number}": "red" for number in range(9)} | {"gone": "navy"}
    shop.run("sync", shop.feed(before))
    after = {**before, "p0": "green", "new": "gold"}
    del after["gone"]
    counts = shop.run("sync", shop.feed(after), "--json").json
    assert {name: counts[name] for name in ("added", "updated", "removed", "embedded")} == {
        "added": 1,
        "updated": 1,
        "removed": 1,
        "embedded": 2,
    }
    assert set(shop.products()) == set(after)


def _churn(shop: Shop) -> Path:
    """A catalogue, and a feed that adds, changes, keeps, removes and has rows to reject."""
    first = {f"p{number:02}": grey(number) for number in range(MANY)}
    shop.run("add", shop.feed(first, "first.csv"))
    second = {name: colour for name, colour in first.items() if name not in ("p03", "p04")}
    second |= {"p05": grey(200), "p06": grey(201)}
    second |= {f"new{number:02}": grey(210 + number % 5) for number in range(MANY)}
    feed = shop.feed(second, "second.csv")
    with feed.open("a") as stream:
        stream.write("bad,photos/nothing.png,x,1\np03,photos/nothing.png,kept,1\n")
    return feed


def test_the_progress_bar_of_a_dry_run_counts_every_row(shop: Shop) -> None:
    feed = shop.feed(COLOURS)
    with feed.open("a") as file:
        file.write(",x.png,,5.00 EUR\n")
    assert re.search("checking .* 5/", shop.run("sync", feed, "--dry-run").err)


def test_a_dry_run_counts_what_the_sync_then_does(shop: Shop) -> None:
    feed = _churn(shop)
    planned = shop.run("sync", feed, "--dry-run", "--json")
    done = shop.run("sync", feed, "--json")
    assert planned.code == done.code == 3
    plan = planned.json
    samples = plan.pop("samples")
    assert plan.pop("refused") is None
    assert plan == done.json | {"dry_run": True}
    assert samples["removed"] == ["p04"]
    assert len(samples["added"]) == 10


def test_a_dry_run_changes_nothing(shop: Shop) -> None:
    feed = _churn(shop)
    before, seen = shop.products(), shop.embedder.images_seen
    ran = shop.run("sync", feed, "--dry-run")
    assert "dry run" in ran.out
    assert shop.products() == before
    assert shop.embedder.images_seen == seen


def test_neither_a_dry_run_nor_a_file_that_is_no_feed_makes_a_catalogue(shop: Shop) -> None:
    assert shop.run("sync", shop.feed({"a": "red"}), "--dry-run", "--json").json["added"] == 1
    no_feed = shop.folder / "orders.csv"
    no_feed.write_text("order,total\n1,2\n")
    for command in ("sync", "add"):
        assert shop.run(command, no_feed).code == 1
    assert not shop.data_dir.exists()


def test_a_dry_run_of_the_first_sync_plans_to_add_everything(shop: Shop) -> None:
    ran = shop.run("sync", shop.feed({"a": "red"}), "--dry-run", "--json")
    assert (ran.code, ran.json["added"], ran.json["embedded"]) == (0, 1, 1)
    assert not shop.data_dir.exists()


def test_a_feed_that_lacks_many_products_removes_none(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(10)}))
    feed = shop.feed({f"p{number}": "red" for number in range(7)})
    ran = shop.run("sync", feed, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "mass_removal")
    assert "3 of 10" in ran.err
    assert "--allow-mass-removal" in ran.err
    assert len(shop.products()) == 10


def test_a_dry_run_shows_the_plan_that_the_run_itself_would_refuse(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(10)}))
    feed = shop.feed({"p0": "red", "new": "navy"})
    ran = shop.run("sync", feed, "--dry-run")
    assert ran.code == shop.run("sync", feed).code == 1
    assert "dry run: 1 added, 0 updated, 9 removed" in ran.out
    assert "sync would refuse this: the feed would remove 9 of 10 products" in ran.out
    plan = shop.run("sync", feed, "--dry-run", "--json").json
    assert (plan["removed"], "9 of 10" in plan["refused"]) == (9, True)
    meant = shop.run("sync", feed, "--dry-run", "--allow-mass-removal", "--json")
    assert (meant.code, meant.json["refused"]) == (0, None)


def test_a_feed_may_lack_a_fifth_of_the_products_or_more_if_that_is_meant(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(10)}))
    fifth = shop.feed({f"p{number}": "red" for number in range(8)})
    assert shop.run("sync", fifth, "--json").json["removed"] == 2
    most = shop.feed({"p0": "red"})
    assert shop.run("sync", most, "--allow-mass-removal", "--json").json["removed"] == 7
    assert set(shop.products()) == {"p0"}


def test_an_empty_feed_does_not_empty_the_catalogue(shop: Shop) -> None:
    shop.run("add", shop.feed({"a": "red"}))
    assert shop.run("sync", shop.feed({})).code == 1
    assert set(shop.products()) == {"a"}


def test_remove_takes_ids_and_files_of_ids(shop: Shop) -> None:
    shop.run("add", shop.feed(dict.fromkeys(["a/b", "c d", "é", "x", "stays"], "red")))
    listed = shop.folder / "gone.txt"
    listed.write_bytes("\ufeffc d\r\né\n\nx".encode())
    ran = shop.run("remove", "a/b", "x", "--from", listed, "--json")
    assert (ran.code, ran.json["unknown"]) == (0, [])
    assert sorted(ran.json["removed"]) == ["a/b", "c d", "x", "é"]
    assert set(shop.products()) == {"stays"}


def test_removing_what_is_not_there_is_told_and_the_rest_is_removed(shop: Shop) -> None:
    shop.run("add", shop.feed({"a": "red", "b": "red"}))
    ran = shop.run("remove", "a", "[/nothing]")
    assert ran.code == 3
    assert "no product '[/nothing]'" in ran.out
    assert set(shop.products()) == {"b"}


def test_an_id_that_begins_with_a_dash_can_be_removed(shop: Shop) -> None:
    shop.run("add", shop.feed({"-x": "red"}))
    assert shop.run("remove", "--", "-x").code == 0
    assert shop.products() == {}


def test_a_list_of_ids_that_is_no_text_fails_in_one_line(shop: Shop) -> None:
    shop.run("add", shop.feed({"a": "red"}))
    listed = shop.folder / "gone.txt"
    listed.write_bytes(b"\xff\xfe\x00")
    ran = shop.run("remove", "--from", listed)
    assert ran.code == 2
    assert "save the file as UTF-8" in ran.err


def test_a_second_writer_is_refused_at_once_with_the_pid_of_the_first(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    shop.run("add", feed)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:  # flock tells apart open files, not processes
        with Catalog(shop.data_dir / "default").writer():
            locked.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(10)
    for command in (["add", feed], ["sync", feed], ["remove", "a"]):
        started = time.monotonic()
        ran = shop.run(*command, "--json")
        assert time.monotonic() - started < 1
        assert (ran.code, ran.json["error"]["code"]) == (4, "locked")
        assert str(os.getpid()) in ran.err
        assert ran.err == f"error: {ran.json['error']['detail']}\n"  # and no progress bar
    done.set()
    thread.join()
    assert shop.run("remove", "a").code == 0


def test_a_feed_indexed_in_parts_and_merged_needs_no_more_embedding(shop: Shop) -> None:
    feed = shop.feed({f"p{number:02}": grey(number) for number in range(MANY)})
    folders = [shop.folder / f"machine{part}" for part in (1, 2, 3)]
    added = [
        shop.run(
            "add",
            feed,
            "--shard",
            f"{part}/3",
            "--json",
            IMAGE_SEARCH_STORAGE_DATA_DIR=str(folder),
        ).json["added"]
        for part, folder in enumerate(folders, 1)
    ]
    assert sum(added) == shop.embedder.images_seen == MANY
    assert all(added)
    # A data_dir, or the folder of the collection in it.
    merged = shop.run("merge", folders[0], folders[1] / "default", folders[2], "--json")
    assert (merged.code, merged.json["added"], merged.json["embedded"]) == (0, MANY, 0)
    again = shop.run("merge", *folders, "--json").json
    assert (again["unchanged"], again["added"], again["updated"]) == (MANY, 0, 0)
    synced = shop.run("sync", feed, "--json").json
    assert (synced["unchanged"], synced["embedded"]) == (MANY, 0)
    assert shop.embedder.images_seen == MANY


@pytest.mark.parametrize("shard", ["9/8", "0/8", "", "two"])
def test_a_part_that_is_none_is_wrong_usage(shop: Shop, shard: str) -> None:
    ran = shop.run("add", shop.feed({"a": "red"}), "--shard", shard)
    assert ran.code == 2
    assert f"received {shard!r}" in ran.err
    assert "2/8" in ran.err
    assert not shop.data_dir.exists()


def test_merging_a_folder_without_a_catalogue_fails_and_makes_none(shop: Shop) -> None:
    (shop.folder / "nothing").mkdir()
    ran = shop.run("merge", "nothing")
    assert ran.code == 1
    assert str(Path("nothing/default/catalog.db")) in ran.err
    assert not shop.data_dir.exists()
