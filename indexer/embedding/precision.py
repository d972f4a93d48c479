"""Number formats that the processor supports for convolutions."""

from collections.abc import Set
from pathlib import Path
from typing import Literal

from indexer.errors import UnsupportedPrecisionError

Precision = Literal["float32", "bfloat16"]

# Where bfloat16 was measured to be faster. Untested on ARM, which has it too.
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})

# Without these, sums of 8-bit products overflow 16 bits, and the vectors are wrong.
INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


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
