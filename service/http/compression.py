"""Compresses answers that many clients get: pages, their files, the OpenAPI document.

Other answers are left to a proxy: compressing each takes as long as a search by product.
"""

import gzip
from functools import lru_cache

from flask import request
from werkzeug.wrappers import Response

_MIN_BYTES = 1000


def compressed(response: Response) -> Response:
    """Compresses a response if the client accepts that; its ETag becomes weak."""
    response.vary.add("Accept-Encoding")
    response.direct_passthrough = False
    data = response.get_data()
    if response.status_code == 200 and len(data) >= _MIN_BYTES:
        if request.accept_encodings["gzip"] > 0:
            response.set_data(_gzipped(data))
            response.content_encoding = "gzip"
        etag, _ = response.get_etag()
        if etag:
            response.set_etag(etag, weak=True)
    return response


@lru_cache(maxsize=128)
def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
