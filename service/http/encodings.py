"""Rejects requests in unsupported encodings."""

from urllib.parse import unquote_to_bytes

from flask import Flask, request

from indexer.errors import BadParameterError
from service.errors import UnsupportedMediaTypeError
from service.server.lifecycle import WITH_BODY


def register(app: Flask) -> None:
    """Makes the application check every request with a route."""
    app.before_request(_check)


def _check() -> None:
    """Checks the encoding of path, query string and body.

    Werkzeug replaces bytes that are not UTF-8 with U+FFFD, which would change a product id.

    Raises:
        UnsupportedMediaTypeError: the body is compressed.
        BadParameterError: path or query string are not UTF-8.
    """
    if request.url_rule is None:
        return
    coding = request.headers.get("Content-Encoding", "identity").strip()
    if request.method in WITH_BODY and coding.lower() != "identity":
        raise UnsupportedMediaTypeError(
            f"received content encoding {coding!r:.80}; send the body uncompressed"
        )
    if "product_id" in (request.view_args or {}):
        _require_utf8("product_id", request.environ["PATH_INFO"].encode("latin-1"))
    if request.url_rule.rule.startswith("/v1/"):  # other paths read no body
        _require_utf8("the query string", unquote_to_bytes(request.query_string))


def _require_utf8(name: str, data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise BadParameterError(
            f"{name}: received the byte {byte:#04x}, which is not UTF-8; percent-encode UTF-8"
        ) from None
