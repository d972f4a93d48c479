"""A snapshot is whole or not there, and a restore gives back exactly what it holds."""

import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from indexer.cli import main
from indexer.errors import CatalogError, FingerprintMismatchError, LockedError
from indexer.files import writer_lock
from indexer.maintenance.restore import Restored, restore
from indexer.maintenance.snapshots import SnapshotError
from tests.campaigns.shop import Operation, Shop, State, operation_of
from tests.fakes import FAKE_SPEC


def take(shop: Shop) -> str:
    return shop.snapshots.create(shop.catalog).name


def give_back(shop: Shop, name: str, allowed: str | None = None) -> Restored:
    return restore(shop.snapshots, name, shop.data, FAKE_SPEC, allowed)


def change(shop: Shop, seed: int = 7) -> State:
    for kind in ("put", "remove", "put"):
        shop.do(operation_of(kind, Random(seed), shop.state(), {}))
    return shop.state()


def flip(path: Path, position: int = 100) -> None:
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 4
    path.write_bytes(data)


def image_ids(shop: Shop) -> set[int]:
    with shop.catalog.reader() as snapshot:
        return {i for ids, _ in snapshot.all_vectors() for i in ids.tolist()}


def test_a_snapshot_holds_catalogue_segment_and_a_manifest_that_says_so(shop: Shop) -> None:
    manifest = shop.snapshots.create(shop.catalog)
    folder = shop.snapshots.folder / manifest.name
    (segment,) = shop.data.glob("segment*")
    assert set(manifest.files) == {"catalog.db", segment.name}
    for name, record in manifest.files.items():
        data = (folder / name).read_bytes()
        assert (len(data), sha256(data).hexdigest()) == (record.bytes, record.sha256)
    with shop.catalog.reader() as snapshot:
        assert (manifest.products, manifest.images) == snapshot.counts()
        assert manifest.seq == snapshot.seq
    assert manifest.fingerprint == FAKE_SPEC.fingerprint
    digest = sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert (folder / "manifest.json.sha256").read_text() == f"{digest}  manifest.json\n"
    assert {path.name for path in folder.iterdir()} == {
        *manifest.files,
        "manifest.json",
        "manifest.json.sha256",
    }
    assert shop.snapshots.verify(manifest.name) == []
    assert [entry.manifest for entry in shop.snapshots.entries()] == [manifest]


def test_snapshots_are_taken_while_a_writer_goes_on(shop: Shop) -> None:
    names: list[str] = []
    thread = Thread(target=lambda: names.extend(take(shop) for _ in range(5)))
    thread.start()
    states = {0: shop.state()}
    seed = 0
    while thread.is_alive():
        seed += 1
        shop.do(operation_of("put", Random(seed), {}, {}))
        shop.do(Operation("compact"))
        with shop.catalog.reader() as snapshot:
            seq = snapshot.seq
        states[seq] = shop.state()
    thread.join()
    for entry in shop.snapshots.entries():
        assert entry.manifest
        assert shop.snapshots.verify(entry.name) == []
        if entry.manifest.seq in states:
            give_back(shop, entry.name)
            assert shop.state() == states[entry.manifest.seq]
    assert len(names) == 5


def test_a_restore_into_an_empty_folder_gives_everything_back(shop: Shop, tmp_path: Path) -> None:
    name, expected, ids = take(shop), shop.state(), image_ids(shop)
    done = restore(shop.snapshots, name, tmp_path / "new/data/default", FAKE_SPEC)
    assert done.aside is None
    new = Shop(tmp_path / "new")
    new.require_whole(expected)
    assert image_ids(new) == ids
    assert [p.name for p in new.data.glob("segment*")] == [
        p.name for p in shop.data.glob("segment*")
    ]
    new.close()


def test_a_restore_into_a_live_catalogue_is_picked_up_by_who_searches(shop: Shop) -> None:
    name, expected = take(shop), shop.state()
    before = image_ids(shop)
    changed = change(shop)
    shop.require(changed, changed)
    after = image_ids(shop)
    seq = shop.similar(next(iter(changed))).seq
    done = give_back(shop, name)
    assert done.aside is None
    assert done.seq > seq
    shop.require_whole(expected)
    ids = image_ids(shop)
    assert ids & (after - before) == set()  # what is removed comes not back under its number
    assert before & after <= ids  # what stayed is what it was
    assert min(ids - before, default=10**9) > max(after)


