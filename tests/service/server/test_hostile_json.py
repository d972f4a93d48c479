"""JSON that is small on the wire and large in memory: a real server refuses it and stays up."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.campaigns.fuzz_target import Target, can_measure, code_of, target
from tests.processes import ask

_MIB = 1024 * 1024
_BODY_MIB = 20
_BAD, _LARGE = "bad_parameter", "request_too_large"

pytestmark = pytest.mark.skipif(not can_measure, reason="Linux counts the memory")


def _list_of(item: bytes, mib: float = _BODY_MIB) -> bytes:
    count = int(mib * _MIB) // (len(item) + 1)
    return b"[" + b",".join([item] * count) + b"]"


def _named(count: int, start: bytes = b"{") -> bytes:
    return start + b",".join(b'"name-%d":1' % number for number in range(count)) + b"}"


SEARCH, EVENTS, BULK = "/v1/search", "/v1/events", "/v1/products/bulk"
LINES = "application/x-ndjson"
BODIES: dict[str, tuple[str, str, Callable[[], bytes], str]] = {
    "a filter of many objects": (SEARCH, "", lambda: _in("filter", _list_of(b"{}", 3)), _LARGE),
    "a filter of some objects": (SEARCH, "", lambda: _in("filter", _list_of(b"{}", 0.02)), _BAD),
    "many examples": (SEARCH, "", lambda: _in("more_like", _list_of(b"1", 3)), _LARGE),
    "some examples": (SEARCH, "", lambda: _in("more_like", _list_of(b"1", 0.03)), _BAD),
    "many unknown names": (SEARCH, "", lambda: _named(200_000), _LARGE),
    "some unknown names": (SEARCH, "", lambda: _named(10_000), _BAD),
    "one long unknown name": (SEARCH, "", lambda: _in("n" * 5 * _MIB, b"1"), _BAD),
    "events that are lists": (EVENTS, "", lambda: _in("events", _list_of(b"[]")), _LARGE),
    "some events that are lists": (EVENTS, "", lambda: _in("events", _list_of(b"[]", 0.02)), _BAD),
    "operations that are objects": (BULK, "", lambda: _list_of(b"{}"), _LARGE),
    "an operation of many names": (BULK, "", lambda: b"[" + _named(190_000) + b"]", "ok"),
    "an operation of many images": (
        BULK,
        "",
        lambda: b"[" + _in("images", _list_of(b"1", 0.35)) + b"]",
        "ok",
    ),
    "lines that are blank": (BULK, LINES, lambda: b"\n" * (_BODY_MIB * _MIB), _LARGE),
    "lines that are returns": (BULK, LINES, lambda: b"\r" * (_BODY_MIB * _MIB), _LARGE),
    "lines that are objects": (BULK, LINES, lambda: b"{}\n" * (5 * _MIB), _LARGE),
}


def _in(name: str, value: bytes) -> bytes:
    return b'{"%s":%s}' % (name.encode(), value)


@pytest.fixture(scope="module")
def shot_at() -> Iterator[Target]:
    with target() as shot_at:
        yield shot_at


@pytest.mark.parametrize("name", BODIES)
def test_json_of_many_values_takes_little_memory_and_stops_nobody(
    shot_at: Target, name: str
) -> None:
    path, content_type, body_of, expected = BODIES[name]
    body = body_of()
    headers = {"Content-Type": content_type or "application/json", **shot_at.headers}
    ended = Event()
    with ThreadPoolExecutor(1) as others:
        healthy = others.submit(_all_are_answered, shot_at.url, ended)
        reply = ask(shot_at.url, path, method="POST", body=body, headers=headers, timeout=60)
        ended.set()
        assert healthy.result()
    assert code_of(reply) == expected
    assert len(reply.body) < 5_000
    assert shot_at.growth_mib() < 300


def _all_are_answered(url: str, ended: Event) -> bool:
    """Whether `/healthz` is answered within a few seconds all the while."""
    while not ended.wait(0.05):
        if ask(url, "/healthz", timeout=5).status != 200:
            return False
    return True


def test_a_form_of_many_facets_takes_little_memory(shot_at: Target) -> None:
    reply = ask(
        shot_at.url,
        "/v1/search",
        method="POST",
        body=_form_of_commas(),
        headers={"Content-Type": "multipart/form-data; boundary=b", **shot_at.headers},
        timeout=60,
    )
    assert code_of(reply) == "bad_parameter"
    assert shot_at.growth_mib() < 300


def _form_of_commas() -> bytes:
    """A form with a file and 400,000 facets without a name."""
    parts = [
        b'name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nphoto',
        b'name="facets"\r\n\r\n' + b"," * 400_000,
    ]
    return (
        b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
        + b"--b--\r\n"
    )


def test_a_bulk_request_of_full_products_is_read(shot_at: Target) -> None:
    attributes = b",".join(b'"label_%d":"one, two, three"' % number for number in range(30))
    line = b'{"op":"patch","product_id":"none","attributes":{%s}}\n' % attributes
    headers = {"Content-Type": LINES, **shot_at.headers}
    reply = ask(shot_at.url, BULK, method="POST", body=line * 1000, headers=headers, timeout=60)
    assert code_of(reply) == "ok"


def test_a_thousand_events_of_the_longest_ids_are_read(shot_at: Target) -> None:
    event = b'{"query_id":"%032x","product_id":"%s","action":"click"}' % (1, b"\\u00e9" * 512)
    body = b'{"events":[' + b",".join([event] * 1000) + b"]}"
    headers = {"Content-Type": "application/json", **shot_at.headers}
    reply = ask(shot_at.url, EVENTS, method="POST", body=body, headers=headers, timeout=60)
    assert code_of(reply) == "unknown_query"
