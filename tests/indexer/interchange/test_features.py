"""Vectors and names from outside, and what hostile pickles get."""

import contextlib
import functools
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.errors import FeaturesError
from indexer.interchange.features import name_of, product_id_of, read_features, read_names

DATA = Path(
    os.environ.get(
        "IMAGE_SEARCH_TEST_DATA", Path(__file__).parents[3].joinpath("../shared/data").resolve()
    )
)
VECTORS = np.arange(1, 13, dtype=np.float64).reshape(3, 4)


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# What is read


def test_the_sample_of_the_proof_of_concept_is_read() -> None:
    folder = DATA / "footwear"
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}")
    features = read_features(folder / "feature_vector_store.p")
    names = read_names(folder / "filename_store.p")
    assert features.shape == (300, 512)
    assert features.dtype == np.float64
    assert len(names) == 300
    assert product_id_of(names[0]) == "footwear_0000"


SHAPES: dict[str, Callable[[NDArray[np.float64]], Any]] = {
    "array": lambda x: x,
    "fortran": np.asfortranarray,
    "big-endian": lambda x: x.astype(">f8"),
    "list of arrays": list,
    "list of lists": lambda x: x.tolist(),
    "tuple of tuples": lambda x: tuple(tuple(row) for row in x.tolist()),
    "list of lists of scalars": lambda x: [list(row) for row in x],
    "float32": lambda x: x.astype(np.float32),
    "integers": lambda x: x.astype(np.int32),
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("shape", SHAPES)
def test_vectors_are_read_from_every_form_and_protocol(
    tmp_path: Path, shape: str, protocol: int
) -> None:
    path = write(tmp_path / "x.p", pickle.dumps(SHAPES[shape](VECTORS), protocol=protocol))
    features = read_features(path)
    np.testing.assert_array_equal(features, VECTORS)
    assert features.dtype.isnative


def test_arrays_written_by_numpy_1_are_read(tmp_path: Path) -> None:
    data = pickle.dumps(VECTORS, protocol=2).replace(b"numpy._core.", b"numpy.core.")
    np.testing.assert_array_equal(read_features(write(tmp_path / "x.pkl", data)), VECTORS)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i8"])
def test_npy_is_read_as_float32_or_float64(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "x.npy", VECTORS.astype(dtype))
    features = read_features(tmp_path / "x.npy")
    assert features.dtype == (np.float64 if dtype == "<f8" else np.float32)
    np.testing.assert_array_equal(features, VECTORS)


NAMES = ["data/a.jpg", "ü b.png", "x\u2028y.jpg"]


def test_names_are_read_from_text_npy_and_pickle(tmp_path: Path) -> None:
    np.save(tmp_path / "n.npy", np.array(NAMES))
    (tmp_path / "n.p").write_bytes(pickle.dumps(NAMES))
    (tmp_path / "n.txt").write_text("\n".join(NAMES) + "\n", encoding="utf-8", newline="")
    (tmp_path / "w.txt").write_text("\ufeff" + "\r\n".join(NAMES), encoding="utf-8", newline="")
    for name in ("n.npy", "n.p", "n.txt", "w.txt"):
        assert read_names(tmp_path / name) == NAMES


# What is refused: vectors without a direction, shapes that do not fit


BAD_VECTORS: dict[str, tuple[Any, str]] = {
    "a row of zeros": (np.array([[1.0, 2.0], [0.0, 0.0]]), "row 1 is zero"),
    "nan": (np.array([[1.0, np.nan]]), "row 0 is not finite"),
    "inf": (np.array([[1.0, 2.0], [1.0, np.inf]]), "row 1 is not finite"),
    "too long": (np.array([[1e300, 1e300]]), "too large to normalise"),
    "one dimension": (np.ones(4), r"shape \(4,\)"),
    "three dimensions": (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
    "no rows": (np.ones((0, 4)), r"shape \(0, 4\)"),
}


@pytest.mark.parametrize("case", BAD_VECTORS)
@pytest.mark.parametrize("suffix", [".npy", ".p"])
def test_vectors_without_a_direction_or_of_another_shape_are_refused(
    tmp_path: Path, case: str, suffix: str
) -> None:
    array, reason = BAD_VECTORS[case]
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, array)
    else:
        path.write_bytes(pickle.dumps(array))
    with pytest.raises(FeaturesError, match=reason):
        read_features(path)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "received list"),
        ("text", "received str"),
        ([[1.0], [1.0, 2.0]], "row 1 has 2 values, row 0 has 1"),
        ([[1.0, "2"]], "row 0 must be a list or array of numbers"),
        ([1.0, 2.0], "row 0 .* received float"),
        ([[10**400]], "x.p"),
    ],
)
def test_a_list_that_is_no_table_of_numbers_is_refused(
    tmp_path: Path, value: object, reason: str
) -> None:
    with pytest.raises(FeaturesError, match=reason):
        read_features(write(tmp_path / "x.p", pickle.dumps(value)))


