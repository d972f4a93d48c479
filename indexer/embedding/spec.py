"""Everything that determines an embedding, without loading a model."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from indexer.config.embedding import WEIGHTS_PRESETS
from indexer.embedding.pooling import Pooling
from indexer.embedding.preprocessor import Preprocessor
from indexer.embedding.resize import ResizeMethod, resize
from indexer.embedding.whitening import Whitening
from indexer.errors import WeightsError

FASHION = "fashion-2"  # the bundled version
FASHION_SHA256 = "62f431e7f5e2beacdeeb1fc0c832e4a733358f56c4c549ea264c70ff6046d5f0"
# The file that Keras pins by MD5 for VGG16 without its classifier.
IMAGENET_SHA256 = "bfe5187d0a272bed55ba430631598124cff8e880b98d38c9e56c8d66032abdc1"
UNTRAINED_SEED = 0
# There is no file: the recipe is hashed instead.
UNTRAINED_SHA256 = hashlib.sha256(
    f"he-normal, numpy.random.RandomState({UNTRAINED_SEED})".encode()
).hexdigest()

PRESET_SHA256 = {
    FASHION: FASHION_SHA256,
    "imagenet": IMAGENET_SHA256,
    "untrained": UNTRAINED_SHA256,
}
ALIASES = {"fashion": FASHION}
# Versions that are no longer bundled; catalogues may still hold their vectors.
RETIRED_SHA256 = {
    "fashion-1": "860371dcd1a1821ced4b9df58e12e690833b0e21f2e4b1d01c10d3c0a76b5ba4",
}
TRAINED_SIDE = {RETIRED_SHA256["fashion-1"]: 80, FASHION_SHA256: 64}
DEFAULT_SIDE = 224
MODEL_FILES = ("keras", "onnx")  # values of `EmbeddingSpec.model`
SIDES = range(32, 513)  # the range of the setting


@dataclass(frozen=True)
class EmbeddingSpec:
    """Everything that determines an embedding.

    Attributes:
        model: name of the model, or `keras` or `onnx` for a file.
        weights: name of the preset with its version, or path of the file, as shown to users; not
            part of the fingerprint.
        weights_sha256: SHA-256 of the weights file, or of the recipe if there is no file.
        input_size: side of the model's square input in pixels.
        resize: how a photo is resized to that side.
        numeric_class: `float` covers float32 and bfloat16, whose vectors have a cosine of about
            0.99999; each `int8` model is its own class.
        dimension: length of a vector; 0 for a model file until it is loaded.
        pooling: how the last feature maps become a vector.
        whitening_sha256: SHA-256 of the whitening's file; "" without one.
        preprocessor: resizes and crops photos instead of `resize`, for a model file.
    """

    model: str
    weights: str
    weights_sha256: str
    input_size: int
    resize: ResizeMethod
    numeric_class: Literal["float", "int8"] = "float"
    dimension: int = 512
    pooling: Pooling = "average"
    whitening_sha256: str = ""
    preprocessor: Preprocessor | None = None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `fields` in hex; only vectors of equal fingerprints are comparable."""
        canonical = json.dumps(self.fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def fields(self) -> dict[str, str | int]:
        """The fields that the fingerprint covers.

        Those added later are left out at their defaults, so that older fingerprints remain.
        """
        fields: dict[str, str | int] = {
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "input_size": self.input_size,
            "resize": self.resize,
            "numeric_class": self.numeric_class,
        }
        if self.pooling != "average":
            fields["pooling"] = self.pooling
        if self.whitening_sha256:
            fields["whitening_sha256"] = self.whitening_sha256
        if self.preprocessor:
            fields["preprocessing"] = self.preprocessor.canonical
        return fields

    @property
    def trained(self) -> bool:
        """False for the seeded random weights, whose rankings are meaningless."""
        return self.weights_sha256 != UNTRAINED_SHA256

    @property
    def resized_side(self) -> int | None:
        """To how many pixels the shorter side of a photo is resized; None if without filter."""
        if self.preprocessor:
            return self.preprocessor.resized if self.preprocessor.resample else None
        return None if self.resize == "nearest" else self.input_size

    def square(self, image: Image.Image) -> NDArray[np.uint8]:
        """Prepares an RGB photo of any size for the model: C-contiguous uint8 (side, side, 3)."""
        if self.preprocessor:
            return self.preprocessor.square(image)
        return resize(image, self.input_size, self.resize)


def whitened_spec(spec: EmbeddingSpec, whitening: Whitening) -> EmbeddingSpec:
    """Returns the spec of whitened vectors."""
    return replace(spec, whitening_sha256=whitening.sha256, dimension=len(whitening.head.bias))


def require_bundled(spec: EmbeddingSpec) -> None:
    """Checks that the weights are not a version that is no longer bundled.

    Raises:
        WeightsError: they are.
    """
    if spec.weights in RETIRED_SHA256:
        raise WeightsError(
            f"embedding.weights: {spec.weights} is no longer bundled; set it to {FASHION} and embed"
            " every photo again with `rebuild --re-embed`, or set it to the path of the file"
        )


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a weights file in hex.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"cannot read the weights file {path}: {error.strerror}; embedding.weights must be a"
            f" path or one of {', '.join(WEIGHTS_PRESETS)}"
        ) from error
