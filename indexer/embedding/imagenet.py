"""Keras's ImageNet weights, downloaded once into Keras's cache."""

import os
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from indexer.embedding.spec import IMAGENET_SHA256, file_sha256
from indexer.errors import WeightsError
from indexer.files import replacing

# The name that keras.applications.vgg16 uses, so that Keras and this product share the file.
FILE_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE_NAME}"
_TIMEOUT_S = 60.0  # between two packets
_CHUNK = 1 << 20  # bytes


def fetch_imagenet() -> Path:
    """Returns the weights file in Keras's cache; downloads it (59 MB) if missing or damaged.

    Raises:
        WeightsError: the download failed; the text names alternatives.
    """
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cached = cache / "models" / FILE_NAME
    if cached.is_file() and file_sha256(cached) == IMAGENET_SHA256:
        return cached
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        _download(cached)
    except (OSError, HTTPException) as error:
        raise WeightsError(
            f"cannot download the ImageNet weights from {URL}: {error}; download the file on"
            f" another machine and copy it to {cached}, or set embedding.weights to its path or"
            " to the bundled fashion weights"
        ) from error
    return cached


def _download(path: Path) -> None:
    digest = sha256()
    with urlopen(URL, timeout=_TIMEOUT_S) as response, replacing(path) as file:
        while chunk := response.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        if (received := digest.hexdigest()) != IMAGENET_SHA256:
            raise OSError(f"received SHA-256 {received}, expected {IMAGENET_SHA256}")
