"""Keras's ImageNet weights, downloaded once into Keras's cache."""

import os
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from indexer.embedding.spec import IMAGENET_SHA256, file_sha256
from indexer.errors import WeightsError
from indexer.files import replacing

# As in keras.applications.vgg16, so that Keras and this product share one cached file.
FILE_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE_NAME}"
_TIMEOUT_S = 60.0  # between two packets
_PIECE = 1 << 20


def fetch_imagenet() -> Path:
    """The weights file in Keras's cache; downloads it (59 MB) if it is absent or damaged.

    Raises:
        WeightsError: it cannot be downloaded; the text names the ways to do without.
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
            f"cannot download the ImageNet weights: tried {URL}, received: {error}; either fetch"
            f" that file on another machine and put it at {cached}, or set"
            " embedding.weights to its path, or to fashion, which is bundled"
        ) from error
    return cached


def _download(path: Path) -> None:
    digest = sha256()
    with urlopen(URL, timeout=_TIMEOUT_S) as response, replacing(path) as file:
        while piece := response.read(_PIECE):
            digest.update(piece)
            file.write(piece)
        if (received := digest.hexdigest()) != IMAGENET_SHA256:
            raise OSError(f"a file with SHA-256 {received}, expected {IMAGENET_SHA256}")
