"""What decides an embedding, known without loading a network."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexer.config import EmbeddingSettings
from indexer.embedding.int8 import SUFFIX as INT8_SUFFIX
from indexer.embedding.int8 import read_manifest
from indexer.embedding.resize import ResizeMethod
from indexer.errors import WeightsError

FASHION_SHA256 = "860371dcd1a1821ced4b9df58e12e690833b0e21f2e4b1d01c10d3c0a76b5ba4"
# Of the file that Keras itself pins by MD5 for VGG16 without top.
IMAGENET_SHA256 = "bfe5187d0a272bed55ba430631598124cff8e880b98d38c9e56c8d66032abdc1"
UNTRAINED_SEED = 0
# There is no file to hash: the recipe stands for it.
UNTRAINED_SHA256 = hashlib.sha256(
    f"he-normal, numpy.random.RandomState({UNTRAINED_SEED})".encode()
).hexdigest()

PRESET_SHA256 = {
    "fashion": FASHION_SHA256,
    "imagenet": IMAGENET_SHA256,
    "untrained": UNTRAINED_SHA256,
}
OWN_SIDE = {FASHION_SHA256: 80}
DEFAULT_SIDE = 224
SIDES = range(32, 513)  # as the settings allow
WEIGHTS_SUFFIXES = (".h5", ".keras", ".npz", INT8_SUFFIX)


@dataclass(frozen=True)
class EmbeddingSpec:
    """What decides an embedding.

    Attributes:
        weights: preset name or path, for people; the same bytes elsewhere are the same weights.
        weights_sha256: of the weights file; of the recipe where there is none.
        input_size: side of the network's square input in pixels.
        resize: how a photo gets to that size.
        numeric_class: `float` holds float32 and bfloat16, whose vectors agree to about 0.99999;
            an `int8` model agrees with itself only.
    """

    model: str
    weights: str
    weights_sha256: str
    input_size: int
    resize: ResizeMethod
    numeric_class: Literal["float", "int8"] = "float"
    dimension: int = 512

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of `fields`; vectors meet only where it is equal."""
        canonical = json.dumps(self.fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def fields(self) -> dict[str, str | int]:
        """All fields that decide a vector: of the others, `weights` is a name for people."""
        return {
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "input_size": self.input_size,
            "resize": self.resize,
            "numeric_class": self.numeric_class,
        }

    @property
    def trained(self) -> bool:
        """False for the seeded random weights, whose rankings mean little."""
        return self.weights_sha256 != UNTRAINED_SHA256


def resolve_spec(settings: EmbeddingSettings) -> EmbeddingSpec:
    """The spec of the settings; reads a weights file of one's own once, downloads nothing.

    Raises:
        WeightsError: `weights` is neither a preset nor a readable file of a known format, or an
            int8 model made for other settings.
    """
    if Path(settings.weights).suffix == INT8_SUFFIX:
        return _int8_spec(settings, Path(settings.weights))
    sha256 = PRESET_SHA256.get(settings.weights) or _own_sha256(Path(settings.weights))
    side = settings.input_size
    return EmbeddingSpec(
        model=settings.model,
        weights=settings.weights,
        weights_sha256=sha256,
        input_size=OWN_SIDE.get(sha256, DEFAULT_SIDE) if side == "auto" else side,
        resize=settings.resize,
    )


def _int8_spec(settings: EmbeddingSettings, path: Path) -> EmbeddingSpec:
    sha256 = file_sha256(path)
    manifest = read_manifest(path)
    for key, received in (
        ("model", settings.model),
        ("input_size", settings.input_size),
        ("resize", settings.resize),
    ):
        made_for = getattr(manifest, key)
        if received not in (made_for, "auto"):
            raise WeightsError(
                f"embedding.{key}: received {received}, but {path} was calibrated for {made_for};"
                f" set it to {made_for}, or calibrate again"
            )
    return EmbeddingSpec(
        model=manifest.model,
        weights=settings.weights,
        weights_sha256=sha256,
        input_size=manifest.input_size,
        resize=manifest.resize,
        numeric_class="int8",
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(
            f"cannot read the weights file {path}: {error.strerror}; embedding.weights is a path"
            f" or one of {', '.join(PRESET_SHA256)}"
        ) from error


def _own_sha256(path: Path) -> str:
    if path.suffix not in WEIGHTS_SUFFIXES:
        raise WeightsError(
            f"embedding.weights: received {str(path)!r}; allowed: {', '.join(PRESET_SHA256)}, or a"
            f" path that ends in {', '.join(WEIGHTS_SUFFIXES)}"
        )
    return file_sha256(path)
