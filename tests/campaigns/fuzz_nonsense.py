"""Bytes on a connection that are no proper HTTP, or barely."""

import socket
from collections.abc import Mapping
from random import Random

from tests.processes import address_of, multipart

_TIMEOUT_S = 20
_TARGETS = ("/v1/search", "/v1/products/0", "/v1/products/0/similar", "/healthz", "/openapi.json")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get")
_VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1 ", "HTTP/1.", "ICY", "")
_PATHS = (
    *("//", "/..", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/static/../../config.yaml"),
    *("/static/%2e%2e/api.py", "/static//etc/passwd", "/static/..%2f..%2fconfig.yaml", "/%00"),
    *("/v1/products/%", "/v1/products/%zz", "/v1/products/%ff%fe", "/v1/products/%c0%af", "*"),
    *("/v1/products/", "/v1/images/-1", "/v1/images/99999999999999999999999", "/v1/images/0x1"),
    *("http://elsewhere.example/healthz", "http://[/", "?", "", "/v1/search?limit=%ff&limit=2"),
    *("/v1/products/0/similar?offset=1e999", "/v1/products/0/similar?min_score=nan", "/\x7f\x80"),
    *("/v1/products/" + "a" * 5_000, "/" + "a/" * 4_000, "/?" + "a&" * 9_000),
)
_HEADERS = (
    *("Content-Length: -1", "Content-Length: 1e3", "Content-Length: 99999999999999999999"),
    *("Content-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: +5"),
    *("Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: x"),
    *("Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding : chunked"),
    *("Content-Encoding: gzip", "Expect: 100-continue", "Expect: wonders", "Upgrade: h2c"),
    *("Connection: close, keep-alive", "Range: bytes=0-,5-1", "X: " + "x" * 9_000, "NoColon"),
    *("\r\n folded: yes", "X\0Y: z", "X-Request-ID: \xff\xfe", "Host: a\r\nHost: b", ": empty"),
    *("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https", "SCRIPT_NAME: /x", "X_Y: z"),
    *("Authorization: Bearer \xe9", "Authorization: Basic !!", "X-API-Key: " + "k" * 5_000),
    *("Cookie: " + "a=b; " * 500, "If-None-Match: " + '"a", ' * 500, "Accept: */*;q=x"),
    *("Origin: null", "Content-Type: application/json; charset=utf-99"),
    "\r\n".join(f"X-{number}: y" for number in range(200)),
)
_TYPES = (
    *("application/json", "multipart/form-data; boundary=b", "multipart/form-data", "", "text/xml"),
    *("application/x-www-form-urlencoded", "application/json; charset=utf-16", "x" * 2_000),
    *('multipart/form-data; boundary="', "multipart/form-data; boundary=" + "b" * 300),
)
_BODIES = (
    *(b"", b"{", b"[]", b"null", b"\xff\xfe{\0}\0", b'{"limit":1e999}', b'{"limit":NaN}'),
    *(b'{"product_id":"\\ud800"}', b'{"product_id":"0","product_id":"1"}', b"[" * 100_000),
    *(b'{"image_base64":"data:,"}', b'{"image_base64":"====="}', b'{"a":' * 20_000, b"\0" * 1_000),
    *(
        b"9" * 20_000,
        b'{"limit":' + b"9" * 5_000 + b"}",
        b'{"product_id":"' + b"a" * 99_999 + b'"}',
    ),
    *(b"--b--\r\n", b"--b\r\n\r\n", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--"),
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="\xff\0/../x"\r\n\r\n\r\n--b--',
    b"--b\r\n" + b"X: y\r\n" * 5_000 + b"\r\nz\r\n--b--",
    b'--b\r\nContent-Disposition: form-data; name="limit"\r\n\r\n1\r\n' * 2_000,
)
_CHUNKS = (
    *(b"ZZ\r\n{}\r\n", b"-1\r\n", b"5\r\n{}\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFF\r\n", b"0\r\n", b""),
    *(b"2;a=b\r\n{}\r\n0\r\n\r\n", b"2\n{}\n0\n\n", b"0\r\nX: y\r\n\r\n", b"1" * 9_000 + b"\r\n"),
)


def nonsense(random: Random, headers: Mapping[str, str]) -> bytes:
    """A request, mostly with the headers, or several, or what is none at all."""
    if random.random() < 0.1:
        return random.choice((b"", b"\0", b"\r\n" * 50, b"\x16\x03\x01\x02\0\1\0", _noise(random)))
    data = b"".join(_request(random, headers) for _ in range(random.choice((1, 1, 1, 2, 10))))
    if random.random() < 0.2:
        data = data[: random.randrange(len(data) + 1)]
    return data


def exchange(url: str, data: bytes) -> bytes:
    """What comes back when a client sends this and no more."""
    with socket.create_connection(address_of(url), timeout=_TIMEOUT_S) as connection:
        answer = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                answer += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # told to go before it had said everything
        return answer


def _request(random: Random, headers: Mapping[str, str]) -> bytes:
    method, path = random.choice(_METHODS), random.choice((*_TARGETS, *_TARGETS, *_PATHS))
    lines = [f"{method} {path} {random.choice((*_VERSIONS[:1] * 6, *_VERSIONS))}"]
    lines += ["Host: a"] * (random.random() < 0.9)
    lines += [f"{name}: {value}" for name, value in headers.items() if random.random() < 0.9]
    lines += random.sample(_HEADERS, random.choice((0, 0, 1, 1, 2, 5)))
    content_type, body = random.choice(_TYPES), random.choice((*_BODIES, *_CHUNKS, _noise(random)))
    if random.random() < 0.1:
        body, content_type = multipart(_noise(random), limit=random.choice(("2", "x", "\0")))
    lines += [f"Content-Type: {content_type}"] * (random.random() < 0.8)
    lines += [f"Content-Length: {len(body)}"] * (random.random() < 0.6)
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _noise(random: Random) -> bytes:
    return random.randbytes(random.choice((1, 30, 5_000)))
