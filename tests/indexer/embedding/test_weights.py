"""Weights files of every kind, and that the model computes with them what Keras would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from indexer.config import EmbeddingSettings
from indexer.embedding import EmbeddingSpec, load_embedder, resolve_spec
from indexer.embedding import weights as weights_module
from indexer.embedding.weights import LAYERS, LayerWeights, load_weights
from indexer.errors import WeightsError
from tests.indexer.embedding.embedder_contract import photos

UNTRAINED = EmbeddingSettings(weights="untrained", input_size=32, precision="float32")
KINDS = ("kernel", "bias")


@pytest.fixture(scope="module")
def arrays() -> LayerWeights:
    return load_weights(resolve_spec(UNTRAINED))


@pytest.fixture(scope="module")
def keras_model(arrays: LayerWeights) -> Any:
    """Keras's own VGG16 holding the untrained weights."""
    import keras

    model = keras.applications.VGG16(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    for layer, pair in arrays.items():
        model.get_layer(layer).set_weights(pair)
    return model


def save_npz(path: Path, weights: LayerWeights) -> None:
    pairs = {f"{n}/{w}": a for n, p in weights.items() for w, a in zip(KINDS, p, strict=True)}
    np.savez(path, **pairs)  # type: ignore[arg-type] # the stub takes keywords for allow_pickle


def spec_of(path: Path) -> EmbeddingSpec:
    return resolve_spec(EmbeddingSettings(weights=str(path), input_size=32))


class TestWeightFiles:
    # Keras's own, when it saves a variable of TensorFlow under NumPy 2.
    @pytest.mark.filterwarnings("ignore:__array__ implementation doesn't:DeprecationWarning")
    @pytest.mark.parametrize("name", ["full.h5", "only.weights.h5", "model.keras"])
    @pytest.mark.parametrize("nested", [False, True], ids=["plain", "with a head"])
    def test_what_keras_saves_is_read_back_exactly(
        self, keras_model: Any, arrays: LayerWeights, tmp_path: Path, name: str, nested: bool
    ) -> None:
        import keras

        model = keras_model
        if nested:
            model = keras.Sequential([keras_model, keras.layers.Dense(3)])
        save = model.save_weights if ".weights." in name else model.save
        save(tmp_path / name)
        assert_same(load_weights(spec_of(tmp_path / name)), arrays)

    def test_keras_2_files_are_read(self, arrays: LayerWeights, tmp_path: Path) -> None:
        """Names as in the file that Keras distributes, and an optimiser's arrays beside them."""
        with h5py.File(tmp_path / "old.h5", "w") as file:
            for layer, (kernel, bias) in arrays.items():
                file[f"{layer}/{layer}_W_1:0"] = kernel
                file[f"{layer}/{layer}_b_1:0"] = bias
            file["fc1/fc1_W_1:0"] = np.zeros((2, 2))
            file["optimizer_weights/SGD/block1_conv1/momentum:0"] = np.zeros((3, 3, 3, 64))
        assert_same(load_weights(spec_of(tmp_path / "old.h5")), arrays)

    def test_npz_is_read_whatever_its_float_type(
        self, arrays: LayerWeights, tmp_path: Path
    ) -> None:
        halves = {n: (k.astype(np.float16), b.astype(np.float64)) for n, (k, b) in arrays.items()}
        save_npz(tmp_path / "half.npz", halves)  # type: ignore[arg-type] # other float types
        loaded = load_weights(spec_of(tmp_path / "half.npz"))
        for layer in LAYERS:
            assert loaded[layer][0].dtype == np.float32
            np.testing.assert_allclose(loaded[layer][0], arrays[layer][0], rtol=1e-3, atol=1e-6)

    def test_the_bundled_weights_are_the_ones_named(self) -> None:
        assert list(load_weights(resolve_spec(EmbeddingSettings()))) == list(LAYERS)

    def test_damaged_bundled_weights_are_refused_by_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        damaged = bytearray(weights_module.FASHION_FILE.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        (tmp_path / "fashion.npz").write_bytes(damaged)
        monkeypatch.setattr(weights_module, "FASHION_FILE", tmp_path / "fashion.npz")
        with pytest.raises(WeightsError, match=r"fashion\.npz is damaged .*SHA-256"):
            load_weights(resolve_spec(EmbeddingSettings()))

    @pytest.mark.parametrize(
        ("layer", "kernel", "message"),
        [
            (
                "block4_conv1",
                np.zeros((3, 3, 256, 500)),
                r"kernel of layer block4_conv1 .* \(3, 3, 256, 512\), received \(3, 3, 256, 500\)",
            ),
            ("block2_conv2", np.zeros(3), r"kernel of layer block2_conv2 .* received none"),
            (
                "block1_conv1",
                np.full((3, 3, 3, 64), np.nan),
                "kernel of layer block1_conv1 has values that are not finite",
            ),
            ("block3_conv4", np.zeros((3, 3, 256, 256)), "not VGG16: it has layers block3_conv4"),
        ],
        ids=["shape", "missing", "nan", "VGG19"],
    )
    def test_weights_that_do_not_fit_are_refused_by_layer(
        self, tmp_path: Path, layer: str, kernel: Any, message: str
    ) -> None:
        fitting = dict.fromkeys(LAYERS, (np.zeros(0), np.zeros(0)))
        for name, shape in weights_module.KERNEL_SHAPES.items():
            fitting[name] = np.zeros(shape, np.float16), np.zeros(shape[-1])
        fitting[layer] = kernel, fitting.get(layer, (kernel, np.zeros(256)))[1]
        if kernel.ndim == 1:  # two arrays of a bias's shape would be another error
            fitting[layer] = np.zeros((3, 3)), fitting[layer][1]
        save_npz(tmp_path / "own.npz", fitting)  # type: ignore[arg-type] # wrong on purpose
        with pytest.raises(WeightsError, match=message):
            load_weights(spec_of(tmp_path / "own.npz"))

    @pytest.mark.parametrize("name", ["x.npz", "x.h5", "x.weights.h5", "x.keras"])
    @pytest.mark.parametrize("content", [b"", b"no weights", b"PK\x03\x04cut"])
    def test_a_file_that_holds_no_weights_is_refused(
        self, tmp_path: Path, name: str, content: bytes
    ) -> None:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=f"cannot read .*{name}"):
            load_weights(spec_of(tmp_path / name))

    def test_nothing_in_a_file_is_executed(self, tmp_path: Path) -> None:
        class Trap:
            def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
                return Path.touch, (tmp_path / "executed",)  # type: ignore[return-value]

        trap = np.array([Trap()], dtype=object)
        np.savez(tmp_path / "trap.npz", **{"block1_conv1/kernel": trap})  # type: ignore[arg-type]
        with pytest.raises(WeightsError, match=r"cannot read .*trap\.npz"):
            load_weights(spec_of(tmp_path / "trap.npz"))
        assert not (tmp_path / "executed").exists()

    def test_a_file_that_changes_under_our_hands_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "own.npz").write_bytes(b"one")
        spec = spec_of(tmp_path / "own.npz")
        (tmp_path / "own.npz").write_bytes(b"other")
        with pytest.raises(WeightsError, match=r"own\.npz is damaged or was replaced"):
            load_weights(spec)


def assert_same(received: LayerWeights, expected: LayerWeights) -> None:
    assert list(received) == list(expected)
    for layer in expected:
        for one, other in zip(received[layer], expected[layer], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_vectors_are_those_of_keras_whichever_way_the_weights_came(
    keras_model: Any, arrays: LayerWeights, tmp_path: Path, engine: str
) -> None:
    pytest.importorskip(engine)
    from keras.applications.vgg16 import preprocess_input

    save_npz(tmp_path / "own.npz", arrays)
    preset = UNTRAINED.model_copy(update={"engine": engine})
    own = preset.model_copy(update={"weights": str(tmp_path / "own.npz")})
    images = photos(8, 32)
    expected = keras_model(preprocess_input(images.astype(np.float32))).numpy()
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    for settings in (preset, own):
        received = load_embedder(settings).embed_batch(images)
        assert (received * expected).sum(axis=1).min() >= 0.99999
