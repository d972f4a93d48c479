"""Keras's own ImageNet weights, downloaded once into Keras's cache."""

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from indexer.embedding.quiet import import_tensorflow
from indexer.embedding.spec import IMAGENET_SHA256, file_sha256
from indexer.errors import WeightsError

# As in keras.applications.vgg16, so that a cache filled by Keras is used and the other way round.
FILE_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
URL = f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{FILE_NAME}"
MD5 = "6d6bbae143d832006294945121d1f1fc"


def fetch_imagenet() -> Path:
    """The weights file in Keras's cache, downloaded (59 MB) where it is not there yet.

    Raises:
        WeightsError: it cannot be reached; the text says how to do without.
    """
    cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    cached = cache / "models" / FILE_NAME
    if cached.is_file() and file_sha256(cached) == IMAGENET_SHA256:
        return cached
    import_tensorflow()
    import keras

    try:
        # Keras prints its progress on stdout, which belongs to the caller's answer.
        with redirect_stdout(sys.stderr):
            file = keras.utils.get_file(
                FILE_NAME, URL, cache_dir=str(cache), cache_subdir="models", file_hash=MD5
            )
    except Exception as error:  # get_file raises nothing narrower
        raise WeightsError(
            f"cannot download the ImageNet weights: tried {URL}, received: {error}; either fetch"
            f" that file on another machine and put it at {cached}, or set"
            " embedding.weights to its path, or to fashion, which is bundled"
        ) from error
    return Path(file)
