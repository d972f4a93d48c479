"""What a training has computed so far, so that it continues after it was interrupted."""

import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import CatalogError
from indexer.files import replacing, storage_error

Arrays = Mapping[str, NDArray[Any]]


class Checkpoint:
    """A folder of arrays, with a subfolder for each training.

    Args:
        folder: removed when the training is done.
        key: hash of everything that determines the training; those of other trainings are removed.

    Raises:
        CatalogError: the folder cannot be written.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self._folder = folder
        self._own = folder / key
        try:
            for other in folder.iterdir() if folder.is_dir() else ():
                if other != self._own:
                    shutil.rmtree(other, ignore_errors=True)
            self._own.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failed(error) from error

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
            CatalogError: they cannot be written.
        """
        try:
            with replacing(self._path(name)) as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise self._failed(error) from error

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self._own / f"{name}.npz"

    def _failed(self, error: OSError) -> CatalogError:
        return storage_error(f"cannot write the checkpoint {self._folder}", error)
