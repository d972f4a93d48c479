"""Vectors and names from outside: npy files, text, and pickles that run nothing.

The proof of concept keeps its vectors in pickles. Python's unpickler calls what
the file names; the one here finds nothing by name but its own few constructors.
"""

import mmap
import pickle
import pickletools
import re
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np
from numpy.typing import NDArray

from indexer.errors import FeaturesError

Features = NDArray[np.float32] | NDArray[np.float64]

MAX_PICKLE_BYTES = 4 << 30  # a million rows of 512 float64 values
_WANTED = "it must have nothing but lists and arrays of numbers or text"
# Sets and dictionaries hash what may be nested without end, and a dictionary can set
# attributes; extensions and persistent ids are found without a name.
_REFUSED = re.compile("DICT|SET|ITEM|EXT[124]|PERSID")
_ALLOCATING = {"PUT", "LONG_BINPUT", "FRAME"}  # as much as their argument says
_PICKLES = {".p", ".pkl", ".pickle"}
_CHECKED_ROWS = 8192  # at a time
_ENCODED = {"%": "%25", "/": "%2F", "\\": "%5C", "\r": "%0D", "\n": "%0A"}
_DECODED = {code: character for character, code in _ENCODED.items()}


def read_features(path: Path) -> Features:
    """Vectors of an npy file or a pickle: (n, d), float32 or float64, native byte order.

    float32 and float64 stay what they are, other numbers become float32. A
    pickle holds a 2-d array, or a list of arrays or of lists of numbers. The
    array may be a read-only map of the file. Rows are finite and not zero, and
    so are their float64 lengths.

    Raises:
        FeaturesError: the file cannot be read, would run code, or holds
            anything else.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = _read_npy(path)
    elif suffix in _PICKLES:
        array = _as_array(path, _read_pickle(path))
    else:
        raise FeaturesError(
            f"{path}: features are read from .npy, {', '.join(sorted(_PICKLES))}; "
            f"received the extension {suffix!r}"
        )
    if array.dtype.kind not in "fiu" or array.ndim != 2 or 0 in array.shape:
        raise FeaturesError(
            f"{path}: features must be numbers of shape (rows, values); "
            f"received {array.dtype} of shape {array.shape}"
        )
    features: Features = (
        np.asarray(array, dtype=np.float64)
        if array.dtype.kind == "f" and array.dtype.itemsize >= 8
        else np.asarray(array, dtype=np.float32)
    )
    _check_rows(path, features)
    return features


def read_names(path: Path) -> list[str]:
    """Names of the rows: a text file with one per line, an npy file or a pickled list of text.

    Raises:
        FeaturesError: the file cannot be read, would run code, or a name is
            empty or no text.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        array = _read_npy(path)
        if array.dtype.kind != "U" or array.ndim != 1:
            raise FeaturesError(
                f"{path}: names must be text of shape (rows,); "
                f"received {array.dtype} of shape {array.shape}"
            )
        names = array.tolist()
    else:
        names = _read_pickle(path) if suffix in _PICKLES else _read_lines(path)
    if not isinstance(names, list | tuple):
        raise FeaturesError(f"{path}: names must be a list; received {type(names).__name__}")
    for row, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise FeaturesError(
                f"{path}: name {row} must be text that is not empty; received {type(name).__name__}"
            )
    return list(names)


def product_id_of(name: str) -> str:
    """The product id that a file name stands for: without folder and extension."""
    base = re.split(r"[/\\]", name)[-1]
    stem = base.rpartition(".")[0] or base
    return re.sub("%(25|2F|5C|0D|0A)", lambda match: _DECODED[match[0]], stem)


def name_of(product_id: str, suffix: str) -> str:
    """A file name for a product id, one line: `product_id_of(name_of(x, suffix)) == x`.

    Raises:
        ValueError: `suffix` is not like `.jpg`.
    """
    if not re.fullmatch(r"\.[A-Za-z0-9]+", suffix):
        raise ValueError(f"a suffix is like '.jpg'; received {suffix!r}")
    return re.sub(r"[%/\\\r\n]", lambda match: _ENCODED[match[0]], product_id) + suffix


def _read_npy(path: Path) -> NDArray[Any]:
    try:  # mapping checks the promised shape against the file, and refuses objects
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, TypeError, SyntaxError, OverflowError) as error:
        raise FeaturesError(f"{path}: not a readable npy file: {error}") from error


