"""The command `whiten`, and a catalogue whose vectors are whitened afterwards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.arrays import normalised
from indexer.embedding.base import unit_rows
from indexer.embedding.whitening import read_whitening
from indexer.store.embedded.catalog import Catalog
from tests.fakes import FAKE_SPEC
from tests.indexer.cli.conftest import Shop

COUNT = 120
VECTORS = normalised(1 + np.random.default_rng(0).random((COUNT, FAKE_SPEC.dimension)))


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    np.save(shop.folder / "v.npy", VECTORS)
    (shop.folder / "n.txt").write_text("\n".join(f"{number:03}.jpg" for number in range(COUNT)))
    files = (shop.folder / "v.npy", shop.folder / "n.txt")
    assert shop.run("import-features", *files, "--same-model").code == 0
    return shop


def test_the_stored_vectors_are_mapped_without_reading_a_photo(stocked: Shop) -> None:
    file = stocked.folder / "w.npz"
    done = stocked.run("whiten", file, "--dimensions", "16", "--json").json
    assert (done["file"], done["photos"], done["dimensions"]) == (str(file), COUNT, 16)
    whitening = read_whitening(file)
    setting = {"IMAGE_SEARCH_EMBEDDING_WHITENING": str(file)}
    detail = stocked.run("status", "--json", **setting).json["detail"]
    now = f"embedding.whitening SHA-256 {whitening.sha256[:12]}"
    assert f"made with embedding.whitening none, but the settings say {now}" in detail
    assert stocked.run("rebuild", "--re-embed", **setting).code == 0
    assert stocked.run("status", "--json", **setting).json["photo_search"]
    assert stocked.run("verify", **setting).code == 0
    catalog = Catalog(stocked.data_dir / "default")
    with catalog.reader() as reader:
        ((_, vectors),) = reader.all_vectors()
        assert reader.product_ids()
    catalog.close()
    np.testing.assert_allclose(vectors, unit_rows(whitening.head(VECTORS)), atol=1e-6)
    found = stocked.run("search", "--product", "007", "--json", **setting).json["results"]
    assert found[0]["product_id"] == "007"
    for settings in ({}, setting):
        again = stocked.run("whiten", file, **settings)
        assert (again.code, "cannot be whitened again" in again.err) == (1, True)
        assert "unset embedding.whitening and run `rebuild --re-embed` first" in again.err


def test_a_whitening_of_other_vectors_is_refused_before_it_is_applied(stocked: Shop) -> None:
    file = stocked.folder / "w.npz"
    assert stocked.run("whiten", file).code == 0
    stocked.embedder.spec = replace(FAKE_SPEC, weights_sha256="1" * 64)
    setting = {"IMAGE_SEARCH_EMBEDDING_WHITENING": str(file)}
    assert stocked.run("status", **setting).code == 0
    assert stocked.run("search", "--product", "007", **setting).code == 0
    ran = stocked.run("rebuild", "--re-embed", **setting)
    assert (ran.code, "learned from vectors of other embedding settings" in ran.err) == (1, True)


def test_the_name_of_the_file_must_say_what_it_is(stocked: Shop, tmp_path: Path) -> None:
    ran = stocked.run("whiten", tmp_path / "w.txt")
    assert (ran.code, "end in .npz" in ran.err) == (2, True)
