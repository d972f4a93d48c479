"""Compaction: when a segment is written, what stays if it cannot be, and the commands."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from indexer.cli import main
from indexer.config import IndexSettings
from indexer.errors import DiskFullError, LockedError
from indexer.maintenance.compaction import compact, compact_when_due, rebuild
from indexer.store import NewImage, PutProduct
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.segments import Segment, SegmentError, current_segment
from indexer.store.embedded.index import FILES, LiveView
from tests.indexer.store.embedded.vectors import (
    FLAT,
    add,
    assert_same_answers,
    clustered,
    exact_view,
    remove,
    view_of,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path, create=True)
    add(catalog, clustered(600))
    yield catalog
    catalog.close()


def test_a_full_disk_leaves_the_old_segment_and_no_rest(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    old = rebuild(catalog, FLAT)
    add(catalog, clustered(1500, seed=1))

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(DiskFullError, match="No space left on device"):
        rebuild(catalog, FLAT)
    assert compact_when_due(catalog, FLAT) is None
    assert "No space left on device" in caplog.text
    assert list(catalog.folder.glob(FILES)) == [old.path]
    assert_same_answers(view_of(catalog, LiveView()), exact_view(catalog))


def test_a_segment_is_written_by_itself_only_after_many_changes(catalog: Catalog) -> None:
    assert compact_when_due(catalog, FLAT) is None  # a reader has 600 images in no time
    add(catalog, clustered(600, seed=1))
    first = compact_when_due(catalog, FLAT)
    assert first is not None
    add(catalog, clustered(999, seed=2))
    assert compact_when_due(catalog, FLAT) is None
    remove(catalog, 7)
    second = compact_when_due(catalog, FLAT)
    assert second is not None
    assert (first.images, second.images) == (1200, 2198)


def test_changes_of_attributes_are_no_reason_for_a_segment(catalog: Catalog) -> None:
    add(catalog, clustered(600, seed=1))
    segment = rebuild(catalog, FLAT)
    with catalog.reader() as reader:
        stored = reader.products(str(i) for i in range(1, 1101)).values()
    with catalog.writer() as writer:
        writer.put(
            PutProduct(
                product.product_id,
                {"price": 1.5},
                tuple(NewImage(i.uri, i.location, i.content_hash, None) for i in product.images),
            )
            for product in stored
        )
    assert compact_when_due(catalog, FLAT) is None
    assert compact(catalog, FLAT) == segment


def test_compacting_writes_only_what_is_not_there(catalog: Catalog) -> None:
    first = compact(catalog, FLAT)
    assert compact(catalog, FLAT) == first
    assert compact(catalog, IndexSettings(type="IVF4,Flat")) != first
    add(catalog, clustered(1, seed=1))
    assert compact(catalog, FLAT).images == 601


def test_a_second_writer_is_refused_and_what_is_due_waits(catalog: Catalog) -> None:
    add(catalog, clustered(600, seed=1))
    with catalog.writer():
        with pytest.raises(LockedError):
            rebuild(catalog, FLAT)
        assert compact_when_due(catalog, FLAT) is None
    assert compact_when_due(catalog, FLAT) is not None


def test_without_embeddings_there_is_nothing_to_write(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "empty", create=True)
    with pytest.raises(SegmentError, match="add products first"):
        rebuild(catalog, FLAT)
    catalog.close()


def recorded(catalog: Catalog) -> Segment | None:
    with catalog.reader() as reader:
        return current_segment(reader)


@pytest.mark.parametrize("command", ["compact", "rebuild"])
def test_the_commands_say_what_they_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("IMAGE_SEARCH_STORAGE_DATA_DIR", str(tmp_path))
    catalog = Catalog(tmp_path / "default", create=True)
    add(catalog, clustered(50))
    result = CliRunner().invoke(main, [command, "--json"])
    segment = recorded(catalog)
    catalog.close()
    assert result.exit_code == 0
    assert segment is not None
    assert json.loads(result.stdout) == {
        "segment": segment.path.name,
        "seq": 100,
        "images": 50,
        "kind": "Flat",
        "bytes": segment.path.stat().st_size,
    }
