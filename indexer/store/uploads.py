"""Uploaded photos, stored in the folder of the collection by content hash."""

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from indexer.arrays import batched
from indexer.files import storage_error, sync
from indexer.store.base import Records
from indexer.store.places import UPLOADS, uploaded_place

_BATCH = 500


class UploadedPhotos:
    """The uploaded photos in a collection's folder: `photos/ab/abcdef….jpeg`.

    All calls require the writer's lock: otherwise one could delete a photo that another adds.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self.folder = records.folder.absolute() / UPLOADS

    def path(self, content_hash: str, form: str) -> Path:
        """Returns the path for a photo.

        Args:
            content_hash: of the photo.
            form: its format, as `recognise` returns it.
        """
        return self._records.folder.absolute() / uploaded_place(content_hash, form)

    def save(self, path: Path, data: bytes) -> None:
        """Writes a photo. It is durable when this returns.

        Raises:
            StorageError: the file cannot be written.
        """
        try:
            if path.is_file() and path.read_bytes() == data:
                return
            for folder in (self.folder, path.parent):
                if not folder.is_dir():
                    folder.mkdir(parents=True, exist_ok=True)
                    sync(folder.parent)
            temporary = path.with_suffix(".unfinished")
            try:
                temporary.write_bytes(data)
                sync(temporary)
                temporary.replace(path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            sync(path.parent)
        except OSError as error:
            raise storage_error(f"{path}: cannot be written", error) from error

    def remove_unused(self, paths: Iterable[Path]) -> int:
        """Deletes those of the uploads that the catalogue does not use; returns their number."""
        removed = 0
        for batch in batched((path for path in paths if path.is_relative_to(self.folder)), _BATCH):
            with self._records.reader() as reader:
                known = reader.known_photos(path.stem for path in batch)
            for path in batch:
                if path.stem not in known:
                    with suppress(OSError):  # a later sweep deletes it
                        path.unlink()
                        removed += 1
        return removed

    def sweep(self) -> int:
        """Deletes all unused uploads, such as those of products removed by the command line."""
        return self.remove_unused(self.folder.glob("*/*"))


def content_hash(data: bytes) -> str:
    """Returns the hash by which the catalogue identifies a photo."""
    return sha256(data).hexdigest()
