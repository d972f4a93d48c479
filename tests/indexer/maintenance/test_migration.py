"""Collections copied between two stores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import FingerprintMismatchError, MassRemovalError, StorageError
from indexer.maintenance.comparison import compare
from indexer.maintenance.migration import Changes, migrate, plan
from indexer.store import NewImage, PutProduct, Store
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.store import EmbeddedStore

DIMENSION = 16
Open = Callable[[str], Store]
Contents = dict[str, tuple[dict[str, object], list[tuple[str, str, str, list[float]]]]]


@pytest.fixture(params=["milvus_lite", "milvus_server"])
def open_peer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Makes a new, empty store of each implementation but the embedded one."""
    uri: str = request.getfixturevalue(request.param)
    from tests.milvus_peers import new_milvus_store  # an optional library

    opened: list[Store] = []

    def new(name: str) -> Store:
        opened.append(new_milvus_store(uri, tmp_path / name))
        return opened[-1]

    yield new
    for store in opened:
        store.close()


@pytest.fixture
def open_here(tmp_path: Path) -> Iterator[Open]:
    """Makes a new, empty embedded store."""
    opened: list[Store] = []

    def new(name: str) -> Store:
        opened.append(EmbeddedStore(Catalog(tmp_path / name, create=True)))
        return opened[-1]

    yield new
    for store in opened:
        store.close()


def product(number: int, *photos: int, **attributes: object) -> PutProduct:
    images = tuple(NewImage(f"{p}.jpg", f"/photos/{p}.jpg", f"{p:064x}", vector(p)) for p in photos)
    return PutProduct(f"p/{number}", {"price": number * 1.5, **attributes}, images)  # type: ignore[dict-item]


def vector(photo: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    drawn = np.random.default_rng(photo).standard_normal(DIMENSION).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def put(store: Store, *products: PutProduct, fingerprint: str = "f" * 64) -> None:
    with store.writer() as writer:
        writer.bind(
            fingerprint=fingerprint, weights="w", dimension=DIMENSION, fields={"side": DIMENSION}
        )
        writer.put(products)


def contents(store: Store) -> Contents:
    with store.reader() as reader:
        found: Contents = {}
        for name, each in reader.products(reader.product_ids()).items():
            ids = [image.image_id for image in each.images]
            stored, vectors = reader.vectors(ids)
            vector_of = dict(zip(stored.tolist(), vectors.tolist(), strict=True))
            found[name] = (
                dict(each.attributes),
                [(i.uri, i.location, i.content_hash, vector_of[i.image_id]) for i in each.images],
            )
        return found


def shop() -> list[PutProduct]:
    return [product(n, n, 100 + n, in_stock=n % 2 == 0, colour=f"c{n % 3}") for n in range(30)]


def test_a_collection_comes_back_as_it_was(open_here: Open, open_peer: Open) -> None:
    here, peer, again = open_here("here"), open_peer("peer"), open_here("again")
    put(here, *shop())
    changes, comparison = migrate(here, peer)
    assert changes == Changes(added=30)
    assert (comparison.searches, comparison.overlap, comparison.findings) == (30, 1.0, [])
    assert migrate(peer, again)[1].findings == []
    assert contents(again) == contents(here)
    with again.reader() as found, here.reader() as wanted:
        assert found.counts() == wanted.counts()
        assert found.fingerprint == wanted.fingerprint
        assert (found.weights, found.embedding_fields) == (wanted.weights, wanted.embedding_fields)


def test_a_second_run_copies_only_what_differs(open_here: Open, open_peer: Open) -> None:
    here, peer = open_here("here"), open_peer("peer")
    put(here, *shop())
    migrate(here, peer)
    seq = peer.seq
    assert migrate(here, peer)[0] == Changes(unchanged=30)
    assert peer.seq == seq
    put(here, product(0, 0, price=3), product(50, 50))
    with here.writer() as writer:
        writer.remove(["p/7"])
    expected = Changes(added=1, updated=1, removed=1, unchanged=28)
    assert plan(here, peer) == (expected, "")
    assert peer.seq == seq
    assert migrate(here, peer)[0] == expected
    assert contents(peer) == contents(here)


def test_changes_made_while_copying_are_copied_too(open_here: Open) -> None:
    here, there = open_here("here"), open_here("there")
    put(here, *shop())
    changed = iter([product(50, 50)])

    def change(_: int) -> None:
        put(here, *changed)

    _, comparison = migrate(here, there, progress=change)
    assert comparison.findings == []
    assert contents(there) == contents(here)
    assert "p/50" in contents(there)


def test_removing_many_products_must_be_allowed(open_here: Open) -> None:
    here, there = open_here("here"), open_here("there")
    put(here, *shop()[:5])
    put(there, *shop())
    before = contents(there)
    with pytest.raises(MassRemovalError, match=r"25 of the 30 products .*'p/10'") as refused:
        migrate(here, there)
    assert plan(here, there) == (Changes(removed=25, unchanged=5), str(refused.value))
    assert contents(there) == before
    assert migrate(here, there, max_removal=1)[0] == Changes(removed=25, unchanged=5)
    assert contents(there) == contents(here)


def test_vectors_of_another_model_are_not_mixed(open_here: Open) -> None:
    here, there = open_here("here"), open_here("there")
    put(here, *shop())
    put(there, *shop(), fingerprint="e" * 64)
    with pytest.raises(FingerprintMismatchError):
        migrate(here, there)


def test_an_interrupted_run_is_continued(open_here: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.maintenance.migration._BATCH", 10)
    here, there = open_here("here"), open_here("there")
    put(here, *shop())

    def fail(_: int) -> None:
        raise StorageError("interrupted")

    with pytest.raises(StorageError):
        migrate(here, there, progress=fail)
    assert migrate(here, there)[0] == Changes(added=20, unchanged=10)
    assert contents(there) == contents(here)


@pytest.mark.parametrize(
    ("other", "finding"),
    [
        (product(0, 0, 100, price=9), "'p/0' has other attributes or photos"),
        (product(0, 0), "images: the source has 60, the destination 59"),
    ],
)
def test_differences_are_found(open_here: Open, other: PutProduct, finding: str) -> None:
    here, there = open_here("here"), open_here("there")
    put(here, *shop())
    put(there, *shop())
    put(there, other)
    findings = compare(here, there).findings
    assert any(finding in each for each in findings), findings
    assert compare(here, here).findings == []