def test_restoring_what_is_there_changes_nothing(shop: Shop) -> None:
    name = take(shop)
    with shop.catalog.reader() as snapshot:
        assert give_back(shop, name).seq == snapshot.seq


def test_a_damaged_catalogue_is_moved_aside_and_its_numbers_are_not_used_again(
    shop: Shop,
) -> None:
    name, expected = take(shop), shop.state()
    change(shop)
    used, last = image_ids(shop), shop.similar(next(iter(shop.state()))).seq
    with closing(sqlite3.connect(shop.catalog.path)) as connection, connection:
        connection.execute("UPDATE products SET attributes = '{}'")
    broken = shop.catalog.path.read_bytes()
    done = give_back(shop, name)
    assert done.aside is not None
    assert (done.aside / "catalog.db").read_bytes() == broken
    assert done.seq >= last
    with pytest.raises(CatalogError, match="was replaced by another file"):
        shop.state()
    shop.close()
    shop.require_whole(expected)
    present = image_ids(shop)
    shop.do(operation_of("put", Random(20), {}, {}))
    assert min(image_ids(shop) - present) > max(used)


@pytest.mark.parametrize(
    "lose", [lambda path: path.write_bytes(b"no database" * 1000), Path.unlink]
)
def test_a_catalogue_that_cannot_be_opened_is_replaced(
    shop: Shop, lose: Callable[[Path], object]
) -> None:
    name, expected = take(shop), shop.state()
    shop.close()
    lose(shop.data / "catalog.db")
    give_back(shop, name)
    shop.require_whole(expected)


@pytest.mark.parametrize(
    "file", ["catalog.db", "segment*", "manifest.json", "manifest.json.sha256"]
)
@pytest.mark.parametrize("spoil", [flip, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_damaged_snapshot_is_named_and_not_restored(
    shop: Shop, file: str, spoil: Callable[[Path], None]
) -> None:
    name = take(shop)
    expected = change(shop)
    (path,) = (shop.snapshots.folder / name).glob(file)
    spoil(path)
    (finding,) = shop.snapshots.verify(name)
    assert str(path).removesuffix(".sha256") in finding
    with pytest.raises(SnapshotError, match=name):
        give_back(shop, name)
    shop.require_whole(expected)


def test_a_missing_file_or_snapshot_is_named(shop: Shop) -> None:
    name = take(shop)
    (shop.snapshots.folder / name / "catalog.db").unlink()
    assert "catalog.db: cannot be read: No such file" in shop.snapshots.verify(name)[0]
    with pytest.raises(SnapshotError, match=r"catalog\.db: cannot be read"):
        give_back(shop, name)
    (shop.snapshots.folder / name / "manifest.json").unlink()
    assert "its manifest cannot be read" in shop.snapshots.entries()[0].problem
    with pytest.raises(SnapshotError, match=f"no snapshot 'x' in .*; existing: {name}"):
        shop.snapshots.verify("x")


def test_a_copy_elsewhere_is_restored_by_its_path(shop: Shop, tmp_path: Path) -> None:
    name, expected = take(shop), shop.state()
    change(shop)
    elsewhere = (shop.snapshots.folder / name).rename(tmp_path / "from-object-storage")
    give_back(shop, str(elsewhere))
    shop.require_whole(expected)


def test_embeddings_of_another_model_are_restored_only_if_asked_for(shop: Shop) -> None:
    name, expected = take(shop), shop.state()
    other = replace(FAKE_SPEC, weights="other", weights_sha256="f" * 64)
    with shop.catalog.writer() as writer:
        writer.remove(list(expected))
        writer.bind(fingerprint=other.fingerprint, weights="other", dimension=3)
    with pytest.raises(FingerprintMismatchError, match="pass --allow-fingerprint"):
        restore(shop.snapshots, name, shop.data, other)
    done = restore(shop.snapshots, name, shop.data, other, allowed=FAKE_SPEC.fingerprint[:8])
    assert done.aside is None
    shop.require_whole(expected)


def test_no_snapshot_is_taken_of_a_damaged_catalogue(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.catalog.path)) as connection, connection:
        connection.execute("UPDATE products SET attributes = '{}'")
    with pytest.raises(
        SnapshotError, match="no snapshot was created, because the catalogue is damaged"
    ):
        take(shop)
    assert shop.snapshots.entries() == []


@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_a_segment_that_is_gone_or_damaged_is_named_with_the_way_out(
    shop: Shop, damage: str
) -> None:
    (segment,) = shop.data.glob("segment*")
    if damage == "gone":
        segment.unlink()
    else:
        flip(segment)
    with pytest.raises(SnapshotError) as told:
        take(shop)
    assert str(segment) in str(told.value)
    assert "run `compact`" in str(told.value)
    assert ".unfinished" not in str(told.value)
    run(shop, "compact")
    take(shop)


def test_damage_is_told_of_the_file_that_was_copied_and_counted_in_words(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.catalog.path)) as connection, connection:
        connection.execute(
            "UPDATE products SET attributes = '{}' WHERE product_id ="
            " (SELECT min(product_id) FROM products)"
        )
    with pytest.raises(SnapshotError) as told:
        take(shop)
    assert f"{shop.catalog.path}: " in str(told.value)
    assert ".unfinished" not in str(told.value)
    assert "findings" not in str(told.value)
    with closing(sqlite3.connect(shop.catalog.path)) as connection, connection:
        connection.execute("UPDATE products SET attributes = '{}'")
    with pytest.raises(SnapshotError, match=r"the first of \d+ findings"):
        take(shop)


