"""Whatever the bytes: an upright RGB picture, or an error that names the reason."""

import contextlib
import os
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from indexer.errors import (
    BadParameterError,
    EmptyImageError,
    ImageError,
    ImageTooLargeError,
    UnsupportedFormatError,
)
from indexer.images import FULL_PIXELS, ImageLimits, crop, decode, read_photo
from tests.bad_files import FORMATS, ODD_FILES, OddFile, chunk, exif_tiff, photo, png, saved
from tests.conftest import ROOT

# What `indexer.images` says when it is imported; pytest sets its own filters for each test.
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

LOSSLESS = {"PNG": {}, "BMP": {}, "WEBP": {"lossless": True}}
WHOLE = [odd.data for odd in ODD_FILES if odd.expected is None and len(odd.data) < 10_000]


def pixels(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(image)


@pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.name)
def test_an_odd_file_is_accepted_or_refused_with_its_code(odd: OddFile) -> None:
    if odd.expected is None:
        image = decode(odd.data)
        assert (image.mode, image.info) == ("RGB", {})
    else:
        with pytest.raises(ImageError) as caught:
            decode(odd.data)
        assert caught.value.code == odd.expected, caught.value


def test_there_are_many_odd_files_and_each_has_its_own_name() -> None:
    assert len({odd.name for odd in ODD_FILES}) == len(ODD_FILES) >= 60


@pytest.mark.parametrize("name", ["HEIC", "SVG", "PDF", "TIF", "zip"])
def test_a_recognisable_stranger_is_named(name: str) -> None:
    data = next(odd.data for odd in ODD_FILES if odd.name.endswith(f".{name.lower()}"))
    with pytest.raises(UnsupportedFormatError, match=name):
        decode(data)


@pytest.mark.parametrize("form", LOSSLESS)
def test_a_lossless_photo_keeps_its_pixels(form: str) -> None:
    data = saved(photo(), form, **LOSSLESS[form])
    assert np.array_equal(pixels(decode(data)), pixels(photo()))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_orientation_decodes_upright(form: str, turn: int) -> None:
    upright = photo(size=(48, 32)).resize((480, 320), Image.Resampling.NEAREST)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[turn]) if turn in undo else upright
    decoded = decode(saved(stored, form, exif=exif_tiff(turn), quality=95))
    assert decoded.size == upright.size
    assert np.abs(pixels(decoded).astype(int) - pixels(upright)).mean() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_flattened_on_white(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    form = "PNG" if mode != "PA" else "GIF"
    decoded = decode(saved(image.convert(mode) if form == "PNG" else image, form))
    assert pixels(decoded).tolist() == [[[0, 0, 0], [255, 255, 255]]]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "transparent"),
    [
        (1, 0, b"\x40", b"\0\1"),
        (8, 0, b"\0\xff", b"\0\xff"),
        (16, 0, b"\0\0\xff\xff", b"\xff\xff"),
        (8, 2, b"\0\0\0\1\2\3", b"\0\1\0\2\0\3"),
    ],
)
def test_a_transparent_colour_becomes_white(
    depth: int, colour: int, row: bytes, transparent: bytes
) -> None:
    decoded = decode(png(2, 1, depth, colour, row, chunk(b"tRNS", transparent)))
    assert pixels(decoded).tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_sixteen_bit_grey_is_scaled_not_clipped() -> None:
    grey = struct.pack(">4H", 0, 0x4000, 0x8000, 0xFFFF)
    assert pixels(decode(png(4, 1, 16, 0, grey)))[0, :, 0].tolist() == [0, 64, 128, 255]


def test_a_cmyk_jpeg_has_the_colours_it_was_made_from() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 30))
    decoded = decode(saved(red.convert("CMYK"), "JPEG", quality=95))
    assert np.abs(pixels(decoded).astype(int) - pixels(red)).max() < 6


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("blue", "red", "lime")]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    assert decode(data).getpixel((4, 4)) == pytest.approx((0, 0, 255), abs=3)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_four_megapixels_equals_a_plain_full_decode(progressive: bool) -> None:
    data = saved(photo().resize((2048, 2048)), "JPEG", progressive=progressive)
    plain = Image.open(BytesIO(data))
    assert np.array_equal(pixels(decode(data)), pixels(plain.convert("RGB")))


@pytest.mark.parametrize(("form", "mode"), [("JPEG", "RGB"), ("PNG", "RGBA"), ("GIF", "P")])
def test_a_larger_photo_comes_out_reduced_and_the_same_to_the_eye(form: str, mode: str) -> None:
    large = photo("RGB", (60, 40)).resize((3001, 2001), Image.Resampling.BICUBIC)
    decoded = decode(saved(large.convert(mode), form))
    assert decoded.width * decoded.height <= FULL_PIXELS
    assert decoded.size == (1501, 1001)
    small = (30, 20)
    difference = pixels(decoded.resize(small)).astype(int) - pixels(large.resize(small))
    assert np.abs(difference).mean() < (3 if form != "GIF" else 12)


DECODE_ALL = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from indexer.errors import ImageError
from indexer.images import decode

def size(data):
    try:
        return decode(data).size
    except ImageError as error:
        return error.code

def memory(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))

large = [Path(name).read_bytes() for name in sys.argv[1:]]
before = memory("VmRSS")
from tests.bad_files import ODD_FILES
Path("/proc/self/clear_refs").write_text("5")
with ThreadPoolExecutor(4) as pool:
    sizes = list(pool.map(size, large))
    list(pool.map(size, [odd.data for odd in ODD_FILES]))
