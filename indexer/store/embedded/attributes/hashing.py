"""Keys of texts and numbers: 64-bit hashes with a secret.

Python's `hash` has a secret too, but a different one in every process, so that its hashes cannot
be stored. A hash without a secret, or a fast one such as XXH3 with a secret, has texts that are
known to collide; a merchant could make two product ids of which one hides the other.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2s

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]

_BYTES = 8


@dataclass(frozen=True)
class Hashing:
    """Computes keys. Only keys of the same secret can be compared.

    Args:
        secret: 8 random bytes, stored with the keys.
    """

    secret: bytes = field(default_factory=partial(os.urandom, _BYTES))

    def of_texts(self, texts: Iterable[str]) -> Keys:
        """Returns the key of each text."""
        return self._keys((text.encode("utf-8", "surrogatepass") for text in texts), b"text")

    def of_numbers(self, numbers: Iterable[float]) -> Keys:
        """Returns the key of each number, equal for 0 and -0."""
        encoded = (np.fromiter(numbers, "<f8") + 0.0).tobytes()
        parts = (encoded[start : start + 8] for start in range(0, len(encoded), 8))
        return self._keys(parts, b"number")

    def _keys(self, encoded: Iterable[bytes], kind: bytes) -> Keys:
        # A copy takes half the time of a new object. With a secret salt instead of a key, each
        # text takes one step of the hash and not two.
        copy = blake2s(digest_size=_BYTES, salt=self.secret, person=kind).copy
        digests = []
        for each in encoded:
            hashed = copy()
            hashed.update(each)
            digests.append(hashed.digest())
        return np.frombuffer(b"".join(digests), np.int64)
