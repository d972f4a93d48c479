"""Forms as browsers, old clients and broken clients write them."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import png

PHOTO = png("red")


def form(*parts: tuple[str, bytes], boundary: str = "b", end: str = "--\r\n") -> bytes:
    """Writes parts, each with its headers."""
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(
        delimiter + headers.encode() + b"\r\n\r\n" + content + b"\r\n" for headers, content in parts
    )
    return body + f"--{boundary}{end}".encode()


def named(name: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}'


def send(client: FlaskClient, body: bytes, boundary: str = "b") -> tuple[int, str | None]:
    content_type = f"multipart/form-data; boundary={boundary}"
    reply = client.post("/v1/search", data=body, content_type=content_type)
    assert reply.json is not None
    return reply.status_code, reply.json.get("code")


@pytest.mark.parametrize(
    "body",
    [
        form((named("image", '; filename="a.png"'), PHOTO)),
        form((named("image", '; filename="a.png"'), PHOTO), end="--"),
        form((named("image", "; filename=a.png") + "\r\nContent-Type: image/png", PHOTO)),
        form((named("image", "; filename*=UTF-8''gr%C3%BCn.png"), PHOTO)),
        form((named("image", '; filename=""'), PHOTO)),
        b"\r\n" + form((named("image", '; filename="a.png"'), PHOTO)),
        form((named("limit"), b"5"), (named("image", '; filename="a.png"'), PHOTO)),
    ],
)
def test_a_photo_is_found_however_a_client_writes_the_form(
    client: FlaskClient, body: bytes
) -> None:
    assert send(client, body) == (200, None)


def test_a_boundary_may_be_quoted(client: FlaskClient) -> None:
    body = form((named("image", '; filename="a.png"'), PHOTO), boundary="a b")
    assert send(client, body, boundary='"a b"') == (200, None)


def test_a_field_is_read_in_its_charset(client: FlaskClient) -> None:
    latin = (named("filter") + "\r\nContent-Type: text/plain; charset=ISO-8859-1", b"title:gr\xfcn")
    photo = (named("image", '; filename="a.png"'), PHOTO)
    assert send(client, form(latin, photo)) == (200, None)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (form((named("image", '; filename="a.png"'), PHOTO), end=""), (400, "bad_request")),
        (form((named("image", '; filename="a.png"'), PHOTO))[:-20], (400, "bad_request")),
        (form(("X: y", PHOTO)), (400, "bad_request")),
        (b"", (400, "bad_request")),
        (b"no form", (400, "bad_request")),
        (form((named("filter"), b"x" * 500_001)), (413, "request_too_large")),
        (form(*[(named("filter"), b"x")] * 1001), (413, "request_too_large")),
        (form((named("x", "\r\nX: y" * 40), b"x")), (413, "request_too_large")),
    ],
)
def test_a_form_that_is_cut_malformed_or_too_long_is_refused(
    client: FlaskClient, body: bytes, answer: tuple[int, str]
) -> None:
    assert send(client, body) == answer