@pytest.mark.parametrize("damage", ["gone", "flipped"])
def test_a_damaged_snapshot_is_named_by_its_own_file(shop: Shop, damage: str) -> None:
    name = take(shop)
    catalogue = shop.snapshots.folder / name / "catalog.db"
    if damage == "gone":
        catalogue.unlink()
    else:
        flip(catalogue)
    with pytest.raises(SnapshotError) as told:
        give_back(shop, name)
    assert str(catalogue) in str(told.value)
    assert ".unfinished" not in str(told.value)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_no_half_snapshot_and_no_half_restore(shop: Shop) -> None:
    name = take(shop)
    expected = change(shop)
    sizes = sorted(path.stat().st_size for path in (shop.snapshots.folder / name).iterdir())
    for size in (0, sizes[0], *(size - 1 for size in sizes[1:])):
        with largest_file(size), pytest.raises(CatalogError):
            take(shop)
        with largest_file(size), pytest.raises(CatalogError):
            give_back(shop, name)
    assert [entry.name for entry in shop.snapshots.entries()] == [name]
    shop.require_whole(expected)
    assert not list(shop.data.glob(".*"))


def test_pruning_keeps_the_newest_and_the_newest_whole_one(shop: Shop) -> None:
    names = [take(shop) for _ in range(5)]
    assert shop.snapshots.prune(4) == names[:1]
    for name in names[2:]:
        flip(shop.snapshots.folder / name / "catalog.db")
    assert shop.snapshots.prune(1) == names[2:4]
    assert [entry.name for entry in shop.snapshots.entries()] == [names[1], names[4]]


def test_one_snapshot_is_taken_at_a_time(shop: Shop) -> None:
    shop.snapshots.folder.mkdir(parents=True)
    with writer_lock(shop.snapshots.folder), pytest.raises(LockedError):
        take(shop)


def run(shop: Shop, *arguments: str, code: int = 0) -> Any:
    result: Result = CliRunner().invoke(
        main,
        [*arguments, "--json"],
        env={
            "IMAGE_SEARCH_STORAGE_DATA_DIR": str(shop.data.parent),
            "IMAGE_SEARCH_STORAGE_SNAPSHOT_DIR": str(shop.snapshots.folder.parent),
        },
    )
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_the_commands_take_list_check_restore_and_prune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.cli.app.resolve_spec", lambda _: FAKE_SPEC)
    shop = Shop(tmp_path)
    shop.do(operation_of("put", Random(1), {}, {}))
    expected = shop.state()
    name = run(shop, "snapshot", "create")["name"]
    change(shop)
    assert [entry["name"] for entry in run(shop, "snapshot", "list")["snapshots"]] == [name]
    assert run(shop, "snapshot", "verify", name) == {"ok": True, "findings": []}
    assert run(shop, "snapshot", "restore", name)["moved_aside"] is None
    assert shop.state() == expected
    assert run(shop, "verify")["ok"]
    second = run(shop, "snapshot", "create")["name"]
    assert run(shop, "snapshot", "prune", "--keep", "1") == {"dry_run": False, "removed": [name]}
    flip(shop.snapshots.folder / second / "catalog.db")
    assert len(run(shop, "snapshot", "verify", second, code=1)["findings"]) == 1
    assert run(shop, "snapshot", "restore", second, code=1)["error"]["code"] == "bad_snapshot"
    shop.close()
    flip(shop.catalog.path, 16_000)
    assert not run(shop, "verify", code=1)["ok"]
