"""Photos that came without a file of their own: kept beside the catalogue, by their content."""

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from indexer.arrays import batched
from indexer.files import storage_error, sync
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.catalog.places import UPLOADS, uploaded_place

_BATCH = 500


class UploadedPhotos:
    """The photos in a collection's folder: `photos/ab/abcdef….jpeg`.

    The writer's lock must be held for every call, or one could delete what another one needs.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.folder = catalog.folder.absolute() / UPLOADS

    def path(self, content_hash: str, form: str) -> Path:
        """Where a photo of this format (as `recognise` names it) is kept."""
        return self._catalog.folder.absolute() / uploaded_place(content_hash, form)

    def save(self, path: Path, data: bytes) -> None:
        """Keeps a photo, durable when this returns.

        Raises:
            StorageError: it cannot be written.
        """
        try:
            if path.is_file() and path.read_bytes() == data:
                return
            for folder in (self.folder, path.parent):
                if not folder.is_dir():
                    folder.mkdir()
                    sync(folder.parent)
            temporary = path.with_suffix(".unfinished")
            temporary.write_bytes(data)
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        except OSError as error:
            raise storage_error(f"{path}: cannot be written", error) from error

    def remove_unused(self, paths: Iterable[Path]) -> int:
        """Deletes those of the files here whose photos the catalogue does not have."""
        removed = 0
        for batch in batched((path for path in paths if path.is_relative_to(self.folder)), _BATCH):
            with self._catalog.reader() as reader:
                known = reader.known_photos(path.stem for path in batch)
            for path in batch:
                if path.stem not in known:
                    with suppress(OSError):  # then a later sweep deletes it
                        path.unlink()
                        removed += 1
        return removed

    def sweep(self) -> int:
        """Deletes all that are not used: of products that were removed by other means."""
        return self.remove_unused(self.folder.glob("*/*"))


def content_hash(data: bytes) -> str:
    """What the catalogue knows a photo by."""
    return sha256(data).hexdigest()
