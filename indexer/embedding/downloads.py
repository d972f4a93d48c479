"""Weights files that Keras distributes, downloaded once into Keras's cache."""

import hashlib
import os
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from indexer.embedding.spec import IMAGENET_SHA256, file_sha256
from indexer.errors import WeightsError
from indexer.files import replacing

BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications"
_TIMEOUT_S = 60.0  # between two packets
_CHUNK = 1 << 20  # bytes
_MD5_DIGITS = 32


@dataclass(frozen=True)
class KerasFile:
    """A file of weights trained on ImageNet.

    Attributes:
        path: below `BASE_URL`; the last part is its name in Keras's cache, which Keras shares.
        digest: SHA-256, or the MD5 by which Keras's own code pins it.
    """

    path: str
    digest: str

    @property
    def identity(self) -> str:
        """Stands for the content in fingerprints: its SHA-256, or that of its MD5."""
        if len(self.digest) > _MD5_DIGITS:
            return self.digest
        return hashlib.sha256(f"MD5 {self.digest}".encode()).hexdigest()

    def identity_of(self, path: Path) -> str:
        """Returns the identity of a weights file: the published one of Keras's, or its SHA-256.

        Raises:
            WeightsError: the file cannot be read.
        """
        try:
            if self._matches(path):
                return self.identity
        except OSError:
            pass  # the next line says why
        return file_sha256(path)

    def fetch(self) -> Path:
        """Returns the file in Keras's cache; downloads it if missing or damaged.

        Raises:
            WeightsError: the download failed; the text names alternatives.
        """
        cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
        cached = cache / "models" / self.path.rpartition("/")[2]
        url = f"{BASE_URL}/{self.path}"
        try:
            if not (cached.is_file() and self._matches(cached)):
                cached.parent.mkdir(parents=True, exist_ok=True)
                self._download(url, cached)
        except (OSError, HTTPException) as error:
            raise WeightsError(
                f"cannot download the ImageNet weights from {url}: {error}; download the file on"
                f" another machine and copy it to {cached}, or set embedding.weights to its path,"
                " or use embedding.model vgg16 with the bundled fashion weights"
            ) from error
        return cached

    def _hash(self) -> Any:
        algorithm = "md5" if len(self.digest) == _MD5_DIGITS else "sha256"
        return hashlib.new(algorithm, usedforsecurity=False)

    def _matches(self, path: Path) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, self._hash).hexdigest() == self.digest

    def _download(self, url: str, path: Path) -> None:
        digest = self._hash()
        with (
            urlopen(url, timeout=_TIMEOUT_S) as response,  # noqa: S310 # of `BASE_URL`
            replacing(path) as file,
        ):
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            if (received := digest.hexdigest()) != self.digest:
                raise OSError(f"received {digest.name} {received}, expected {self.digest}")


VGG16_IMAGENET = KerasFile(
    "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", IMAGENET_SHA256
)
VGG16_CLASSIFIER = KerasFile(
    "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5", "64373286793e3c8b2b4e3219cbf3544b"
)
