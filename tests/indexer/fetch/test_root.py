"""Paths of photos relative to a root."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.config import FetchSettings
from indexer.errors import ImageError
from indexer.fetch import PhotoRoot, PhotoSource
from indexer.images import ImageLimits

NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
PARTS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=4)


@given(PARTS)
def test_a_path_below_the_root_is_the_same_path_below_another_one(parts: list[str]) -> None:
    old, new = PhotoRoot(Path("/srv/photos")), PhotoRoot(Path("/mnt/elsewhere"))
    stored = old.stored(str(Path("/srv/photos", *parts)))
    assert new.found(stored) == str(Path("/mnt/elsewhere", *parts))


@pytest.mark.parametrize(
    "location",
    [
        "/srv/photos-2/a.jpg",
        "/srv/a.jpg",
        "https://shop.example/srv/photos/a.jpg",
        "a name of an imported vector",
    ],
)
def test_other_locations_are_stored_as_they_are(location: str) -> None:
    root = PhotoRoot(Path("/srv/photos"))
    assert root.stored(location) == root.found(location) == location


def test_a_root_that_is_a_link_is_the_folder_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "photos").symlink_to(tmp_path / "disk")
    stored = PhotoRoot(tmp_path / "photos").stored(str(tmp_path / "disk" / "a.jpg"))
    assert PhotoRoot(tmp_path).found(stored) == str(tmp_path / "a.jpg")


def test_reading_a_relative_path_without_a_root_names_the_setting() -> None:
    stored = PhotoRoot(Path("/srv")).stored("/srv/a.jpg")
    with pytest.raises(ImageError, match=r"set storage\.photo_root"):
        PhotoSource(ImageLimits(), FetchSettings()).read(stored)
