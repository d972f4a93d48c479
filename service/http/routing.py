"""Product ids in URLs: any characters, slashes included.

In the decoded path of WSGI, an encoded slash of an id (`%2F`) looks like a separator. The path is
therefore decoded again from the raw URL, and keeps `%2F`.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from werkzeug.routing import BaseConverter, IntegerConverter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class AsciiIntegerConverter(IntegerConverter):
    r"""An integer in the digits 0 to 9; `\\d` has those of all scripts."""

    regex = "[0-9]+"


class ProductIdConverter(BaseConverter):
    """The rest of a path as a product id; slashes may be encoded or, if unambiguous, plain."""

    part_isolating = False
    regex = r"(?s:.+?)(?!\n)"  # the `$` that follows would match before a final newline

    def to_python(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%25", "%")

    def to_url(self, value: str) -> str:
        return quote(value, safe="")


class KeepEncodedSlashes:
    """WSGI middleware: in PATH_INFO, `%2F` stands for a slash within a segment, `%25` for `%`."""

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        if raw and raw.startswith("/"):
            path = raw.split("?", 1)[0]
            environ["PATH_INFO"] = "/".join(map(_decoded, path.split("/")))
        return self._app(environ, start_response)


def _decoded(segment: str) -> str:
    # WSGI represents bytes as Latin-1; clients may send non-ASCII characters unencoded.
    text = unquote_to_bytes(segment.encode("latin-1")).decode("latin-1")
    return text.replace("%", "%25").replace("/", "%2F")