@pytest.mark.parametrize("name", ["x.p", "x.npy", "x.txt", "x.h5"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FeaturesError, match=name):
        read_features(tmp_path / name)
    with pytest.raises(FeaturesError, match=name):
        read_names(tmp_path / name)


def test_npy_with_objects_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[object()]]), allow_pickle=True)
    for read in (read_features, read_names):
        with pytest.raises(FeaturesError, match="objects"):
            read(tmp_path / "x.npy")


def test_npy_that_promises_more_than_it_has_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", VECTORS)
    data = (tmp_path / "x.npy").read_bytes().replace(b"(3, 4), }       ", b"(3000000000, 4)}")
    with pytest.raises(FeaturesError, match="not a readable npy"):
        read_features(write(tmp_path / "x.npy", data))


def test_names_that_are_empty_or_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FeaturesError, match="name 1 must be non-empty text"):
        read_names(write(tmp_path / "n.txt", b"a.jpg\n\nb.jpg\n"))
    with pytest.raises(FeaturesError, match=r"name 1 .* received int"):
        read_names(write(tmp_path / "n.p", pickle.dumps(["a.jpg", 7])))
    with pytest.raises(FeaturesError, match="must be a list"):
        read_names(write(tmp_path / "n.p", pickle.dumps("a.jpg")))


# What is refused: pickles that do anything


