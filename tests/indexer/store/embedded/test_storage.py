"""Disks that are full or cannot be written: an error that says so, and nothing lost."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile

import pytest

from indexer.config import IndexSettings
from indexer.errors import DiskFullError, ReadOnlyError, StorageError
from indexer.maintenance.compaction import rebuild
from indexer.maintenance.snapshots import Snapshots
from indexer.store.embedded.catalog import Catalog
from indexer.store.uploads import UploadedPhotos
from tests.conftest import Store
from tests.mounts import fill, read_only, small_disk


def is_closed(store: Store) -> None:
    store.catalog.close()
    assert [path.name for path in store.catalog.folder.glob("catalog.db*")] == ["catalog.db"]


@pytest.fixture
def frozen(store: Store, tmp_path: Path) -> Iterator[Path]:
    """The data folder of a closed catalogue with one product, on a read-only disk."""
    store.add(store.row("shoe", "red"))
    is_closed(store)
    with read_only(store.catalog.folder.parent, tmp_path / "read-only") as place:
        yield place


def found(catalog: Catalog) -> list[str]:
    with catalog.reader() as reader:
        return list(reader.product_ids())


def test_a_closed_catalogue_opens_on_a_read_only_disk(frozen: Path) -> None:
    catalog = Catalog(frozen / "default")
    assert found(catalog) == ["shoe"]
    catalog.close()


def test_changes_through_another_mount_of_the_disk_are_seen(frozen: Path, store: Store) -> None:
    catalog = Catalog(frozen / "default")
    assert found(catalog) == ["shoe"]
    writing = Store.reopened(store)
    writing.add(writing.row("boot", "navy"))
    assert found(catalog) == ["boot", "shoe"]
    writing.catalog.close()
    assert found(catalog) == ["boot", "shoe"]
    catalog.close()


def test_a_read_that_a_change_interrupts_is_an_error(frozen: Path, store: Store) -> None:
    catalog = Catalog(frozen / "default")

    def read_while_it_is_written() -> None:
        with catalog.reader():
            writing = Store.reopened(store)
            writing.add(writing.row("boot", "navy"))
            writing.catalog.close()

    with pytest.raises(StorageError, match="was changed while it was read"):
        read_while_it_is_written()
    catalog.close()


def test_a_log_that_cannot_be_read_on_a_read_only_disk_is_told(
    store: Store, tmp_path: Path
) -> None:
    data = tmp_path / "killed"
    (data / "default").mkdir(parents=True)
    with store.catalog.reader():  # keeps the log from being emptied
        store.add(store.row("shoe", "red"))
        for name in ("catalog.db", "catalog.db-wal"):
            copyfile(store.catalog.folder / name, data / "default" / name)
    with (
        read_only(data, tmp_path / "place") as place,
        pytest.raises(ReadOnlyError, match=r"has changes in catalog\.db-wal.*`snapshot create`"),
    ):
        Catalog(place / "default")


def test_writing_to_a_read_only_disk_is_told_as_such(frozen: Path) -> None:
    catalog = Catalog(frozen / "default")
    with pytest.raises(ReadOnlyError), catalog.writer():
        pass
    with pytest.raises(ReadOnlyError):
        rebuild(catalog, IndexSettings())
    with pytest.raises(ReadOnlyError):
        UploadedPhotos(catalog).save(catalog.folder / "photos" / "ab" / "abc.png", b"photo")
    with pytest.raises(ReadOnlyError):
        Snapshots(frozen / ".snapshots").create(catalog)
    catalog.close()


def test_a_full_disk_is_told_as_such_and_what_was_stored_stays(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4 << 20) as disk:
        store = Store(disk)
        store.add(store.row("shoe", "red"))
        rows = [store.row(f"p{number}", (number, 5, 5)) for number in range(200)]
        ballast = fill(disk)
        with pytest.raises(DiskFullError, match="free some space"):
            store.add(*rows)
        stored = found(store.catalog)
        assert "shoe" in stored
        with pytest.raises(DiskFullError):
            Snapshots(disk / "snapshots").create(store.catalog)
        ballast.unlink()
        store.add(*rows)
        assert len(found(store.catalog)) == 201
        store.catalog.close()


def test_an_index_file_that_does_not_fit_is_told_as_such(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8 << 20) as disk:
        store = Store(disk)
        store.add(*(store.row(f"p{number}", (number, 5, 5)) for number in range(100)))
        with store.catalog.writer():  # whose lock needs no more room
            pass
        ballast = fill(disk)
        with pytest.raises(DiskFullError):
            rebuild(store.catalog, IndexSettings())
        ballast.unlink()
        assert rebuild(store.catalog, IndexSettings()).images == 100
        store.catalog.close()


def test_a_catalogue_is_never_made_by_reading(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    path = store.catalog.path
    with store.catalog.reader():
        path.rename(tmp_path / "elsewhere.db")
        with pytest.raises(StorageError), store.catalog.reader():
            pass
        with pytest.raises(StorageError), store.catalog.writer():
            pass
    assert not path.exists()
    store.catalog.close()
    assert not path.exists()
