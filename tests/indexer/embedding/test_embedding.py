"""Embedders and their fingerprints; `test_embedding_weights` has the files of weights."""

import csv
import dataclasses
import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.config import EmbeddingSettings
from indexer.embedding import Embedder, downloads, load_embedder, resolve_spec
from indexer.embedding import weights as weights_module
from indexer.embedding.base import unit_rows
from indexer.embedding.downloads import VGG16_IMAGENET, KerasFile
from indexer.embedding.engines.precision import check_int8, cpu_flags, resolve_precision
from indexer.errors import UnsupportedPrecisionError, WeightsError
from tests.fakes import FakeEmbedder
from tests.indexer.embedding.embedder_contract import EmbedderContract, photos
from tests.indexer.embedding.narrow import narrow

ROOT = Path(__file__).parents[3]
UNTRAINED = EmbeddingSettings(
    weights="untrained", input_size=32, precision="float32", engine="tensorflow"
)

needs_bfloat16 = pytest.mark.skipif(
    resolve_precision("auto") != "bfloat16", reason="the processor does not compute in bfloat16"
)


@pytest.fixture(scope="module")
@narrow
def untrained() -> Embedder:
    return load_embedder(UNTRAINED)


class TestFakeEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Embedder:
        return FakeEmbedder()

    def test_it_counts_batches_and_images(self) -> None:
        fake = FakeEmbedder()
        fake.embed_batch(photos(3, 16))
        fake.embed_batch(photos(2, 16))
        assert (fake.calls, fake.images_seen) == (2, 5)

    def test_pictures_alike_score_higher_than_pictures_unlike(self) -> None:
        red, brick, blue = (Image.new("RGB", (50, 40), c) for c in ("red", "#d02010", "blue"))
        scores = (vectors := FakeEmbedder().embed([red, brick, blue])) @ vectors.T
        assert scores[0, 1] > 0.9 > 0 > scores[0, 2]


class TestTensorFlowFloat32(EmbedderContract):
    @pytest.fixture
    def embedder(self, untrained: Embedder) -> Embedder:
        return untrained


@pytest.fixture(scope="module")
@narrow
def untrained_bfloat16() -> Embedder:
    return load_embedder(UNTRAINED.model_copy(update={"precision": "bfloat16"}))


@needs_bfloat16
class TestTensorFlowBfloat16(EmbedderContract):
    @pytest.fixture
    def embedder(self, untrained_bfloat16: Embedder) -> Embedder:
        return untrained_bfloat16

    def test_it_agrees_with_float32_in_the_same_process(
        self, embedder: Embedder, untrained: Embedder
    ) -> None:
        images = photos(16, 32)
        one, other = embedder.embed_batch(images), untrained.embed_batch(images)
        assert not np.array_equal(one, other)
        assert (one * other).sum(axis=1).min() >= 0.9999  # measured: 0.99998


