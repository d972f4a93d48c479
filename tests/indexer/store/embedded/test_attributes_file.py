"""The file of attributes: read instead of the products, right whatever it holds, never stale."""

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import BadFilterError, BadParameterError
from indexer.files import writer_lock
from indexer.maintenance import attributes as maintenance
from indexer.maintenance.restore import restore
from indexer.maintenance.snapshots import Snapshots
from indexer.maintenance.verify import verify
from indexer.store import Attributes, Image, NewImage, Product, PutProduct, parse
from indexer.store.embedded.attributes import (
    LiveTable,
    Origin,
    Table,
    column,
    differences,
    live,
    open_table,
    read_origin,
    table_path,
    write_table,
)
from indexer.store.embedded.attributes.block import build
from indexer.store.embedded.attributes.hashing import Hashing
from indexer.store.embedded.catalog import Catalog
from tests.fakes import FAKE_SPEC

VECTOR = np.eye(1, FAKE_SPEC.dimension, dtype=np.float32)[0]
NAMES = ["a", "b", "ü"]
TEXTS = st.sampled_from(
    ["red", "Red", "ß", "SS", "日本", "nan", "NaN", "inf", "1", "01", "1.0", "-0", "true", "[1", ""]
) | st.text(max_size=3)
PLAIN = TEXTS | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2)
VALUES = PLAIN | st.lists(PLAIN, max_size=3).map(json.dumps)
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUES)
PRODUCTS = st.dictionaries(st.text(min_size=1, max_size=3), ATTRIBUTES, min_size=1, max_size=20)
CONDITIONS = [
    *(f"{name}{rest}" for name in NAMES for rest in ("<1", ">=-1", ":red", ":1,true", ":ss,日本")),
    *(f"!{name}:{value}" for name in NAMES for value in ("nan", "01", "-0", '"[]"')),
]


def table_of(products: dict[str, Attributes]) -> Table:
    """Each with two images, and every image id again with the next product."""
    ids = np.arange(2 * len(products))
    rows = np.repeat(np.arange(len(products)), 2)
    hashing = Hashing()
    attributes = [(list(range(len(products))), list(products.values()))]
    return Table(1, (build(list(products), ids, rows, attributes, hashing),), hashing)


def stored(table: Table, path: Path) -> Table:
    """The table that is opened from its file."""
    write_table(path, Origin(table.seq, 1, 1), table)
    return open_table(path)[1]


def names_of(table: Table, rows: np.ndarray) -> set[str]:
    found, start = set[str](), 0
    for block in table.blocks:
        here = np.flatnonzero((rows & table.everything)[start : start + len(block)])
        found.update(block.product_ids.at(here))
        start += len(block)
    return found


def selected(table: Table, condition: str) -> object:
    try:
        rows = table.matching([parse(condition)])
    except BadFilterError as error:
        return str(error)
    return names_of(table, rows), table.images(rows).nonzero()[0].tolist()


def counted(table: Table, name: str) -> object:
    try:
        counts = table.facet(name, table.counts(name, table.everything), 100)
    except BadParameterError as error:
        return str(error)
    return sorted((repr(count.value), count.count) for count in counts)


def grouped(table: Table, name: str, product_ids: Sequence[str]) -> object:
    """Which products are in one group, and how many groups there are."""
    try:
        keys = table.first_values(name, product_ids)
    except BadParameterError as error:
        return str(error)
    groups = [None if key is None else keys.index(key) for key in keys]
    return groups, table.distinct(name, table.everything)


def answers(table: Table, product_ids: Sequence[str]) -> list[object]:
    return [
        *(selected(table, condition) for condition in CONDITIONS),
        *(counted(table, name) for name in [*NAMES, "none"]),
        *(grouped(table, name, product_ids) for name in [*NAMES, "none"]),
        *(table.page(table.everything, after, 3) for after in ["", *product_ids]),
        len(table),
    ]


@settings(max_examples=40)
@given(
    PRODUCTS, st.dictionaries(st.text(min_size=1, max_size=3), ATTRIBUTES, max_size=5), st.data()
)
def test_a_table_from_its_file_answers_like_the_one_that_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    products: dict[str, Attributes],
    changes: dict[str, Attributes],
    data: st.DataObject,
) -> None:
    path = tmp_path_factory.mktemp("table") / "file"
    labels = data.draw(st.sampled_from([2, 10_000]))
    gone = data.draw(st.sets(st.sampled_from(sorted(products))))
    asked = [*products, *changes, "\ud800", "none"]
    new = [
        Product(product_id, attributes, (Image(100 + n, product_id, "", "", ""),))
        for n, (product_id, attributes) in enumerate(changes.items())
    ]
    changed = sorted({*changes, *gone})
    with patch.object(column, "MAX_LABELS", labels):
        written = table_of(products)
        opened = stored(written, path)
        assert answers(opened, asked) == answers(written, asked)
        # Blocks in memory are compared with the one in the file, and merged with it.
        later, expected = (table.advanced(2, changed, new) for table in (opened, written))
        assert answers(later, asked) == answers(expected, asked)
        if len(later):
            again = stored(later.merged(), path)
            assert answers(again, asked) == answers(expected.merged(), asked)
            assert list(differences(again, expected)) == []


