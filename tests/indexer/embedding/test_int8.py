"""The file of an int8 model: what goes in comes out, and whatever else it holds is refused."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.config import EmbeddingSettings
from indexer.embedding import resolve_spec
from indexer.embedding.engines.quantised import (
    FIRST,
    QUANTISED,
    RECORD,
    load_quantised,
    quantise,
    unpack,
)
from indexer.embedding.int8 import Manifest, read_manifest, read_record, write_int8
from indexer.embedding.weights import load_weights
from indexer.errors import WeightsError

pytestmark = pytest.mark.slow

UNTRAINED = EmbeddingSettings(weights="untrained", input_size=32)
MANIFEST = Manifest(
    model="vgg16",
    source="untrained",
    source_sha256="0" * 64,
    input_size=32,
    resize="bilinear",
    overlap=0.99,
    max_error=0.01,
    mean_error=0.001,
    photos=100,
)


@pytest.fixture(scope="module")
def record() -> bytes:
    weights = load_weights(resolve_spec(UNTRAINED))
    return quantise(weights, dict.fromkeys(QUANTISED, 2.5))


@pytest.fixture
def file(tmp_path: Path, record: bytes) -> Path:
    write_int8(tmp_path / "own.int8", MANIFEST, record)
    return tmp_path / "own.int8"


def test_what_is_written_is_read_back(file: Path, record: bytes) -> None:
    assert read_manifest(file) == MANIFEST
    assert read_record(file, RECORD.itemsize) == record
    assert [each.name for each in file.parent.iterdir()] == ["own.int8"]


def test_eight_bits_are_within_half_a_step_and_stay_what_they_are(record: bytes) -> None:
    exact = load_weights(resolve_spec(UNTRAINED))
    rounded, input_max = unpack(record)
    np.testing.assert_array_equal(rounded[FIRST][0], exact[FIRST][0])
    for layer in QUANTISED:
        step = np.abs(exact[layer][0]).max(axis=(0, 1, 2)) / 127
        assert (np.abs(rounded[layer][0] - exact[layer][0]) <= step * 0.5001).all()
        assert input_max[layer] == 2.5
    assert unpack(quantise(rounded, input_max))[1] == input_max
    for layer, (kernel, _) in unpack(quantise(rounded, input_max))[0].items():
        np.testing.assert_allclose(kernel, rounded[layer][0], rtol=1e-6)


def test_the_spec_is_that_of_the_manifest_with_a_fingerprint_of_its_own(file: Path) -> None:
    spec = resolve_spec(EmbeddingSettings(weights=str(file)))
    assert (spec.input_size, spec.resize, spec.numeric_class) == (32, "bilinear", "int8")
    assert spec.fingerprint != resolve_spec(UNTRAINED).fingerprint


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"input_size": 64}, r"input_size: received 64, but .*own\.int8 was made for 32"),
        ({"resize": "letterbox"}, r"resize: received letterbox, .* made for bilinear"),
    ],
)
def test_settings_that_contradict_the_manifest_are_refused(
    file: Path, other: dict[str, object], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        resolve_spec(EmbeddingSettings.model_validate({"weights": str(file), **other}))


@settings(max_examples=15)  # each writes and reads 15 MB
@given(data=st.data())
def test_a_damaged_file_is_never_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, record: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "own.int8"
    write_int8(path, MANIFEST, record)
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 700))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole[: data.draw(st.sampled_from([None, place]))])
    try:
        received = read_manifest(path), read_record(path, RECORD.itemsize)
    except WeightsError:
        return
    assert received == (MANIFEST, record)  # a bit that says nothing, such as a date


def _rewritten(path: Path, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for each, old in members.items():
            archive.writestr(each, content if each == name else old)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.write_bytes(b""), "not a zip"),
        (
            lambda p: _rewritten(p, "manifest.json", b" " * 70_000),
            "70000 bytes, expected at most 65536",
        ),
        (lambda p: _rewritten(p, "manifest.json", b"{}"), "manifest.json: model: Field required"),
        (lambda p: _rewritten(p, "weights.bin", bytes(2**26)), "67108864 bytes, expected"),
        (lambda p: _rewritten(p, "weights.bin", b"short"), "has 5 bytes"),
        (lambda p: _rewritten(p, "weights.bin", bytes(RECORD.itemsize)), "invalid input range"),
    ],
    ids=["empty", "huge manifest", "another manifest", "bomb", "short", "zeros"],
)
def test_a_hostile_file_is_refused_before_it_costs_anything(
    file: Path, spoil: Callable[[Path], None], message: str
) -> None:
    spoil(file)
    with pytest.raises(WeightsError, match=message):
        load_quantised(resolve_spec(EmbeddingSettings(weights=str(file))))


def test_a_resize_that_nobody_knows_is_refused(file: Path) -> None:
    fields = json.loads(MANIFEST.model_dump_json()) | {"resize": "stretch"}
    _rewritten(file, "manifest.json", json.dumps(fields).encode())
    with pytest.raises(WeightsError, match=r"manifest\.json: resize"):
        resolve_spec(EmbeddingSettings(weights=str(file)))


def test_where_nothing_can_be_written_the_error_says_so(tmp_path: Path, record: bytes) -> None:
    with pytest.raises(WeightsError, match=r"cannot write .*own\.int8: No such file"):
        write_int8(tmp_path / "gone" / "own.int8", MANIFEST, record)