class TestSpec:
    def test_the_default_fingerprint_never_changes(self) -> None:
        """Another value here makes every catalog in the field embed all its photos again."""
        assert resolve_spec(EmbeddingSettings()).fingerprint == (
            "ce6e131068edbc89c5e18165ad7ddd07c288a44b65fe42fcfe495a71f9532172"
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"model": "other"},
            {"weights_sha256": "1" * 64},
            {"input_size": 96},
            {"resize": "nearest"},
            {"pooling": "max"},
            {"numeric_class": "int8"},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_whatever_decides_a_vector_decides_the_fingerprint(
        self, change: dict[str, Any]
    ) -> None:
        spec = resolve_spec(EmbeddingSettings())
        assert dataclasses.replace(spec, **change).fingerprint != spec.fingerprint

    def test_precisions_share_a_fingerprint(self) -> None:
        specs = [resolve_spec(EmbeddingSettings(precision=p)) for p in ("float32", "auto")]
        assert specs[0].fingerprint == specs[1].fingerprint

    def test_the_same_weights_under_another_path_have_the_same_fingerprint(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.npz").write_bytes(weights_module.FASHION_FILE.read_bytes())
        own = resolve_spec(EmbeddingSettings(weights=str(tmp_path / "mine.npz")))
        assert own.weights == str(tmp_path / "mine.npz")
        assert own.fingerprint == resolve_spec(EmbeddingSettings()).fingerprint

    @pytest.mark.parametrize(
        ("weights", "side", "trained"),
        [("fashion-2", 64, True), ("imagenet", 224, True), ("untrained", 224, False)],
    )
    def test_a_preset_brings_its_own_size(self, weights: str, side: int, trained: bool) -> None:
        spec = resolve_spec(EmbeddingSettings(weights=weights))
        assert (spec.input_size, spec.trained) == (side, trained)
        assert spec.weights == weights
        assert resolve_spec(EmbeddingSettings(weights=weights, input_size=96)).input_size == 96

    def test_the_name_without_a_version_is_the_newest_and_is_shown_with_it(self) -> None:
        newest, default = (EmbeddingSettings(weights="fashion"), EmbeddingSettings())
        assert resolve_spec(newest).weights == "fashion-2"
        assert resolve_spec(default) == resolve_spec(newest)

    def test_a_version_that_is_no_longer_bundled_is_known_but_cannot_be_loaded(self) -> None:
        spec = resolve_spec(EmbeddingSettings(weights="fashion-1"))
        assert (spec.weights, spec.input_size) == ("fashion-1", 80)
        with pytest.raises(WeightsError, match=r"fashion-1 is no longer .* fashion-2 .*re-embed"):
            load_embedder(EmbeddingSettings(weights="fashion-1"))

    def test_a_path_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"gone\.npz: No such file.*fashion-2, imagenet"):
            resolve_spec(EmbeddingSettings(weights=str(tmp_path / "gone.npz")))

    @pytest.mark.parametrize("weights", ["fashoin", "model.pt"])
    def test_what_is_neither_preset_nor_weights_file_is_refused(self, weights: str) -> None:
        with pytest.raises(
            WeightsError, match=f"received '{weights}'; allowed: fashion, fashion-2"
        ):
            resolve_spec(EmbeddingSettings(weights=weights))


class TestPrecision:
    @pytest.mark.parametrize("flag", ["avx512_bf16", "amx_bf16"])
    def test_auto_takes_bfloat16_where_the_processor_has_it(self, flag: str) -> None:
        assert resolve_precision("auto", {"sse2", flag}) == "bfloat16"

    def test_int8_is_refused_where_its_sums_would_overflow(self) -> None:
        check_int8({"avx512_vnni"})
        with pytest.raises(UnsupportedPrecisionError, match=r"int8 model needs .*avx512_vnni"):
            check_int8({"avx2"})

    def test_auto_takes_float32_elsewhere(self) -> None:
        assert resolve_precision("auto", {"sse2"}) == "float32"

    def test_float32_is_always_possible(self) -> None:
        assert resolve_precision("float32", {"avx512_bf16"}) == "float32"

    def test_bfloat16_is_refused_where_it_would_be_emulated(self) -> None:
        with pytest.raises(UnsupportedPrecisionError, match=r"received bfloat16.*auto or float32"):
            resolve_precision("bfloat16", {"sse2"})

    def test_flags_are_read_as_linux_writes_them(self, tmp_path: Path) -> None:
        (tmp_path / "cpuinfo").write_text("vendor_id\t: X\nflags\t\t: fpu avx512_bf16\n\n" * 2)
        assert cpu_flags(tmp_path / "cpuinfo") == {"fpu", "avx512_bf16"}
        assert cpu_flags(tmp_path / "absent") == frozenset()


class TestUnitRows:
    @given(
        st.lists(
            st.lists(st.floats(0, 2.0**100, width=32), min_size=8, max_size=8), max_size=4
        ).map(lambda rows: np.array(rows, np.float32).reshape(-1, 8))
    )
    def test_every_finite_row_gets_length_one(self, features: np.ndarray) -> None:
        lengths = np.linalg.norm(unit_rows(features).astype(np.float64), axis=1)
        np.testing.assert_allclose(lengths, 1, atol=1e-6)

    def test_a_silent_model_gives_the_even_vector(self) -> None:
        np.testing.assert_array_equal(unit_rows(np.zeros((1, 4), np.float32)), [[0.5] * 4])

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_values_that_are_not_finite_blame_the_weights(self, value: float) -> None:
        with pytest.raises(WeightsError, match="not finite"):
            unit_rows(np.array([[1, value]], np.float32))


