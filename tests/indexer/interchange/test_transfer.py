"""Vectors in and out as files."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from indexer.embedding.kinds import IMPORTED
from indexer.errors import FeaturesError
from indexer.feeds import read_feed
from indexer.fetch import PhotoRoot
from indexer.interchange.transfer import export, import_features
from indexer.search import SearchParameters
from tests.conftest import Store
from tests.fakes import FAKE_SPEC


@pytest.fixture
def other(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


def write_features(folder: Path, names: list[str], dimension: int = 6) -> tuple[Path, Path]:
    features = np.random.default_rng(5).standard_normal((len(names), dimension))
    np.save(folder / "vectors.npy", features)
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in names))
    return folder / "vectors.npy", folder / "names.txt"


def test_an_export_reads_back_as_it_was(store: Store, other: Store, tmp_path: Path) -> None:
    store.add(
        store.row("a", "red", title="A", price=3.5, currency="EUR", in_stock=True),
        store.row("b/ü %", "green", "blue", category="boots"),
    )
    assert export(store.catalog, tmp_path / "out", PhotoRoot()) == (2, 3)
    imported = import_features(
        other.catalog,
        tmp_path / "out" / "features.npy",
        tmp_path / "out" / "names.txt",
        FAKE_SPEC,
        same_model=False,
    )
    assert (imported.products, imported.vectors) == (2, 3)
    # The export says what made its vectors, so photos may be searched and added.
    assert imported.fingerprint == FAKE_SPEC.fingerprint
    other.add(*read_feed(tmp_path / "out" / "products.csv"))
    with store.catalog.reader() as ours, other.catalog.reader() as theirs:
        assert list(theirs.product_ids()) == ["a", "b/ü %"]
        for product_id in ours.product_ids():
            mine = ours.products([product_id])[product_id]
            copy = theirs.products([product_id])[product_id]
            assert copy.attributes == mine.attributes
            assert [i.location for i in copy.images] == [i.location for i in mine.images]
        own = [vectors for _, vectors in ours.all_vectors()]
        assert np.allclose(own, [vectors for _, vectors in theirs.all_vectors()], atol=1e-6)


def test_an_empty_catalogue_is_exported_as_empty_files(store: Store, tmp_path: Path) -> None:
    assert export(store.catalog, tmp_path / "out", PhotoRoot()) == (0, 0)
    assert len(np.load(tmp_path / "out" / "features.npy")) == 0


def test_vectors_of_nobody_knows_what_are_searched_by_product_only(
    store: Store, tmp_path: Path
) -> None:
    files = write_features(tmp_path, ["x/a.jpg", "x/b.jpg", "x/a.png"])
    imported = import_features(store.catalog, *files, FAKE_SPEC, same_model=False)
    assert (imported.products, imported.vectors, imported.fingerprint) == (2, 3, IMPORTED)
    answer = store.searcher.by_product("a", SearchParameters(), include_itself=True)
    assert [match.product.product_id for match in answer.matches] == ["a", "b"]
    (rejection,) = store.add(store.row("c", "red")).rejected
    assert rejection.product_id == "c"


def test_vectors_of_the_configured_model_are_searched_by_photo_too(
    store: Store, tmp_path: Path
) -> None:
    files = write_features(tmp_path, ["a.jpg"], FAKE_SPEC.dimension)
    import_features(store.catalog, *files, FAKE_SPEC, same_model=True)
    store.add(store.row("c", "red"))
    assert store.product_ids() == ["a", "c"]


def test_importing_again_changes_nothing_and_keeps_attributes(store: Store, tmp_path: Path) -> None:
    files = write_features(tmp_path, ["a.jpg", "b.jpg"], FAKE_SPEC.dimension)
    import_features(store.catalog, *files, FAKE_SPEC, same_model=True)
    with store.catalog.reader() as reader:
        seq = reader.seq
    import_features(store.catalog, *files, FAKE_SPEC, same_model=True)
    with store.catalog.reader() as reader:
        assert reader.seq == seq


def test_more_names_than_rows_are_refused(store: Store, tmp_path: Path) -> None:
    features, names = write_features(tmp_path, ["a.jpg", "b.jpg"])
    names.write_text("a.jpg\n")
    with pytest.raises(FeaturesError, match=r"has 2 rows, .* has 1 names"):
        import_features(store.catalog, features, names, FAKE_SPEC, same_model=False)


def test_a_pickle_that_would_run_something_runs_nothing(store: Store, tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os

            return os.system, (f"touch {marker}",)

    (tmp_path / "evil.p").write_bytes(pickle.dumps([Evil()]))
    (tmp_path / "names.txt").write_text("a.jpg\n")
    with pytest.raises(FeaturesError, match=r"system"):
        import_features(
            store.catalog, tmp_path / "evil.p", tmp_path / "names.txt", FAKE_SPEC, same_model=False
        )
    assert not marker.exists()
