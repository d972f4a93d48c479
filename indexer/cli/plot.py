"""Draws the query and the results of a search, with their scores, to an image."""

from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from indexer.errors import BadParameterError, ImageError, ImageSearchError
from indexer.fetch import PhotoSource
from indexer.images import Box, decode
from indexer.search import Answer
from indexer.store import Records
from indexer.store.places import location_of

_COLUMNS = 5
_TILE = 200  # pixels
_GAP = 16
_TEXT = 56
_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"  # Pillow's default font is ASCII only
_SOFTWARE = "visual-product-search"
_INK, _FAINT, _FRAME, _BOX = "#1d1d1f", "#6e6e73", "#d2d2d7", "#0071e3"


def require_png(file: Path) -> None:
    """Checks that a plot would not take the place of a photo.

    Raises:
        BadParameterError: the file is not named as a PNG file, or is one that is not a plot.
    """
    if file.suffix.lower() != ".png":
        raise BadParameterError(f"--plot: received {file}; the name must end in .png")
    if file.exists():
        try:
            with Image.open(file, formats=["PNG"]) as present:
                is_plot = present.info.get("Software") == _SOFTWARE
        except OSError:
            is_plot = False
        if not is_plot:
            raise BadParameterError(f"--plot: {file} exists and is not a plot; name another file")


def plot_answer(
    answer: Answer, records: Records, query: Path | str, file: Path, photos: PhotoSource
) -> None:
    """Draws the query and the results of a search to a PNG file.

    Args:
        answer: of the search.
        records: of the collection.
        query: path of a photo, or a product id.
        file: to write.
        photos: reads the photos.

    Raises:
        ImageSearchError: the file cannot be written.
    """
    tiles = [_query_tile(records, query)]
    for match in answer.matches:
        caption = str(match.product.attributes.get("title", match.product.product_id))
        tiles.append((location_of(records.folder, match.image), f"{match.score:.4f}", caption))
    rows = 1 + max(0, -(-(len(tiles) - 1) // _COLUMNS))
    size = (_GAP + _COLUMNS * (_TILE + _GAP), _GAP + rows * (_TILE + _TEXT + _GAP))
    sheet = Image.new("RGB", size, "white")
    for number, tile in enumerate(tiles):
        # The query is alone in the first row.
        row, column = (
            (0, 0) if number == 0 else (1 + (number - 1) // _COLUMNS, (number - 1) % _COLUMNS)
        )
        corner = (_GAP + column * (_TILE + _GAP), _GAP + row * (_TILE + _TEXT + _GAP))
        _draw(sheet, corner, photos, *tile, answer.box if number == 0 else None)
    try:
        sheet.save(file, format="PNG", pnginfo=_made_here())
    except OSError as error:
        raise ImageSearchError(f"cannot write {file}: {error}") from error


def _made_here() -> PngInfo:
    info = PngInfo()
    info.add_text("Software", _SOFTWARE)
    return info


def _query_tile(records: Records, query: Path | str) -> tuple[str, str, str]:
    if isinstance(query, Path):
        return str(query), "query", query.name
    with records.reader() as reader:
        product = reader.products([query])[query]
    return (
        location_of(records.folder, product.images[0]),
        "query",
        str(product.attributes.get("title", query)),
    )


def _draw(
    sheet: Image.Image,
    corner: tuple[int, int],
    photos: PhotoSource,
    location: str,
    head: str,
    text: str,
    box: Box | None,
) -> None:
    x, y = corner
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((x - 1, y - 1, x + _TILE, y + _TILE), outline=_FRAME)
    photo = _thumbnail(location, photos)
    if photo is None:
        draw.text((x + 8, y + 8), "no photo", _FAINT, font(14))
    else:
        left, top = x + (_TILE - photo.width) // 2, y + (_TILE - photo.height) // 2
        sheet.paste(photo, (left, top))
        if box is not None:
            sides = [place * side for place, side in zip(box, photo.size * 2, strict=True)]
            places = [start + side for start, side in zip((left, top) * 2, sides, strict=True)]
            draw.rectangle(places, outline=_BOX, width=3)
    draw.text((x, y + _TILE + 4), head, _INK, font(18))
    small = font(14)
    while text and draw.textlength(text, small) > _TILE:
        text = text[:-2].rstrip() + "…" if text.endswith("…") else text[:-1] + "…"
    draw.text((x, y + _TILE + 28), text, _FAINT, small)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Returns the font of a plot: DejaVu Sans, with Latin, Greek and Cyrillic letters."""
    return ImageFont.truetype(_FONT, size)


def _thumbnail(location: str, photos: PhotoSource) -> Image.Image | None:
    try:
        photo = decode(photos.read(location), photos.limits)
    except ImageError:
        return None  # imported vectors have no photo, and photos may have been deleted
    photo.thumbnail((_TILE, _TILE))
    return photo