class TestImageNet:
    def test_without_network_the_error_names_the_url_and_the_ways_out(self, tmp_path: Path) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
            script = (
                "from indexer.config import EmbeddingSettings\n"
                "from indexer.embedding import load_embedder\n"
                "load_embedder(EmbeddingSettings(weights='imagenet'))"
            )
            places = {"HOME": str(tmp_path), "KERAS_HOME": str(tmp_path / "keras")}
            done = run(script, **places, https_proxy=proxy, HTTPS_PROXY=proxy, no_proxy="")
        error = done.stderr.strip().splitlines()[-1]
        assert error.startswith("indexer.errors.WeightsError: cannot download")
        assert "https://storage.googleapis.com/" in error
        assert str(tmp_path / "keras" / "models" / Path(VGG16_IMAGENET.path).name) in error
        assert "fashion" in error
        assert done.stdout == ""

    @pytest.fixture
    def server(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
        """A folder that is served in the place of Keras's, with a file of the bytes `weights`."""
        (tmp_path / "served").mkdir()
        handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        monkeypatch.setattr(downloads, "BASE_URL", f"http://127.0.0.1:{server.server_port}")
        (tmp_path / "served" / "weights.h5").write_bytes(b"weights")
        yield tmp_path / "served" / "weights.h5"
        server.shutdown()
        server.server_close()

    @pytest.fixture(params=["md5", "sha256"])
    def file(self, request: pytest.FixtureRequest) -> KerasFile:
        """The file that is served, pinned by either kind of hash."""
        return KerasFile("weights.h5", hashlib.new(request.param, b"weights").hexdigest())

    def test_the_weights_are_downloaded_once(self, server: Path, file: KerasFile) -> None:
        path = file.fetch()
        assert (path.name, path.read_bytes()) == ("weights.h5", b"weights")
        server.unlink()
        assert file.fetch().read_bytes() == b"weights"

    def test_another_file_than_expected_is_refused_and_not_kept(
        self, server: Path, file: KerasFile
    ) -> None:
        server.write_bytes(b"other")
        with pytest.raises(WeightsError, match=r"received (md5|sha256) "):
            file.fetch()
        assert not list((server.parent.parent / "keras").rglob("*.h5*"))

    def test_a_file_put_into_keras_cache_is_used(
        self, server: Path, file: KerasFile, tmp_path: Path
    ) -> None:
        server.unlink()
        (tmp_path / "keras" / "models").mkdir(parents=True)
        (tmp_path / "keras" / "models" / "weights.h5").write_bytes(b"weights")
        assert file.fetch().read_bytes() == b"weights"

    def test_the_same_file_under_another_name_has_the_same_identity(
        self, file: KerasFile, tmp_path: Path
    ) -> None:
        (tmp_path / "mine.h5").write_bytes(b"weights")
        (tmp_path / "other.h5").write_bytes(b"other")
        assert file.identity_of(tmp_path / "mine.h5") == file.identity
        assert file.identity_of(tmp_path / "other.h5") == hashlib.sha256(b"other").hexdigest()
        with pytest.raises(WeightsError, match=r"cannot read .*gone\.h5"):
            file.identity_of(tmp_path / "gone.h5")


class TestProcess:
    def test_a_process_pays_for_tensorflow_only_when_it_embeds_and_hears_nothing_of_it(
        self, tmp_path: Path
    ) -> None:
        script = (
            "import sys\n"
            "from indexer.config import EmbeddingSettings\n"
            "from indexer.embedding import load_embedder, resolve_spec\n"
            "settings = EmbeddingSettings(weights='untrained', input_size=32,"
            " engine='tensorflow')\n"
            "resolve_spec(settings)\n"
            "assert not {'tensorflow', 'keras', 'h5py'} & set(sys.modules)\n"
            "load_embedder(settings)\n"
            "assert 'tensorflow' in sys.modules\n"
            "print('own line', file=sys.stderr)"
        )
        done = run(script, HOME=str(tmp_path))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "own line\n")


def run(script: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env=inherited | environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@needs_bfloat16
def test_real_photos_get_the_same_vectors_in_bfloat16(test_data: Path) -> None:
    with (test_data / "clothing" / "labels.csv").open() as file:
        names = [row["image"] for row in csv.DictReader(file)][::15]
    pictures = [Image.open(test_data / "clothing" / name).convert("RGB") for name in names]
    half, single = (
        load_embedder(EmbeddingSettings(precision=precision, engine="tensorflow")).embed(pictures)
        for precision in ("bfloat16", "float32")
    )
    # Over all 1,529 photos the minimum is 0.999986, and 99.7 % of the ten nearest are the same.
    assert (half * single).sum(axis=1).min() >= 0.99995
