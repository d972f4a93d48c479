"""Many large uploads at once: how much memory they take on a real server."""

import base64
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from PIL import Image

from tests.campaigns.fuzz_target import Target, can_measure, code_of, is_busy, target
from tests.processes import multipart

_PIECE = 65_536
# Until the last byte of each is there, or the server takes no more for now.
_PATIENCE_S = 5


@pytest.mark.skipif(not can_measure, reason="Linux counts the memory")
@pytest.mark.parametrize(
    ("uploads", "body_of"),
    [
        pytest.param(8, lambda number: _as_base64(2600, number), id="8-of-27-MB-as-base64"),
        pytest.param(64, lambda number: _as_form(1300, number), id="64-of-5-MB-as-forms"),
    ],
)
def test_large_uploads_at_once_do_not_fill_the_memory(
    uploads: int, body_of: Callable[[int], tuple[bytes, str]]
) -> None:
    with target() as shot_at, ThreadPoolExecutor(uploads) as senders:
        together = threading.Barrier(uploads)
        codes = list(
            senders.map(lambda number: _send(shot_at, together, *body_of(number)), range(uploads))
        )
        print(f"{shot_at.growth_mib()} MiB over idle; {codes}")
        assert all(code == "ok" or is_busy(code) for code in codes)
        assert "ok" in codes


def _send(shot_at: Target, together: threading.Barrier, body: bytes, content_type: str) -> str:
    length = {"Content-Length": str(len(body))}
    return code_of(shot_at.post(_held_back(body, together), content_type, **length))


def _held_back(body: bytes, together: threading.Barrier) -> Iterator[bytes]:
    """The body, its last byte once all the others are sent as far."""
    for at in range(0, len(body) - 1, _PIECE):
        yield body[at : min(at + _PIECE, len(body) - 1)]
    with suppress(threading.BrokenBarrierError):
        together.wait(_PATIENCE_S)
    yield body[-1:]


def _photo(side: int, number: int) -> bytes:
    """A PNG of 3 bytes a pixel, unlike those of other numbers."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (number, 0, 0)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


def _as_base64(side: int, number: int) -> tuple[bytes, str]:
    encoded = base64.b64encode(_photo(side, number))
    return b'{"image_base64":"' + encoded + b'"}', "application/json"


def _as_form(side: int, number: int) -> tuple[bytes, str]:
    return multipart(_photo(side, number))
