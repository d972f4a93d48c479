"""What a training has computed so far, so that it continues after it was interrupted."""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogError
from indexer.files import LOCK, replacing, storage_error, writer_lock

# Names of files: the key of a training, the name of the arrays, the suffix of an unfinished file.
_FILE = re.compile(r"\.?(?P<key>[0-9a-f]{12})-(?P<name>[a-z0-9-]+)\.npz(\.\w{8})?")

Arrays = Mapping[str, NDArray[Any]]


class Checkpoint:
    """Arrays in files of a folder, in which files of others may be too.

    Args:
        folder: of the files.
        key: hash of everything that determines the training: 12 hexadecimal digits.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._key = key

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, key: str) -> Iterator["Checkpoint"]:
        """Opens the checkpoint of a training, for one process at a time.

        Creates the folder, and removes the files of other trainings. At the end the folder is
        removed if it is empty.

        Raises:
            LockedError: another process has opened a checkpoint in this folder.
            StorageError: the folder cannot be written.
        """
        checkpoint = cls(folder, key)
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise checkpoint._failed(error) from error
        with writer_lock(folder):
            try:
                checkpoint._remove(lambda file: file["key"] != key)
                yield checkpoint
            finally:
                if not checkpoint._files():
                    (folder / LOCK).unlink(missing_ok=True)
                    with suppress(OSError):  # files of others are in it
                        folder.rmdir()

    def load(self, name: str) -> Arrays | None:
        """Returns arrays that were saved; None if there are none, or they are damaged."""
        try:
            with self._path(name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def save(self, name: str, arrays: Arrays) -> None:
        """Saves arrays atomically.

        Raises:
            StorageError: they cannot be written.
        """
        try:
            with replacing(self._path(name)) as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise self._failed(error) from error

    def remove(self, prefix: str = "") -> None:
        """Removes the arrays whose names start with `prefix`.

        Raises:
            StorageError: a file cannot be removed.
        """
        self._remove(lambda file: file["key"] == self._key and file["name"].startswith(prefix))

    def _remove(self, chosen: Callable[[re.Match[str]], bool]) -> None:
        try:
            for path, match in self._files():
                if chosen(match):
                    path.unlink()
        except OSError as error:
            raise self._failed(error) from error

    def _files(self) -> list[tuple[Path, re.Match[str]]]:
        """Returns the files of all trainings in the folder, and the parts of their names."""
        return [
            (path, match)
            for path in self._folder.iterdir()
            if path.is_file() and (match := _FILE.fullmatch(path.name))
        ]

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._key}-{name}.npz"

    def _failed(self, error: OSError) -> CatalogError:
        return storage_error(f"cannot change the checkpoint {self._folder}", error)