def _read_lines(path: Path) -> list[str]:
    try:
        # Not splitlines: it also splits at characters that product ids may have.
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FeaturesError(f"{path}: not a readable text file: {error}") from error
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _as_array(path: Path, value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list | tuple) or not value:
        raise FeaturesError(
            f"{path}: features must be an array or a list of rows; received {type(value).__name__}"
        )
    room = path.stat().st_size
    for row, values in enumerate(value):
        room -= len(values) if isinstance(values, list | tuple | np.ndarray) else 0
        if room < 0:  # a pickle can name one long row many times
            raise FeaturesError(f"{path}: more values than the file has bytes")
        if not _is_row(values):
            raise FeaturesError(
                f"{path}: row {row} must be a list or array of numbers; "
                f"received {type(values).__name__}"
            )
        if len(values) != len(value[0]):
            raise FeaturesError(
                f"{path}: row {row} has {len(values)} values, row 0 has {len(value[0])}"
            )
    return np.array(value)


def _is_row(values: object) -> TypeGuard[list[Any] | tuple[Any, ...] | NDArray[Any]]:
    if isinstance(values, np.ndarray):
        return values.ndim == 1
    return isinstance(values, list | tuple) and all(
        isinstance(value, int | float | np.number) for value in values
    )


def _check_rows(path: Path, features: Features) -> None:
    for start in range(0, len(features), _CHECKED_ROWS):
        rows = features[start : start + _CHECKED_ROWS].astype(np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", rows, rows)
        bad = np.flatnonzero(~(np.isfinite(squares) & (squares > 0)))
        if bad.size:
            row = start + int(bad[0])
            what = "zero" if squares[bad[0]] == 0 else "not finite, or too large to normalise"
            raise FeaturesError(f"{path}: row {row} is {what}; every row needs a direction")


def _read_pickle(path: Path) -> object:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as m:
            _check_opcodes(m)
            value = _Unpickler(stream, len(m)).load()
    except FeaturesError as error:
        raise FeaturesError(f"{path}: {error}") from None
    except Exception as error:  # a broken pickle can raise almost anything
        raise FeaturesError(
            f"{path}: not a readable pickle: {type(error).__name__}: {error}"
        ) from error
    if isinstance(value, list | tuple):
        return [item.value if isinstance(item, _Array) else item for item in value]
    return value.value if isinstance(value, _Array) else value


def _check_opcodes(pickled: mmap.mmap) -> None:
    """Refuses what `find_class` is not asked about; genops reads, and runs nothing."""
    size = len(pickled)
    if size > MAX_PICKLE_BYTES:
        raise FeaturesError(f"{size} bytes; pickles are read up to {MAX_PICKLE_BYTES}, use .npy")
    for opcode, argument, position in pickletools.genops(pickled):  # type: ignore[arg-type]
        if _REFUSED.search(opcode.name):
            raise FeaturesError(f"the pickle has {opcode.name} at byte {position}; {_WANTED}")
        if opcode.name in _ALLOCATING and (argument or 0) > size:
            raise FeaturesError(
                f"{opcode.name} {argument} at byte {position} is more than the file has bytes"
            )


class _Unpickler(pickle.Unpickler):
    """Finds by name what numbers, their arrays and old bytes are made of, and nothing else."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__(stream)
        self._room = size  # text still to be encoded: each character was in the file once

    def find_class(self, module: str, name: str) -> Any:
        wanted = f"{module}.{name}"
        if wanted == "_codecs.encode":
            return self._encode
        known = wanted.replace("numpy._core.", "numpy.core.")  # since numpy 2, and before
        if known not in _CONSTRUCTORS:
            raise FeaturesError(f"the pickle asks for {wanted:.200}; {_WANTED}")
        return _CONSTRUCTORS[known]

    def _encode(self, text: str, encoding: str) -> bytes:
        """How pickles of the protocols before 3 write bytes."""
        self._room -= len(text)
        if self._room < 0 or encoding != "latin1":
            raise ValueError("bytes are written in a way that pickle never does")
        return text.encode(encoding)


# numpy's own dtype and ndarray take any state from a pickle: one can give a float
# dtype the flags of objects, or free an array under a view of it. These two cannot.


class _Dtype:
    """A dtype of a pickle; its byte order comes with its state."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch("[<>=|]?[fiu][1248]", code):
            raise FeaturesError(f"arrays must be of numbers; received the dtype {code!r:.80}")
        self.value: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, order, *_ = state
        self.value = self.value.newbyteorder(order)


class _Array:
    """An array of a pickle; everything about it comes with its state."""

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """A view of `data`, so a shape can promise no more than the file has."""
    return np.frombuffer(data, dtype.value).reshape(shape, order=order)


_CONSTRUCTORS: dict[str, Any] = {
    "numpy.ndarray": None,  # named by every array, called by none
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": lambda dtype, data: _array(data, dtype, (1,), "C")[0],
    "numpy.core.numeric._frombuffer": _array,
}