class Call:
    """Pickles as a call of `function`, as an attacker would write it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def opcodes(*parts: str | bytes) -> bytes:
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in parts)


def attacks(mark: Path) -> dict[str, tuple[bytes, str]]:
    """Name -> (pickle that leaves the file `mark` where it runs, name it must be told by)."""
    touch = f"touch {mark}"
    code = f"open({str(mark)!r}, 'w').close()"

    def call(module: str, name: str, argument: str) -> bytes:
        return opcodes(f"c{module}\n{name}\n(V{argument}\ntR.")

    def dumped(*arguments: Any) -> bytes:
        return pickle.dumps(Call(*arguments))

    objects = np.array([Call(os.system, touch)], dtype=object)
    return {
        "os.system": (dumped(os.system, touch), "posix.system"),
        "in a list": (pickle.dumps([[1.0], Call(os.system, touch)]), "posix.system"),
        "eval": (dumped(eval, code), "builtins.eval"),
        "exec": (dumped(exec, code), "builtins.exec"),
        "getattr": (b"cbuiltins\ngetattr\n.", "builtins.getattr"),
        "getattr chain": (call("builtins", "getattr.__call__", code), "builtins.getattr.__call__"),
        "dotted stack global": (
            opcodes(b"\x80\x04\x8c\x05numpy\x8c\x0eos.system.call\x93."),
            "numpy.os.system",
        ),
        "partial": (pickle.dumps(functools.partial(os.system, touch)), "functools.partial|DICT"),
        "numpy.load": (call("numpy", "load", str(mark)), "numpy.load"),
        "numpy.fromfile": (call("numpy", "fromfile", str(mark)), "numpy.fromfile"),
        "numpy.memmap": (call("numpy", "memmap", str(mark)), "numpy.memmap"),
        "numpy.save": (call("numpy", "savetxt", str(mark)), "numpy.savetxt"),
        "f2py": (call("numpy.f2py.crackfortran", "myeval", code), "numpy.f2py.crackfortran.myeval"),
        "runstring": (call("numpy.testing._private.utils", "runstring", code), "runstring"),
        "copyreg": (
            opcodes("ccopyreg\n_reconstructor\n(cbuiltins\nobject\nNtR."),
            "copyreg._reconstructor",
        ),
        "torch": (call("torch._utils", "_rebuild_tensor_v2", touch), "torch._utils"),
        "INST": (opcodes(f"(V{touch}\nios\nsystem\n."), "os.system"),
        "OBJ": (opcodes(f"(cos\nsystem\nV{touch}\no."), "os.system"),
        "NEWOBJ": (opcodes(b"\x80\x02cos\nsystem\n)\x81."), "os.system"),
        "persistent id": (b"Pos.system\n.", "PERSID"),
        "extension registry": (b"\x80\x02\x82\x01.", "EXT1"),
        "object array": (pickle.dumps(objects), "posix.system|dtype 'O"),
        "object array, data": (pickle.dumps(np.array([1, "a"], dtype=object)), "dtype 'O"),
        "record array": (pickle.dumps(np.zeros(1, dtype="f4,f4")), "dtype 'V|DICT"),
        "attributes of a constructor": (
            b"\x80\x02cnumpy.core.numeric\n_frombuffer\nN}V__defaults__\n)s\x86b.",
            "DICT",
        ),
        "dict": (pickle.dumps({"a": 1}), "DICT"),
        "set": (pickle.dumps({1}), "SET"),
        "class": (pickle.dumps(Path()), "pathlib"),
    }


@pytest.mark.parametrize("case", attacks(Path("mark")))
def test_a_pickle_that_does_anything_is_refused_by_name_and_runs_nothing(
    tmp_path: Path, case: str
) -> None:
    mark = tmp_path / "mark"
    data, told = attacks(mark)[case]
    for read in (read_features, read_names):
        with pytest.raises(FeaturesError, match=f"({told})"):
            read(write(tmp_path / "x.p", data))
    assert not mark.exists()


@pytest.mark.parametrize("case", ["os.system", "in a list", "eval", "exec"])
def test_the_same_pickles_do_run_in_an_unpickler_that_is_not_careful(
    tmp_path: Path, case: str
) -> None:
    mark = tmp_path / "mark"
    pickle.loads(attacks(mark)[case][0])
    assert mark.exists()


def test_state_and_calls_reach_nothing_but_arrays(tmp_path: Path) -> None:
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R"
    for data in (
        b"](K\x01tb.",  # BUILD of a list
        b"]K\x01tR.",  # REDUCE of a list
        b"cnumpy\nndarray\n)R.",
        array + b".",  # an array that was never filled
        array + b"(K\x01K\x01tb.",
        array + b"(K\x01(K\x01tV f8\nI00\nC\x01atb.",
        b"cnumpy.core.numeric\n_frombuffer\n(" + array + b"Ntb.",  # a view that could be freed
        b"cnumpy\ndtype\n(VO8\nI00\nI01\ntR.",
        b"(.",
        b"0.",
        b"h\x07.",
        b"",
        b".",
    ):
        with pytest.raises(FeaturesError):
            read_features(write(tmp_path / "x.p", data))


def test_a_dtype_does_not_take_the_flags_of_objects_from_a_pickle(tmp_path: Path) -> None:
    flags = b"J\xff\xff\xff\xffK"
    data = pickle.dumps(VECTORS, protocol=4).replace(flags + b"\x00", flags + b"\x3f")
    assert flags + b"\x3f" in data
    features = read_features(write(tmp_path / "x.p", data))
    np.testing.assert_array_equal(features, VECTORS)
    assert not features.dtype.hasobject


PROMISES = {
    "a shape beyond the data": (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft"
        b"cnumpy\ndtype\n(Vf8\nI00\nI01\ntRI00\nC\x01atb.",
        "not a readable pickle",
    ),
    "one row named often": (
        b"](](" + b"K\x01" * 2000 + b"eq\x00" + b"h\x00" * 3000 + b"e.",
        "more values than the file has bytes",
    ),
    "more bytes than the file": (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x00a.", "only"),
    "one text encoded often": (
        b"]V" + b"a" * 5000 + b"\nq\x00a" + b"c_codecs\nencode\n(h\x00Vlatin1\ntRa" * 3 + b".",
        "in a form that pickle does not write",
    ),
    "a memo of 2**31 entries": (b"]r\xff\xff\xff\x7f.", "LONG_BINPUT 2147483647 at byte 1"),
    "a memo of 10**9 entries": (b"]p1000000000\n.", "PUT 1000000000 at byte 1"),
    "a frame of 2**40 bytes": (b"\x80\x04\x95\0\0\0\0\0\1\0\0N.", "FRAME 1099511627776"),
}


@pytest.mark.parametrize("case", PROMISES)
def test_a_pickle_that_promises_more_than_it_has_is_refused(tmp_path: Path, case: str) -> None:
    data, reason = PROMISES[case]
    with pytest.raises(FeaturesError, match=reason):
        read_features(write(tmp_path / "x.p", data))


def test_a_pickle_nested_without_end_is_refused_at_once(tmp_path: Path) -> None:
    doubled = b"]q\x00" + b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(60)) + b"."
    pairs = b"\x80\x04(N" + b"".join(b"\x94h%ch%c\x86" % (n, n) for n in range(60)) + b"\x91."
    for data in (b"](" * 100_000 + b"e" * 100_000 + b".", doubled, pairs):
        for read in (read_features, read_names):
            with pytest.raises(FeaturesError):
                read(write(tmp_path / "x.p", data))


@given(data=st.binary(max_size=60))
@example(data=b"\x80\x04N.")
def test_bytes_of_any_kind_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("x.p", "x.npy", "x.txt"):
        path = write(folder / name, b"\x93NUMPY\x01\x00" + data if name == "x.npy" else data)
        for read in (read_features, read_names):
            with contextlib.suppress(FeaturesError):
                read(path)


@given(st.integers(0, 2**32), st.binary(min_size=1, max_size=4))
def test_a_damaged_pickle_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, position: int, patch: bytes
) -> None:
    data = bytearray(pickle.dumps([VECTORS, list(VECTORS), VECTORS.tolist()], protocol=4))
    position %= len(data)
    data[position : position + len(patch)] = patch
    with contextlib.suppress(FeaturesError):
        read_features(write(tmp_path_factory.getbasetemp() / "damaged.p", bytes(data)))


# Names and product ids


@pytest.mark.parametrize(
    ("name", "product_id"),
    [
        ("data/footwear_0001.jpg", "footwear_0001"),
        ("C:\\photos\\a b.PNG", "a b"),
        ("plain", "plain"),
        ("a.b.jpg", "a.b"),
        (".jpg", ".jpg"),
        ("boots%2Fred%0A%25.jpg", "boots/red\n%"),
        ("50%20off%2f%.jpg", "50%20off%2f%"),
    ],
)
def test_a_product_id_is_the_file_name_without_folder_and_extension(
    name: str, product_id: str
) -> None:
    assert product_id_of(name) == product_id


@given(st.text(min_size=1), st.sampled_from([".jpg", ".webp", ".x"]))
@example("%2F/..\\.jpg\r\n", ".jpg")
def test_a_product_id_survives_its_file_name(product_id: str, suffix: str) -> None:
    name = name_of(product_id, suffix)
    assert product_id_of(name) == product_id
    assert not set("/\\\r\n") & set(name)


@pytest.mark.parametrize("suffix", ["", "jpg", ".", ".tar.gz", "./a"])
def test_a_suffix_that_would_not_come_off_again_is_refused(suffix: str) -> None:
    with pytest.raises(ValueError, match="expected a suffix"):
        name_of("a", suffix)
