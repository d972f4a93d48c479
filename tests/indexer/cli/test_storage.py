"""What commands say of disks that are full or cannot be written."""

from pathlib import Path

import pytest

from tests.indexer.cli.conftest import Shop, grey
from tests.mounts import fill, read_only, small_disk


@pytest.mark.parametrize("command", [("status",), ("verify",), ("search", "--product", "a")])
def test_what_only_reads_works_on_a_read_only_disk(
    shop: Shop, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert shop.run("add", shop.feed({"a": "red"})).code == 0
    with read_only(shop.data_dir, tmp_path / "place") as place:
        ran = shop.run(*command, IMAGE_SEARCH_STORAGE_DATA_DIR=str(place))
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("command", ["remove a", "compact", "rebuild", "snapshot create", "sync"])
def test_what_writes_tells_a_read_only_disk(shop: Shop, tmp_path: Path, command: str) -> None:
    feed = shop.feed({"a": "red"})
    assert shop.run("add", feed).code == 0
    arguments = [*command.split(), *([feed] if command == "sync" else [])]
    with read_only(shop.data_dir, tmp_path / "place") as place:
        ran = shop.run(*arguments, "--json", IMAGE_SEARCH_STORAGE_DATA_DIR=str(place))
    assert (ran.code, ran.json["error"]["code"]) == (1, "read_only")
    assert "Read-only file system" in ran.err


def test_a_full_disk_is_told_and_the_run_goes_on_where_it_stopped(
    shop: Shop, tmp_path: Path
) -> None:
    feed = shop.feed({f"p{number}": grey(number) for number in range(200)})
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        small = {"IMAGE_SEARCH_STORAGE_DATA_DIR": str(disk)}
        assert shop.run("add", shop.feed({"a": "red"}, "one.csv"), **small).code == 0
        ballast = fill(disk)
        ran = shop.run("add", feed, "--json", **small)
        assert (ran.code, ran.json["error"]["code"]) == (1, "disk_full")
        assert "free some space" in ran.err
        assert shop.run("status", "--json", **small).json["products"] >= 1
        ballast.unlink()
        assert shop.run("add", feed, **small).code == 0
