"""Plots of a query and its results."""

import io

import pytest
from PIL import Image

from indexer.cli import plot as plots
from tests.indexer.cli.conftest import Shop

COLUMNS, TILE, GAP, TEXT = 5, 200, 16, 56


@pytest.mark.parametrize(("limit", "rows"), [(0, 1), (4, 2), (5, 2), (6, 3)])
def test_a_plot_is_a_png_with_a_tile_for_the_query_and_each_result(
    shop: Shop, limit: int, rows: int
) -> None:
    shop.run("add", shop.feed({f"p{number}": (number * 30, 90, 9) for number in range(6)}))
    options = ["--offset", 6] if limit == 0 else ["-k", limit]
    plot = shop.folder / "plot.png"
    ran = shop.run("search", shop.photo("query.png", "magenta"), "--plot", plot, *options)
    assert ran.code == 0
    with Image.open(plot) as image:
        image.load()
    assert image.format == "PNG"
    assert image.size == (GAP + COLUMNS * (TILE + GAP), GAP + rows * (TILE + TEXT + GAP))
    middles = [
        (GAP + column * (TILE + GAP) + TILE // 2, GAP + row * (TILE + TEXT + GAP) + TILE // 2)
        for row in range(rows)
        for column in range(COLUMNS)
    ]
    filled = [image.getpixel(middle) != (255, 255, 255) for middle in middles]
    assert image.getpixel(middles[0]) == (255, 0, 255)
    assert filled == [True, *[False] * 4, *[n < limit for n in range(5 * (rows - 1))]]


def test_a_plot_draws_the_letters_of_other_languages() -> None:
    font = plots.font(14)
    nothing = bytes(font.getmask("\uffff"))
    letters = "ßüöäéèñçåøæœłżźćąęěščřžőűğışđÄÖÜŁЖжЯяΩπ€…–„“’"
    assert [each for each in letters if bytes(font.getmask(each)) == nothing] == []


def test_a_plot_shows_the_part_that_was_searched_with(stocked: Shop) -> None:
    plot = stocked.folder / "plot.png"
    photo = stocked.photo("query.png", "magenta")
    assert stocked.run("search", photo, "--box", "0,0,0.5,1", "--plot", plot).code == 0
    with Image.open(plot) as image:
        row = [image.getpixel((x, GAP + TILE // 2)) for x in range(GAP, GAP + TILE)]
    assert row.index((0, 113, 227), TILE // 3) < TILE // 2 + 2  # after the left side of the box
    assert row.count((0, 113, 227)) == 6


def test_a_plot_of_a_product_whose_photo_is_gone_says_so(stocked: Shop) -> None:
    for photo in (stocked.folder / "photos").iterdir():
        photo.unlink()
    plot = stocked.folder / "plot.png"
    assert stocked.run("search", "--product", "red", "--plot", plot).code == 0
    Image.open(io.BytesIO(plot.read_bytes())).verify()


def test_a_plot_that_cannot_be_written_fails(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "red", "--plot", stocked.folder / "no" / "plot.png")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "cannot write" in ran.err


def test_a_plot_takes_the_place_of_nothing_but_a_plot(stocked: Shop) -> None:
    photo = stocked.photo("query.png", "red")
    before = photo.read_bytes()
    for file, words in ((photo, "is not a plot"), (stocked.folder / "plot.jpg", "end in .png")):
        ran = stocked.run("search", photo, "--plot", file)
        assert (ran.code, photo.read_bytes()) == (2, before)
        assert words in ran.err
    for _ in range(2):
        assert stocked.run("search", photo, "--plot", stocked.folder / "plot.png").code == 0
