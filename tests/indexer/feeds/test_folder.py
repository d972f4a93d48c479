"""Folders of photos: links, and files that may be photos."""

import os
from pathlib import Path

import pytest

from indexer.feeds import (
    FeedRow,
    Rejection,
    read_feed,
)
from tests.conftest import png
from tests.indexer.feeds.reading import photos, rejections_of, rows_of


def ids(folder: Path) -> list[str | None]:
    rows = list(read_feed(folder))
    assert all(isinstance(row, FeedRow) for row in rows)
    return [row.product_id for row in rows]


@pytest.fixture
def stock(tmp_path: Path) -> Path:
    for name in ("stock/a.png", "elsewhere/b.png", "elsewhere/deep/c.png"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png("red"))
    return tmp_path / "stock"


def test_a_folder_that_is_a_symbolic_link_has_products(stock: Path) -> None:
    (stock / "winter").symlink_to("../elsewhere")
    (stock / "summer").symlink_to("../elsewhere")
    names = ["a", "summer/b", "summer/deep/c", "winter/b", "winter/deep/c"]
    assert ids(stock) == names
    assert ids(Path(f"{stock}/")) == names


def test_links_in_a_circle_end(stock: Path) -> None:
    (stock / "self").symlink_to(".")
    (stock / "winter").symlink_to("../elsewhere")
    (stock / "../elsewhere/back").symlink_to("../stock")
    (stock / "../elsewhere/deep/up").symlink_to("..")
    assert ids(stock) == ["a", "winter/b", "winter/deep/c"]


def test_a_link_that_leads_nowhere_is_a_row_of_unknown_id(stock: Path) -> None:
    (stock / "winter").symlink_to("../unmounted")
    (row,) = (row for row in read_feed(stock) if isinstance(row, Rejection))
    assert (row.product_id, "leads nowhere" in row.reason) == (None, True)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JPE"])
def test_other_extensions_of_jpeg_are_read(stock: Path, suffix: str) -> None:
    (stock / "a.png").rename(stock / f"a{suffix}")
    assert ids(stock) == ["a"]


@pytest.mark.parametrize("name", ["a.tif", "a.HEIC", "a.svg", "a.dng"])
def test_a_photo_of_an_unsupported_format_is_told_with_its_id(stock: Path, name: str) -> None:
    (stock / "a.png").rename(stock / name)
    (row,) = read_feed(stock)
    assert isinstance(row, Rejection)
    assert (row.product_id, "is not supported" in row.reason) == ("a", True)


@pytest.mark.parametrize("name", ["a", "a.png.bak", "a.jpgg"])
def test_a_photo_by_any_other_name_is_a_row_of_unknown_id(stock: Path, name: str) -> None:
    (stock / "a.png").rename(stock / name)
    (stock / "notes.txt").write_text("GIF is not JPEG")
    (row,) = read_feed(stock)
    assert isinstance(row, Rejection)
    assert (row.product_id, "rename it" in row.reason) == (None, True)


def test_a_folder_gives_a_product_per_photo_in_order(tmp_path: Path) -> None:
    photos(tmp_path, "z.png", "boots/red/b.JPG", "boots/a.v2.webp", "notes.txt", "a.avif")
    photos(tmp_path, ".hidden.jpg", ".thumbs/c.jpg", "boots/.d.jpg")
    assert [(row.product_id, row.attributes) for row in rows_of(tmp_path)] == [
        ("a", {}),
        ("z", {}),
        ("boots/a.v2", {"category": "boots"}),
        ("boots/red/b", {"category": "boots"}),
    ]


def test_a_photo_of_a_folder_has_its_path_below_it_and_its_place(tmp_path: Path) -> None:
    (row,) = rows_of(photos(tmp_path, "boots/a.jpg"))
    (image,) = row.images
    assert (image.uri, image.location) == ("boots/a.jpg", str(tmp_path / "boots" / "a.jpg"))
    assert (row.line, row.source) == (None, str(tmp_path))


def test_a_folder_given_by_a_relative_path_has_absolute_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert rows_of(Path())[0].images[0].location == str(tmp_path / "a.jpg")


def test_two_photos_of_one_name_are_one_product_and_a_rejection(tmp_path: Path) -> None:
    first, second = read_feed(photos(tmp_path, "a.jpg", "a.png"))
    assert isinstance(first, FeedRow)
    assert isinstance(second, Rejection)
    assert second.product_id == "a"
    assert "'a.png': same product id as 'a.jpg'" in second.reason


@pytest.mark.parametrize("name", ["a.heic", "a.HEIF", "a.tif", "a.tiff"])
def test_a_photo_of_a_format_nobody_reads_is_told(tmp_path: Path, name: str) -> None:
    (row,) = rejections_of(photos(tmp_path, name))
    assert "save the photo as JPEG" in row.reason


def test_a_photo_whose_name_is_no_text_is_rejected(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.jpg")).touch()
    assert "not valid Unicode" in rejections_of(tmp_path)[0].reason


def test_a_single_photo_is_a_feed(tmp_path: Path) -> None:
    (row,) = rows_of(photos(tmp_path, "a.b.jpg") / "a.b.jpg")
    assert (row.product_id, row.images[0].uri, row.attributes) == ("a.b", "a.b.jpg", {})
