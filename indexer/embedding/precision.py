"""Which number format the processor computes convolutions in."""

from collections.abc import Set
from pathlib import Path
from typing import Literal

from indexer.errors import UnsupportedPrecisionError

Precision = Literal["float32", "bfloat16"]

# Where bfloat16 was measured to pay. ARM has it too, but TensorFlow's way to it there is untried.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

# Without these, sums of 8-bit products overflow 16 bits, and the answers are wrong.
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def cpu_flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """The processor's features as Linux names them; none where it does not say (macOS)."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.startswith("flags"))
    return frozenset(next(flags, "").split())


def resolve_precision(
    requested: Literal["auto", "float32", "bfloat16"], flags: Set[str] | None = None
) -> Precision:
    """The precision to compute in; `auto` takes the fastest that the processor has.

    Args:
        flags: the processor's features; None asks the processor.

    Raises:
        UnsupportedPrecisionError: bfloat16 was asked for on a processor that would emulate it.
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


def check_int8(flags: Set[str] | None = None) -> None:
    """Whether the processor computes in 8 bits without loss.

    Args:
        flags: the processor's features; None asks the processor.

    Raises:
        UnsupportedPrecisionError: it does not.
    """
    if not INT8_FLAGS & (cpu_flags() if flags is None else flags):
        raise UnsupportedPrecisionError(
            "embedding.weights: an int8 model needs a processor with one of"
            f" {', '.join(sorted(INT8_FLAGS))}; set it to the float weights that the model was"
            " made from and run `rebuild --re-embed`"
        )
