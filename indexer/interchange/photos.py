"""The photo of each imported or exported vector.

An export writes one line of JSON per row to a file next to the vectors. With the content hashes
of photos, `add` reuses the imported vectors of photos that it reads.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.arrays import Ids
from indexer.errors import FeaturesError
from indexer.interchange.features import file_name, product_id_of
from indexer.store import Image, Reader

PHOTOS = "photos.jsonl"
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Photo:
    """The photo of a vector. `position` is its index among the photos of the product."""

    product_id: str
    position: int
    uri: str
    location: str
    sha256: str


def lines_of(reader: Reader, ids: Ids, locate: Callable[[Image], str]) -> Iterator[str]:
    """Yields a line for each of the images, in their order.

    Args:
        reader: of the collection.
        ids: of the images.
        locate: returns the path or URL of an image.
    """
    wanted = set(ids.tolist())
    places: dict[int, tuple[int, Image]] = {}
    owners = {image.product_id for image in reader.images(ids.tolist()).values()}
    for product in reader.products(owners).values():
        for position, image in enumerate(product.images):
            if image.image_id in wanted:
                places[image.image_id] = position, image
    for image_id in ids.tolist():
        position, image = places[image_id]
        photo = Photo(
            image.product_id,
            position,
            image.uri,
            locate(image),
            image.content_hash,
        )
        yield json.dumps(asdict(photo), ensure_ascii=False) + "\n"


def read_photos(features: Path, product_ids: Sequence[str]) -> list[Photo | None]:
    """Returns the photo of each row of an export; None if it is unknown.

    All are None if there is no such file next to `features`, or its rows do not match.
    """
    try:
        with (features.parent / PHOTOS).open(encoding="utf-8") as file:
            photos = [_photo(line) for line in file]
    except (OSError, ValueError, TypeError):
        return [None] * len(product_ids)
    if [photo.product_id for photo in photos] != list(product_ids):
        return [None] * len(product_ids)
    return [photo if _HASH.fullmatch(photo.sha256) else None for photo in photos]


def photos_in(folder: Path, names: Sequence[str]) -> list[Photo | None]:
    """Returns the photo of each name: the file of that name in `folder`; None if there is none.

    Raises:
        FeaturesError: a file cannot be read, or there is none for any name.
    """
    found = [_in_folder(folder, name, row) for row, name in enumerate(names)]
    if not any(found):
        raise FeaturesError(
            f"{folder} has no file for any of the {len(names)} names, such as"
            f" {file_name(names[0])!r}; pass the folder that has the photos"
        )
    return found


def _in_folder(folder: Path, name: str, row: int) -> Photo | None:
    path = folder.resolve() / file_name(name)
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise FeaturesError(f"cannot read the photo {path}: {error}") from error
    return Photo(product_id_of(name), row, path.name, str(path), digest)


def _photo(line: str) -> Photo:
    photo = Photo(**json.loads(line))
    texts = (photo.product_id, photo.uri, photo.location, photo.sha256)
    if not isinstance(photo.position, int) or not all(isinstance(text, str) for text in texts):
        raise TypeError("not written by an export")
    return photo
