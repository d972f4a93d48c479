"""Many large uploads at once: how much memory they take on a real server."""

import base64
import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest
from PIL import Image

from tests.campaigns.fuzz_target import Target, can_measure, code_of, is_busy, target
from tests.processes import ask, multipart

_PIECE = 65_536
# Until the last byte of each is there, or the server takes no more for now.
_PATIENCE_S = 5
# So many events are more values than one request may have.
_EXPECTED = {"ok", "request_too_large"}


@dataclass(frozen=True)
class Request:
    """A large one."""

    method: str
    target: str
    body: bytes
    content_type: str = "application/json"


@pytest.mark.skipif(not can_measure, reason="Linux counts the memory")
@pytest.mark.parametrize(
    ("uploads", "request_of"),
    [
        pytest.param(8, lambda number: _as_base64(2600, number), id="8-of-27-MB-as-base64"),
        pytest.param(64, lambda number: _as_form(1300, number), id="64-of-5-MB-as-forms"),
        pytest.param(8, lambda number: _as_product(2600, number), id="8-products-of-27-MB"),
        pytest.param(12, lambda _: _as_events(300_000), id="12-of-events-of-25-MB"),
    ],
)
def test_large_uploads_at_once_do_not_fill_the_memory(
    uploads: int, request_of: Callable[[int], Request]
) -> None:
    with target() as shot_at, ThreadPoolExecutor(uploads) as senders:
        together = threading.Barrier(uploads)
        codes = list(
            senders.map(lambda number: _send(shot_at, together, request_of(number)), range(uploads))
        )
        print(f"{shot_at.growth_mib()} MiB over idle; {codes}")
        assert all(code in _EXPECTED or is_busy(code) for code in codes)
        assert not _EXPECTED.isdisjoint(codes)


def _send(shot_at: Target, together: threading.Barrier, request: Request) -> str:
    headers = {"Content-Length": str(len(request.body)), "Content-Type": request.content_type}
    return code_of(
        ask(
            shot_at.url,
            request.target,
            method=request.method,
            body=_held_back(request.body, together),
            headers=headers | shot_at.headers,
            timeout=120,
        )
    )


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


def _as_base64(side: int, number: int) -> Request:
    encoded = base64.b64encode(_photo(side, number))
    return Request("POST", "/v1/search", b'{"image_base64":"' + encoded + b'"}')


def _as_form(side: int, number: int) -> Request:
    return Request("POST", "/v1/search", *multipart(_photo(side, number)))


def _as_product(side: int, number: int) -> Request:
    encoded = base64.b64encode(_photo(side, number))
    return Request("PUT", f"/v1/products/large-{number}", b'{"images":["' + encoded + b'"]}')


def _as_events(events: int) -> Request:
    event = b'{"query_id":"%032x","product_id":"0","action":"click"}' % 1
    return Request("POST", "/v1/events", b'{"events":[' + b",".join([event] * events) + b"]}")
