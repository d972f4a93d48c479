"""Folders of photos: links, and files that may be photos."""

from pathlib import Path

import pytest

from indexer.feeds import FeedRow, Rejection, read_feed
from tests.conftest import png


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