def test_more_labels_than_are_kept_can_be_filtered_by(tmp_path: Path) -> None:
    many = column.MAX_LABELS + 1
    table = stored(table_of({f"p{n}": {"a": f"v{n}", "b": n} for n in range(many)}), tmp_path / "f")
    assert names_of(table, table.having(parse("a:V7,v10000"))) == {"p7", "p10000"}
    assert int(np.count_nonzero(table.having(parse("b<5")))) == 5
    with pytest.raises(BadParameterError, match="too many different values"):
        table.counts("a", table.everything)
    assert table.distinct("a", table.everything) == many


def test_many_attributes_make_a_larger_header(tmp_path: Path) -> None:
    table = stored(table_of({f"p{n}": {f"name{n}": n} for n in range(300)}), tmp_path / "f")
    assert names_of(table, table.having(parse("!name1:1"))) == {f"p{n}" for n in range(300)} - {
        "p1"
    }
    assert table.has("name299")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """With a file, as of the present version."""
    catalog = Catalog(tmp_path / "shop", create=True)
    with catalog.writer() as writer:
        writer.bind(
            fingerprint=FAKE_SPEC.fingerprint,
            weights=FAKE_SPEC.weights,
            dimension=FAKE_SPEC.dimension,
        )
    put(catalog, range(30), color="red")
    maintenance.renew(catalog)
    yield catalog
    catalog.close()


def put(catalog: Catalog, numbers: Sequence[int], **attributes: Any) -> None:
    with catalog.writer() as writer:
        writer.put(
            PutProduct(f"p{n}", attributes, (NewImage("u", "u", f"h{n}", VECTOR),)) for n in numbers
        )


def current(catalog: Catalog, latest: LiveTable | None = None) -> Table:
    with catalog.reader() as reader:
        table = (latest or LiveTable()).at(reader)
    assert table is not None
    return table


def colored(table: Table, color: str) -> int:
    return len(names_of(table, table.having(parse(f"color:{color}"))))


def is_mapped(table: Table) -> bool:
    return not table.blocks[0].hashes.flags.writeable


def seq_of(catalog: Catalog) -> int:
    with catalog.reader() as reader:
        return reader.seq


def test_products_are_read_from_the_file_and_changes_from_the_journal(catalog: Catalog) -> None:
    put(catalog, range(3), color="blue")
    with catalog.writer() as writer:
        writer.remove(["p9"])
    with patch.object(Table, "of", side_effect=AssertionError("all products were read")):
        table = current(catalog)
    assert (len(table), colored(table, "red"), colored(table, "blue")) == (29, 26, 3)
    assert is_mapped(table)


def test_changes_are_read_in_batches(catalog: Catalog) -> None:
    put(catalog, range(5), color="blue")
    with patch.object(live, "_BATCH", 2):
        table = current(catalog)
    assert (colored(table, "red"), colored(table, "blue")) == (25, 5)
    assert table.seq == seq_of(catalog)


