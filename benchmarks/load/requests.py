"""The requests of the load, as bytes ready to send."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.load import catalogue
from benchmarks.load.generator import Request

HEALTH_PER_S = 5
_BOUNDARY = b"-----a-boundary-that-no-photo-has"
_PREFIX = (
    b"--" + _BOUNDARY + b'\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"'
    b"\r\nContent-Type: image/jpeg\r\n\r\n"
)
_SUFFIX = b"\r\n--" + _BOUNDARY + b"--\r\n"
_BAD_PHOTOS = (b"", b"GIF89a, it says", b"\xff\xd8\xff\xe0 and no more", b"<svg/>" * 1000)


def get(kind: str, path: str) -> Request:
    """Returns a GET request."""
    return Request(kind, (f"GET {path} HTTP/1.1\r\nHost: benchmark\r\n\r\n".encode(),))


def upload(kind: str, *photo: bytes) -> Request:
    """Returns a search by a photo, given in pieces."""
    size = len(_PREFIX) + sum(map(len, photo)) + len(_SUFFIX)
    head = (
        b"POST /v1/search HTTP/1.1\r\nHost: benchmark\r\n"
        b"Content-Type: multipart/form-data; boundary=" + _BOUNDARY + b"\r\n"
        b"Content-Length: " + str(size).encode() + b"\r\n\r\n"
    )
    return Request(kind, (head + _PREFIX, *photo, _SUFFIX))


class Mix:
    """Endless iterators of requests of each kind."""

    def __init__(self, folder: Path, products: int) -> None:
        self.photos = catalogue.photos(folder)
        self._products = products
        self.unique = (upload("unique", *pieces) for pieces in catalogue.unique(self.photos))
        self.repeated = itertools.repeat(upload("repeated", self.photos[0]))
        self.similar = self._similar()
        self.bad = (upload("bad", photo) for photo in itertools.cycle(_BAD_PHOTOS))
        self.health = itertools.repeat(get("health", "/healthz"))

    def _similar(self) -> Iterator[Request]:
        rng = np.random.default_rng(2)
        while True:
            name = catalogue.product_id(int(rng.integers(self._products)))
            yield get("similar", f"/v1/products/{name}/similar")

    def of_shoppers(self) -> Iterator[Request]:
        """Yields per 20 requests 8 new photos, 4 repeated ones, 7 product ids and 1 bad photo."""
        kinds = [self.unique] * 8 + [self.repeated] * 4 + [self.similar] * 7 + [self.bad]
        order = np.random.default_rng(3)
        while True:
            for kind in order.permutation(len(kinds)):
                yield next(kinds[kind])
