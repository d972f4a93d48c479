"""The cache of small files."""

import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.images.memory import MIB
from service.engine.file_cache import FileCache

KEY = "ab12-320"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_stored_is_loaded_by_any_process(tmp_path: Path) -> None:
    FileCache(tmp_path, MIB).store(KEY, b"data")
    assert FileCache(tmp_path, MIB).load(KEY) == b"data"
    assert FileCache(tmp_path, MIB).load("ab12-640") is None


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_file_is_ignored_and_replaced(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int
) -> None:
    cache = FileCache(folder := tmp_path_factory.mktemp("cache"), MIB)
    cache.store(KEY, b"data")
    (file,) = files(folder)
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= flip
    file.write_bytes(content)
    assert cache.load(KEY) is None
    file.write_bytes(content[: place % len(content)])
    assert cache.load(KEY) is None
    cache.store(KEY, b"data")
    assert cache.load(KEY) == b"data"


def test_a_full_cache_deletes_what_was_unused_for_longest(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 256 * 1000)  # 1,000 bytes for each folder
    for number in range(4):
        cache.store(f"ab-{number}", bytes(200))
        os.utime(tmp_path / "ab" / f"ab-{number}", (number, number))
    assert cache.load("ab-0")
    cache.store("ab-4", bytes(200))
    assert [cache.load(f"ab-{number}") is not None for number in range(5)] == [1, 0, 1, 1, 1]
    cache.store("cd-0", bytes(900))
    assert cache.load("ab-0")  # another folder
    assert sum(path.stat().st_size for path in files(tmp_path / "ab")) <= 1000


def test_what_a_killed_process_left_is_deleted_in_its_turn(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, 256 * 1000)
    cache.store("ab-0", bytes(10))
    left = tmp_path / "ab" / ".ab-1.x"
    left.write_bytes(bytes(900))
    os.utime(left, (1, 1))
    cache.store("ab-2", bytes(500))
    assert not left.exists()
    assert cache.load("ab-0")


@pytest.mark.parametrize("limit", [0, 256 * 10])
def test_what_is_larger_than_its_share_is_not_stored(tmp_path: Path, limit: int) -> None:
    FileCache(tmp_path / "cache", limit).store(KEY, b"data")
    assert not (tmp_path / "cache").exists()


def test_a_disk_that_is_nearly_full_or_read_only_stores_nothing_and_raises_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    FileCache(tmp_path / "file", MIB).store(KEY, b"data")  # as any error of the system
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * MIB))
    cache = FileCache(tmp_path / "cache", MIB)
    cache.store(KEY, b"data")
    assert files(tmp_path / "cache") == []
    assert cache.load(KEY) is None


def test_loading_marks_a_file_as_used(tmp_path: Path) -> None:
    cache = FileCache(tmp_path, MIB)
    cache.store(KEY, b"data")
    os.utime(tmp_path / "ab" / KEY, (1, 1))
    cache.load(KEY)
    assert (tmp_path / "ab" / KEY).stat().st_mtime > time.time() - 60
