"""Number formats that the processor supports for convolutions."""

from collections.abc import Callable, Set
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from indexer.embedding.base import Embedder, PixelBatch
from indexer.errors import UnsupportedPrecisionError

Precision = Literal["float32", "bfloat16"]

# Where bfloat16 was measured to be faster. Untested on ARM, which has it too.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

# Without these, sums of 8-bit products overflow 16 bits, and the vectors are wrong.
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})

# Lowest cosine between the vectors of a photo in float32 and in bfloat16.
MIN_COSINE = 0.9999


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Returns the processor's features as Linux names them; an empty set on other systems."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith("flags"))
    return frozenset(next(flags, "").split())


def resolve_precision(
    requested: Literal["auto", "float32", "bfloat16"], flags: Set[str] | None = None
) -> Precision:
    """Returns the precision to compute in; `auto` chooses the fastest that is supported.

    Args:
        requested: the setting `embedding.precision`.
        flags: features of the processor; None detects them.

    Raises:
        UnsupportedPrecisionError: bfloat16 is requested, but the processor would emulate it.
    """
    able = bool(BFLOAT16_FLAGS & (cpu_flags() if flags is None else flags))
    if requested == "bfloat16" and not able:
        raise UnsupportedPrecisionError(
            "embedding.precision: received bfloat16, but the processor has none of"
            f" {', '.join(sorted(BFLOAT16_FLAGS))}; set it to auto or float32 (same fingerprint)"
        )
    if requested == "auto":
        return "bfloat16" if able else "float32"
    return requested


def faithful(
    load: Callable[[Precision], Embedder], requested: Literal["auto", "float32", "bfloat16"]
) -> Embedder:
    """Loads a model in bfloat16 if its vectors are those of float32, which is compared.

    Vectors of both precisions share a fingerprint.

    Args:
        load: returns the model in a precision.
        requested: the setting `embedding.precision`.

    Raises:
        UnsupportedPrecisionError: bfloat16 is requested, but the processor would emulate it, or
            the vectors are others.
    """
    embedder = load(resolve_precision(requested))
    if resolve_precision(requested) == "float32":
        return embedder
    exact, images = load("float32"), test_pictures(embedder.spec.input_size)
    cosine = (embedder.embed_batch(images) * exact.embed_batch(images)).sum(axis=1).min()
    if cosine >= MIN_COSINE:
        return embedder
    if requested == "bfloat16":
        raise UnsupportedPrecisionError(
            f"embedding.precision: received bfloat16, but vectors of {embedder.spec.model} have a"
            f" cosine of only {cosine:.5f} to those in float32; set it to auto or float32"
        )
    return exact


def test_pictures(side: int) -> PixelBatch:
    """Returns pictures of random patches, from coarse to fine: uint8 (n, side, side, 3)."""
    random = np.random.RandomState(0)
    cells = (2, 4, 8, 16)
    patches = (random.randint(0, 256, (each, each, 3)).astype(np.uint8) for each in cells)
    return np.stack([np.asarray(Image.fromarray(p).resize((side, side))) for p in patches])


def check_int8(flags: Set[str] | None = None) -> None:
    """Checks that the processor computes 8-bit products without overflow.

    Args:
        flags: features of the processor; None detects them.

    Raises:
        UnsupportedPrecisionError: the processor lacks the required instructions.
    """
    if not INT8_FLAGS & (cpu_flags() if flags is None else flags):
        raise UnsupportedPrecisionError(
            "embedding.weights: an int8 model needs a processor with one of"
            f" {', '.join(sorted(INT8_FLAGS))}; set it to the float weights that the model was"
            " calibrated from and run `rebuild --re-embed`"
        )