print(memory("VmHWM") - before, *sizes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux counts the memory")
def test_no_photo_fills_the_memory_or_warns_even_with_several_at_once(tmp_path: Path) -> None:
    photos = {
        "PNG": saved(Image.new("RGBA", (7200, 7200), "navy"), "PNG", compress_level=1),
        "WEBP": saved(Image.new("RGB", (4000, 3000), "navy"), "WEBP", method=0),
        "JPEG": saved(Image.new("RGB", (7200, 7200), "navy"), "JPEG", progressive=True),
    }
    for name, data in photos.items():
        (tmp_path / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", DECODE_ALL, *(tmp_path / name for name in photos)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    peak, sizes = done.stdout.split(maxsplit=1)
    assert sizes == "(1800, 1800) (2000, 1500) (1800, 1800)\n"
    assert int(peak) < 250  # MiB


def test_the_byte_limit_is_inclusive() -> None:
    data = saved(photo(), "PNG")
    assert decode(data, ImageLimits(max_bytes=len(data)))
    with pytest.raises(ImageTooLargeError, match=f"{len(data) - 1:,}"):
        decode(data, ImageLimits(max_bytes=len(data) - 1))


@pytest.mark.parametrize("form", FORMATS)
def test_the_pixel_limit_is_inclusive(form: str) -> None:
    data = saved(photo(), form)
    assert decode(data, ImageLimits(max_pixels=1200)).size == (40, 30)
    with pytest.raises(ImageTooLargeError, match="40x30"):
        decode(data, ImageLimits(max_pixels=1199))


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    data = saved(photo().resize((2000, 2000)), "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    with pytest.raises(ImageTooLargeError, match="scans"):
        decode(data[:at] + data[at : at + 11] * 400 + data[at:])


def only_an_image_or_an_image_error(data: bytes) -> None:
    with contextlib.suppress(ImageError):
        assert decode(data).mode == "RGB"


@given(st.binary(max_size=200), st.sampled_from([data[:16] for data in WHOLE] + [b""]))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_give_an_image_or_an_image_error(tail: bytes, start: bytes) -> None:
    only_an_image_or_an_image_error(start + tail)


@pytest.mark.slow
@given(st.sampled_from(WHOLE), st.data())
@settings(max_examples=600, deadline=None)
def test_a_mutated_photo_gives_an_image_or_an_image_error(data: bytes, draw: st.DataObject) -> None:
    mutated = bytearray(data)
    places = st.integers(0, len(data) - 1) | st.integers(0, min(len(data) - 1, 400))
    for at in draw.draw(st.lists(places, max_size=8)):
        mutated[at] = draw.draw(st.integers(0, 255))
    start, stop = sorted((draw.draw(places), draw.draw(places)))
    kept = draw.draw(st.sampled_from([mutated, mutated[:stop], mutated[:start] + mutated[stop:]]))
    only_an_image_or_an_image_error(bytes(kept))


def test_a_photo_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "shoe.png"
    path.write_bytes(saved(photo(), "PNG"))
    assert decode(read_photo(path, ImageLimits())).size == (40, 30)


def test_a_path_of_windows_that_does_not_exist_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"No such file or directory; use / instead of \\$"):
        read_photo(tmp_path / "photos\\131.jpg", ImageLimits())
    odd = tmp_path / "a\\b.png"
    odd.write_bytes(saved(photo(), "PNG"))
    assert read_photo(odd, ImageLimits())


def test_a_photo_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ImageTooLargeError, match="1,000,000,000,000"):
        read_photo(path, ImageLimits())


def test_a_photo_that_cannot_be_read_is_an_image_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("missing.jpg", "pipe.jpg", ".", "nul\0byte.jpg", "long" * 200):
        with pytest.raises(ImageError):
            read_photo(tmp_path / name, ImageLimits())
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(EmptyImageError):
        read_photo(tmp_path / "empty.jpg", ImageLimits())


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    min_side=st.integers(1, 400),
    form=st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
@example(width=3, height=3, min_side=1, form="JPEG")
@example(width=17, height=300, min_side=1, form="JPEG")
def test_a_photo_is_halved_while_the_shorter_side_stays_long_enough(
    width: int, height: int, min_side: int, form: str
) -> None:
    received = decode(saved(photo(size=(width, height)), form), min_side=min_side).size
    factor = 1
    while min(width, height) // (2 * factor) >= min_side:
        factor *= 2
    assert received == (-(-width // factor), -(-height // factor))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_a_photo_made_smaller_looks_the_same(form: str) -> None:
    data = saved(photo(size=(640, 480)), form)
    small, whole = decode(data, min_side=100), decode(data)
    assert small.size == (160, 120)
    difference = pixels(whole.reduce(4)).astype(int) - pixels(small)
    assert np.abs(difference).mean() < 2


def test_a_crop_takes_the_fractions_asked_for() -> None:
    image = photo(size=(100, 50))
    assert crop(image, (0.25, 0.2, 0.75, 1)).size == (50, 40)
    assert np.array_equal(pixels(crop(image, (0, 0, 1, 1))), pixels(image))


side = st.floats(0, 1) | st.floats()


@given(side, side, side, side)
def test_a_crop_is_never_empty_and_an_impossible_box_is_refused(
    x1: float, y1: float, x2: float, y2: float
) -> None:
    image = photo(size=(7, 3))
    if 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1:
        part = crop(image, (x1, y1, x2, y2))
        assert 1 <= part.width <= 7
        assert 1 <= part.height <= 3
    else:
        with pytest.raises(BadParameterError, match="box"):
            crop(image, (x1, y1, x2, y2))
