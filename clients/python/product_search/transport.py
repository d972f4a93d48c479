"""Sends requests to the service, with retries, and converts problem documents to errors."""

import json
import time
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.filepost import encode_multipart_formdata

from product_search.errors import ProblemError, UnreachableError

_BUSY = (429, 503)  # the service did nothing, so that any request can be retried
_FIRST_WAIT_S = 0.5  # without `Retry-After`

Fields = Sequence[tuple[str, str]]


class Transport:
    """Sends requests to one service. Thread-safe.

    Args:
        url: of the service.
        key: an API key, if the service requires one.
        timeout_s: timeout for connecting and for each read.
        retries: maximum number of retries if the service is busy.
        patience_s: maximum wait before a retry.

    Raises:
        ValueError: the URL has no scheme, or the key is not valid in a header; the text does not
            contain the key.
    """

    def __init__(
        self, url: str, key: str | None, timeout_s: float, retries: int, patience_s: float
    ) -> None:
        if not url.lower().startswith(("http://", "https://")):
            raise ValueError(f"the URL must start with http:// or https://; received {url!r}")
        # Checked here, because the error of `http.client` contains the value of the header.
        if key and not (key.isascii() and key.isprintable() and " " not in key):
            raise ValueError(
                "the API key contains white space or characters that are not ASCII; use it exactly"
                " as printed by `keys create`"
            )
        self.base = url.rstrip("/") + "/"
        self._retries = retries
        self._patience_s = patience_s
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._pool = urllib3.PoolManager(headers=headers, timeout=timeout_s, maxsize=32)

    def close(self) -> None:
        """Closes the connections."""
        self._pool.clear()

    def get(self, path: str, fields: Fields = ()) -> Any:
        """Sends a GET request with `fields` as query string."""
        return self._ask("GET", _with(path, fields))

    def send(self, method: str, path: str, document: Any = None, fields: Fields = ()) -> Any:
        """Sends a request with a JSON body, or without a body if `document` is None."""
        if document is None:
            return self._ask(method, _with(path, fields))
        body = json.dumps(document).encode()
        return self._ask(method, _with(path, fields), body, "application/json")

    def upload(self, path: str, photos: Sequence[bytes], fields: Fields) -> Any:
        """Sends photos and fields as a form."""
        files = [("image", ("photo", photo, "application/octet-stream")) for photo in photos]
        body, content_type = encode_multipart_formdata([*fields, *files])
        return self._ask("POST", path, body, content_type)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> Any:
        for attempt in count():
            try:
                return self._once(method, path, body, content_type)
            except ProblemError as problem:
                wait = problem.retry_after
                if wait is None:
                    wait = _FIRST_WAIT_S * 2**attempt
                hopeless = problem.status not in _BUSY or wait > self._patience_s
                if hopeless or attempt >= self._retries:
                    raise
            time.sleep(wait)
        raise AssertionError("unreachable")

    def _once(self, method: str, path: str, body: bytes | None, content_type: str | None) -> Any:
        headers = dict(self._pool.headers)
        if content_type:
            headers["Content-Type"] = content_type
        try:
            response = self._pool.request(
                method, self.base + path, body=body, headers=headers, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(f"{method} {self.base}{path}: {error}") from error
        if response.status == 204:
            return None
        document = _parsed(response.data)
        if response.status not in (200, 201) or document is None:
            wait = response.headers.get("Retry-After", "")
            seconds = float(wait) if wait.isdecimal() else None
            raise ProblemError.of(response.status, document, seconds)
        return document


def _with(path: str, fields: Fields) -> str:
    return f"{path}?{urlencode(fields)}" if fields else path


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
