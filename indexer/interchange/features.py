"""Reads vectors and names from npy files, text files and pickles, without running code.

The proof of concept stores vectors in pickles. Python's unpickler calls any function that a
file names; the unpickler here resolves only a few constructors of its own.
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
_ALLOWED = "it must contain only lists and arrays of numbers or text"
# Sets and dictionaries hash values that may be nested endlessly, and a dictionary can set
# attributes; extensions and persistent ids bypass `find_class`.
_REFUSED = re.compile("DICT|SET|ITEM|EXT[124]|PERSID")
_ALLOCATING = {"PUT", "LONG_BINPUT", "FRAME"}  # opcodes that allocate by their argument
_PICKLES = {".p", ".pkl", ".pickle"}
_CHECKED_ROWS = 8192  # at a time
_ENCODED = {"%": "%25", "/": "%2F", "\\": "%5C", "\r": "%0D", "\n": "%0A"}
_DECODED = {code: character for character, code in _ENCODED.items()}


def read_features(path: Path) -> Features:
    """Reads vectors from an npy file or a pickle.

    A pickle holds a 2-d array, or a list of arrays or of lists of numbers.

    Returns:
        (n, d) in native byte order: float32 or float64 as in the file, other numbers as float32.
        May be a read-only memory map of the file. The lengths of all rows are finite and greater
        than 0 in float64.

    Raises:
        FeaturesError: the file cannot be read, would run code, or has other contents.
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
    """Reads the names of rows from a text file (one per line), an npy file or a pickled list.

    Raises:
        FeaturesError: the file cannot be read or would run code, or a name is empty or not text.
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
                f"{path}: name {row} must be non-empty text; received {type(name).__name__}"
            )
    return list(names)


def product_id_of(name: str) -> str:
    """Returns the product id of a file name: the name without folder and extension."""
    base = file_name(name)
    stem = base.rpartition(".")[0] or base
    return re.sub("%(25|2F|5C|0D|0A)", lambda match: _DECODED[match[0]], stem)


def file_name(name: str) -> str:
    """Returns a name of a row without its folders."""
    return re.split(r"[/\\]", name)[-1]


def name_of(product_id: str, suffix: str) -> str:
    """Returns a file name for a product id, the inverse of `product_id_of`.

    Raises:
        ValueError: `suffix` is not an extension such as `.jpg`.
    """
    if not re.fullmatch(r"\.[A-Za-z0-9]+", suffix):
        raise ValueError(f"expected a suffix such as '.jpg'; received {suffix!r}")
    return re.sub(r"[%/\\\r\n]", lambda match: _ENCODED[match[0]], product_id) + suffix


def _read_npy(path: Path) -> NDArray[Any]:
    try:  # mapping checks the shape against the file size, and rejects objects
        return np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, TypeError, SyntaxError, OverflowError) as error:
        raise FeaturesError(f"{path}: not a readable npy file: {error}") from error


def _read_lines(path: Path) -> list[str]:
    try:
        # Not splitlines, which also splits at characters that product ids may contain.
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
        if room < 0:  # a pickle can refer to one long row many times
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
            raise FeaturesError(f"{path}: row {row} is {what}")


def _read_pickle(path: Path) -> object:
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as m:
            _check_opcodes(m)
            value = _Unpickler(stream, len(m)).load()
    except FeaturesError as error:
        raise FeaturesError(f"{path}: {error}") from None
    except Exception as error:  # a malformed pickle can raise almost anything
        raise FeaturesError(
            f"{path}: not a readable pickle: {type(error).__name__}: {error}"
        ) from error
    if isinstance(value, list | tuple):
        return [item.value if isinstance(item, _Array) else item for item in value]
    return value.value if isinstance(value, _Array) else value


def _check_opcodes(pickled: mmap.mmap) -> None:
    """Rejects opcodes that bypass `find_class`; `genops` parses without executing."""
    size = len(pickled)
    if size > MAX_PICKLE_BYTES:
        raise FeaturesError(f"{size} bytes; the limit for pickles is {MAX_PICKLE_BYTES}, use .npy")
    for opcode, argument, position in pickletools.genops(pickled):  # type: ignore[arg-type]
        if _REFUSED.search(opcode.name):
            raise FeaturesError(f"the pickle has {opcode.name} at byte {position}; {_ALLOWED}")
        if opcode.name in _ALLOCATING and (argument or 0) > size:
            raise FeaturesError(
                f"{opcode.name} {argument} at byte {position} exceeds the size of the file"
            )


class _Unpickler(pickle.Unpickler):
    """Resolves only the constructors of numbers, arrays of numbers, and old-style bytes."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__(stream)
        self._room = size  # characters left to encode: each was in the file once

    def find_class(self, module: str, name: str) -> Any:
        """Returns the constructor of a name in a pickle.

        Raises:
            FeaturesError: the name is not allowed.
        """
        wanted = f"{module}.{name}"
        if wanted == "_codecs.encode":
            return self._encode
        known = wanted.replace("numpy._core.", "numpy.core.")  # numpy 2 and numpy 1
        if known not in _CONSTRUCTORS:
            raise FeaturesError(f"the pickle refers to {wanted:.200}; {_ALLOWED}")
        return _CONSTRUCTORS[known]

    def _encode(self, text: str, encoding: str) -> bytes:
        """Encodes text to bytes, as pickle protocols before 3 store them."""
        self._room -= len(text)
        if self._room < 0 or encoding != "latin1":
            raise ValueError("bytes in a form that pickle does not write")
        return text.encode(encoding)


# numpy's dtype and ndarray accept any state from a pickle, such as a float dtype with the flags
# of objects, or memory freed under a view. The following two classes do not.


class _Dtype:
    """A dtype in a pickle; `__setstate__` sets its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        if not re.fullmatch("[<>=|]?[fiu][1248]", code):
            raise FeaturesError(f"arrays must contain numbers; received dtype {code!r:.80}")
        self.value: np.dtype[Any] = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, order, *_ = state
        self.value = self.value.newbyteorder(order)


class _Array:
    """An array in a pickle; `__setstate__` sets its contents."""

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    """Creates an array as a view of `data`, so that a shape cannot exceed the data."""
    return np.frombuffer(data, dtype.value).reshape(shape, order=order)


_CONSTRUCTORS: dict[str, Any] = {
    "numpy.ndarray": None,  # referenced by every array, never called
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy.core.multiarray.scalar": lambda dtype, data: _array(data, dtype, (1,), "C")[0],
    "numpy.core.numeric._frombuffer": _array,
}