def test_after_very_many_changes_all_products_are_read(catalog: Catalog) -> None:
    put(catalog, range(6), color="blue")
    with patch.object(live, "_FEW_CHANGES", 5):
        assert not is_mapped(current(catalog))
    with patch.object(live, "_FEW_CHANGES", 6):
        assert is_mapped(current(catalog))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "header": lambda data: data[:20] + bytes([data[20] ^ 1]) + data[21:],
    "arrays": lambda data: data[:4100] + bytes([data[4100] ^ 1]) + data[4101:],
    "cut": lambda data: data[:-64],
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_not_used(
    catalog: Catalog, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = table_path(catalog.folder)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert colored(current(catalog), "red") == 30
    assert "attributes.table: damaged" in caplog.text
    (finding,) = verify(catalog)
    assert "attributes.table: damaged" in finding
    maintenance.update(catalog)
    assert verify(catalog) == []
    assert is_mapped(current(catalog))


def test_a_missing_file_is_named(catalog: Catalog, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    table_path(catalog.folder).unlink()
    assert colored(current(catalog), "red") == 30
    assert "attributes.table: missing" in caplog.text
    assert verify(catalog) == []


def test_a_file_of_another_version_of_the_software_is_not_used(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    with patch("indexer.store.embedded.attributes.file._VERSION", 2):
        assert colored(current(catalog), "red") == 30
    assert "format 1, expected 2" in caplog.text


def test_a_file_of_another_catalogue_with_the_same_seq_is_not_used(
    catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Catalog(tmp_path / "other", create=True)
    with other.writer() as writer:
        writer.bind(fingerprint="f", weights="w", dimension=FAKE_SPEC.dimension)
    put(other, range(30), color="green")
    assert seq_of(other) == seq_of(catalog)
    copy = table_path(other.folder)
    copy.parent.mkdir()
    copy.write_bytes(table_path(catalog.folder).read_bytes())
    assert colored(current(other), "green") == 30
    assert "attributes.table: of another catalogue" in caplog.text
    assert verify(other) == []
    other.close()


def test_the_file_of_a_catalogue_that_was_replaced_by_a_snapshot_is_not_used(
    catalog: Catalog, tmp_path: Path
) -> None:
    """The restored catalogue continues at the `seq` of the damaged one."""
    snapshots = Snapshots(tmp_path / "snapshots")
    name = snapshots.create(catalog).name
    put(catalog, range(5), color="blue")
    maintenance.update(catalog)
    before = seq_of(catalog)
    catalog.close()
    catalog.path.write_bytes(b"damaged" * 1000)
    restore(snapshots, name, catalog.folder, FAKE_SPEC)
    restored = Catalog(catalog.folder)
    assert seq_of(restored) == before
    assert colored(current(restored), "red") == 30
    put(restored, range(7), color="green")
    table = current(restored)
    assert (colored(table, "red"), colored(table, "blue"), colored(table, "green")) == (23, 0, 7)
    restored.close()


def test_a_new_file_is_used_from_the_next_change_on(catalog: Catalog) -> None:
    table_path(catalog.folder).unlink()
    latest = LiveTable()
    first = current(catalog, latest)
    maintenance.renew(catalog)
    with catalog.reader() as reader:
        latest.refresh(reader)
    assert current(catalog, latest) is first  # searches remember its rows
    put(catalog, [0], color="blue")
    table = current(catalog, latest)
    assert is_mapped(table)
    assert (colored(table, "red"), colored(table, "blue")) == (29, 1)


def test_a_reader_older_than_a_new_file_does_not_use_it(catalog: Catalog) -> None:
    latest = LiveTable()
    current(catalog, latest)
    put(catalog, [0], color="blue")
    with catalog.reader() as old:
        put(catalog, [1], color="blue")
        maintenance.update(catalog)
        with catalog.reader() as reader:
            latest.refresh(reader)
        assert latest.at(old) is None
    assert colored(current(catalog, latest), "blue") == 2


def test_the_file_is_written_again_when_enough_has_changed(catalog: Catalog) -> None:
    path = table_path(catalog.folder)
    with patch.object(maintenance, "_MIN_CHANGES", 10):
        put(catalog, range(9), color="blue")
        maintenance.update_when_due(catalog)
        assert read_origin(path).seq < seq_of(catalog)
        put(catalog, [9], color="blue")
        maintenance.update_when_due(catalog)
    assert read_origin(path).seq == seq_of(catalog)
    table = open_table(path)[1]
    assert (len(table.blocks), colored(table, "blue"), colored(table, "red")) == (1, 10, 20)


def test_a_file_that_is_up_to_date_is_not_written_again(catalog: Catalog) -> None:
    path = table_path(catalog.folder)
    before = path.stat().st_ino, path.stat().st_mtime_ns
    maintenance.update(catalog)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == before


def test_verify_finds_a_file_that_differs(catalog: Catalog) -> None:
    path = table_path(catalog.folder)
    origin, table = open_table(path)
    put(catalog, range(3), color="blue", size=1)
    assert verify(catalog) == []
    with catalog.reader() as reader:
        write_table(path, Origin.of(reader), table)
    findings = verify(catalog)
    assert len(findings) == 2
    assert all(f"{path}: differs from the catalogue: attribute" in each for each in findings)
    assert origin.seq < seq_of(catalog)
    maintenance.renew(catalog)
    assert verify(catalog) == []


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = table_path(catalog.folder)
    before = path.read_bytes()
    put(catalog, [0], color="blue")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    maintenance.update(catalog)
    assert "No space left on device" in caplog.text
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} == {path.name, "writer.lock"}


def test_a_second_writer_of_the_file_leaves_it_to_the_first(catalog: Catalog) -> None:
    path = table_path(catalog.folder)
    put(catalog, [0], color="blue")
    with writer_lock(path.parent):
        maintenance.update(catalog)
    assert read_origin(path).seq < seq_of(catalog)


def test_the_last_product_can_go(catalog: Catalog) -> None:
    with catalog.writer() as writer:
        writer.remove([f"p{n}" for n in range(30)])
    maintenance.update(catalog)
    assert len(current(catalog)) == 0
    assert verify(catalog) == []
