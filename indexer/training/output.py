"""The files of a training: new weights with their model card, and a folder while it runs."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from indexer.embedding.head import SUFFIX
from indexer.errors import BadParameterError, DiskFullError
from indexer.files import require_writable, storage_error

_MIB = 1 << 20
_NEEDED = 32 * _MIB  # bytes, of the weights


@dataclass(frozen=True)
class OutputFiles:
    """The files of a training; existing ones are never replaced.

    Attributes:
        weights: path of the weights file.
    """

    weights: Path

    @property
    def card(self) -> Path:
        """The model card."""
        return self.weights.with_suffix(".md")

    @property
    def checkpoint(self) -> Path:
        """The folder of the checkpoint."""
        return self.weights.with_name(f".{self.weights.stem}.finetune")

    def require_usable(self) -> None:
        """Checks, before anything is computed, that the files can be written.

        Raises:
            BadParameterError: the name has another suffix, the folder does not exist, or one of the
                files does.
            StorageError: the folder cannot be written, or the disk is full.
        """
        folder = self.weights.absolute().parent
        if self.weights.suffix != SUFFIX:
            raise BadParameterError(
                f"OUTPUT: received {str(self.weights)!r}; the name must end in {SUFFIX}"
            )
        if not folder.is_dir():
            raise BadParameterError(f"OUTPUT: there is no folder {folder}")
        self.require_new()
        try:
            require_writable(self.weights)
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise storage_error(f"cannot write {self.weights}", error) from error
        if free < _NEEDED:
            raise DiskFullError(
                f"cannot write {self.weights}: it takes {_NEEDED // _MIB} MiB, the disk has"
                f" {free / _MIB:.1f} MiB; free some space"
            )

    def require_new(self) -> None:
        """Raises BadParameterError if one of the files exists, or is a link, even a broken one."""
        for path in (self.weights, self.card):
            if os.path.lexists(path):
                raise BadParameterError(
                    f"OUTPUT: {path} exists, and `finetune` replaces no file; choose another name,"
                    " or move the file away"
                )
