"""Whitening: learned from vectors, written to a file, applied after the model."""

from pathlib import Path

import numpy as np
import pytest

from indexer.arrays import Vectors, normalised
from indexer.config import EmbeddingSettings
from indexer.embedding import load_embedder, resolve_spec
from indexer.embedding.attribution import contributions
from indexer.embedding.base import unit_rows
from indexer.embedding.head import MAX_DIMENSION, Head
from indexer.embedding.spec import whitened_spec
from indexer.embedding.whitening import Whitening, learn, read_whitening, write_whitening
from indexer.errors import WeightsError
from tests.fakes import FAKE_SPEC
from tests.indexer.embedding.embedder_contract import photos
from tests.indexer.embedding.narrow import narrow

UNTRAINED = EmbeddingSettings(weights="untrained", input_size=32, precision="float32")


def vectors(count: int = 400, dimension: int = 48) -> Vectors:
    """Vectors with a common mean, and variances from large to small."""
    random = np.random.default_rng(0)
    spread = np.geomspace(1, 0.01, dimension)
    return normalised(1 + spread * random.standard_normal((count, dimension)))


def learned(dimension: int | None = None) -> Whitening:
    whitening, _ = learn([vectors()[:150], vectors()[150:]], FAKE_SPEC.fingerprint, dimension)
    return whitening


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_whitening(tmp_path / "w.npz", learned())
    return tmp_path / "w.npz"


def test_the_mean_is_removed_and_the_variances_come_closer() -> None:
    whitening = learned()
    before, after = vectors() - vectors().mean(axis=0), whitening.head(vectors())
    assert np.abs(after.mean(axis=0)).max() < 1e-4
    old, new = (np.sort(np.linalg.eigvalsh(np.cov(each.T)))[::-1] for each in (before, after))
    assert new[0] / new.sum() < old[0] / old.sum() / 1.5
    assert np.abs(np.corrcoef(after.T) - np.eye(48)).max() < 0.01


def test_it_does_not_depend_on_how_the_vectors_come_in_chunks() -> None:
    whole, _ = learn([vectors()], FAKE_SPEC.fingerprint, None)
    products = (
        whole.head(vectors()) @ whole.head(vectors()).T
    )  # the signs of components are arbitrary
    parts = learned()
    np.testing.assert_allclose(products, parts.head(vectors()) @ parts.head(vectors()).T, atol=1e-3)


def test_fewer_dimensions_keep_the_largest_variances() -> None:
    whitening, share = learn([vectors()], FAKE_SPEC.fingerprint, 8)
    np.testing.assert_allclose(
        whitening.head(vectors()), learned().head(vectors())[:, :8], atol=1e-3
    )
    assert 0.5 < share < 1
    assert whitened_spec(FAKE_SPEC, whitening).dimension == 8


@pytest.mark.parametrize(
    ("count", "dimension", "words"),
    [(99, None, "at least 100 photos; the catalogue has 99"), (100, 49, "have 48 values")],
)
def test_what_cannot_be_learned_is_refused(count: int, dimension: int | None, words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        learn([vectors(count)], FAKE_SPEC.fingerprint, dimension)


def test_equal_vectors_have_no_components() -> None:
    equal = np.repeat(vectors(1), 200, axis=0)
    with pytest.raises(WeightsError, match="the vectors of all 200 photos are equal"):
        learn([equal], FAKE_SPEC.fingerprint, None)


def test_a_whitening_of_the_longest_vectors_is_read_back(tmp_path: Path) -> None:
    size = MAX_DIMENSION
    head = Head(np.zeros((size, size), np.float32), np.zeros(size, np.float32))
    write_whitening(tmp_path / "w.npz", Whitening(FAKE_SPEC.fingerprint, head))
    assert read_whitening(tmp_path / "w.npz").head.kernel.shape == (size, size)


def test_a_file_is_read_back_and_decides_the_fingerprint(file: Path, tmp_path: Path) -> None:
    read = read_whitening(file)
    np.testing.assert_array_equal(read.head(vectors()), learned().head(vectors()))
    write_whitening(tmp_path / "shorter.npz", learned(16))
    shorter = read_whitening(tmp_path / "shorter.npz")
    specs = [FAKE_SPEC, whitened_spec(FAKE_SPEC, read), whitened_spec(FAKE_SPEC, shorter)]
    assert len({spec.fingerprint for spec in specs}) == 3


def test_a_whitening_of_other_vectors_is_refused(file: Path) -> None:
    other = UNTRAINED.model_copy(update={"whitening": file})
    with pytest.raises(WeightsError, match="learned from vectors of other embedding settings"):
        load_embedder(other)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04cut", b"not a zip", None], ids=["empty", "cut", "text", "gone"]
)
def test_a_file_that_is_no_whitening_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(WeightsError, match=r"embedding\.whitening: .*w\.npz"):
        read_whitening(tmp_path / "w.npz")


@pytest.mark.parametrize(
    "change",
    [
        {"bias": np.zeros((2, 2), np.float32)},
        {"bias": np.zeros(47, np.float32)},
        {"kernel": np.zeros((48, 48))},
        {"kernel": np.full((48, 48), np.nan, np.float32)},
        {"fingerprint": np.zeros(3, np.uint8)},
        {"bias": np.array([{}])},
    ],
    ids=["shape", "length", "type", "nan", "fingerprint", "pickle"],
)
def test_arrays_of_another_kind_are_refused(file: Path, change: dict[str, np.ndarray]) -> None:
    with np.load(file) as arrays:
        np.savez(file, **{**arrays, **change})
    with pytest.raises(WeightsError, match="is not a whitening"):
        read_whitening(file)


@narrow
def test_the_setting_whitens_the_vectors_of_the_model(tmp_path: Path) -> None:
    spec = resolve_spec(UNTRAINED)
    random = np.random.default_rng(1)
    sample = normalised(random.random((120, spec.dimension)))
    whitening, _ = learn([sample], spec.fingerprint, 20)
    write_whitening(tmp_path / "w.npz", whitening)
    settings = UNTRAINED.model_copy(update={"whitening": tmp_path / "w.npz"})
    embedder, plain = load_embedder(settings), load_embedder(UNTRAINED)
    assert embedder.spec == resolve_spec(settings)
    assert (embedder.dimension, embedder.runs_on) == (20, plain.runs_on)
    vectors = embedder.embed_batch(photos(3, 32))
    expected = unit_rows(whitening.head(plain.embed_batch(photos(3, 32))))
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    maps = embedder.activations(photos(3, 32)[:1])[0]  # an explanation sums up to the score
    parts = contributions(maps, vectors[1], embedder.required_cells(), embedder.head)
    assert parts.sum() == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-4)
