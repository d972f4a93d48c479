"""Metrics of what is on disk."""

import re
import shutil
import time
from pathlib import Path

from flask.testing import FlaskClient

from indexer.config import CollectionSettings, IndexSettings, Settings, StorageSettings
from indexer.ingest import last_sync
from indexer.ingest.report import Report
from indexer.maintenance.snapshots import Snapshots
from service.engine import metrics, stored
from service.engine.states import STARTING, CollectionState
from tests.conftest import Store
from tests.service.conftest import serving

DEFAULT = 'collection="default"'


def series(client: FlaskClient, name: str) -> dict[str, float]:
    """The values of a metric by its labels."""
    text = client.get("/metrics").text
    found = re.findall(rf"^image_search_{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_the_status_of_a_collection_is_the_series_that_is_1(store: Store) -> None:
    with serving(store.catalog.folder.parent, "other") as client:
        shutil.rmtree(store.catalog.folder)
        now = {labels for labels, value in series(client, "collection_status").items() if value}
        assert 'collection="other",status="ready"' in now
        assert 'collection="default",status="ready"' not in now


def test_the_newest_snapshot_tells_when_it_was_created(store: Store) -> None:
    data_dir = store.catalog.folder.parent
    with serving(data_dir) as client:
        assert series(client, "snapshot_timestamp_seconds")[DEFAULT] == 0
        before = time.time()
        Snapshots(data_dir / ".snapshots" / "default").create(store.catalog)
        told = series(client, "snapshot_timestamp_seconds")[DEFAULT]
        assert before - 0.01 <= told <= time.time()


def test_an_unreadable_folder_of_snapshots_leaves_the_other_metrics(store: Store) -> None:
    data_dir = store.catalog.folder.parent
    storage = StorageSettings(data_dir=data_dir, snapshot_dir=data_dir / ("n" * 300))
    with serving(data_dir, storage=storage) as client:
        assert series(client, "snapshot_timestamp_seconds")[DEFAULT] == 0
        assert 'folder="data"' in series(client, "disk_free_bytes")


def test_a_collection_in_milvus_has_no_metric_of_snapshots(tmp_path: Path) -> None:
    settings = Settings(
        storage=StorageSettings(data_dir=tmp_path),
        index=IndexSettings(backend="milvus"),
        collections={"remote": CollectionSettings()},
    )
    stored.observe(settings, [CollectionState("remote", STARTING, "")], {})
    text = metrics.exposition()[0].decode()
    assert 'image_search_collection_status{collection="remote"' in text
    assert 'image_search_snapshot_timestamp_seconds{collection="remote"' not in text


def test_the_journal_grows_by_a_row_for_each_change(store: Store) -> None:
    with serving(store.catalog.folder.parent) as client:
        assert series(client, "journal_rows")[DEFAULT] == 0
        store.add(store.row("red", "red"), store.row("navy", "navy"))
        assert series(client, "journal_rows")[DEFAULT] == 4


def test_the_disks_have_free_space_and_a_size(own: FlaskClient) -> None:
    free, size = series(own, "disk_free_bytes"), series(own, "disk_size_bytes")
    assert set(free) == set(size) == {'folder="data"', 'folder="snapshots"'}
    assert all(0 < free[folder] < size[folder] for folder in free)


def test_the_last_sync_tells_when_it_was_and_what_it_did(store: Store) -> None:
    data_dir = store.catalog.folder.parent
    with serving(data_dir) as client:
        assert series(client, "sync_timestamp_seconds")[DEFAULT] == 0
        rejected = store.row("green", "green").rejected("no price")
        report = Report(added=["red", "navy"], rejected=[rejected])
        last_sync.record(store.catalog.folder, "feed.csv", report, 2.5)
        assert time.time() - series(client, "sync_timestamp_seconds")[DEFAULT] < 60
        assert series(client, "sync_duration_seconds")[DEFAULT] == 2.5
        told = series(client, "sync_products")
        assert told[f'{DEFAULT},outcome="added"'] == 2
        assert told[f'{DEFAULT},outcome="rejected"'] == 1
