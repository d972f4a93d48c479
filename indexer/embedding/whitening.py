"""PCA whitening: a linear map of vectors, learned from those of a catalogue.

Vectors are centred, projected onto their principal components, divided by a power of the standard
deviation along each, and normalised again, so that directions in which all products vary count
less: Jégou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA
and whitening", ECCV 2012. Full whitening amplifies noise. Two remedies are combined: the covariance
is shrunk towards a multiple of the identity (Ledoit and Wolf, "A well-conditioned estimator for
large-dimensional covariance matrices", J. Multivariate Analysis 88, 2004), and the exponent is
halved (attenuated whitening: Mukundan et al., arXiv 1811.11147).
"""

import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.arrays import Vectors
from indexer.embedding.head import MAX_DIMENSION, Head
from indexer.errors import WeightsError
from indexer.files import replacing

SUFFIX = ".npz"
MIN_VECTORS = 100  # of fewer, the components describe single photos
# Chosen by leave-one-out on photos of clothing: docs/decisions/whitening.md.
_SHRINKAGE = 0.3
_EXPONENT = 0.5  # of the standard deviation; 1 is full whitening
_MIN_VARIANCE = 1e-9  # of vectors of length 1; less is rounding
# float32 values, and the headers of the file.
_MAX_BYTES = 4 * MAX_DIMENSION * (MAX_DIMENSION + 1) + 4096


@dataclass(frozen=True)
class Whitening:
    """A map of the vectors of a model.

    Attributes:
        fingerprint: of the vectors that it was learned from and applies to.
        head: the map, as a linear layer.
        sha256: of the file, in hex; "" before it is written.
    """

    fingerprint: str
    head: Head
    sha256: str = ""

    def require_fit(self, fingerprint: str) -> None:
        """Checks that vectors of this fingerprint are those that it was learned from.

        Raises:
            WeightsError: they are not.
        """
        if fingerprint != self.fingerprint:
            raise WeightsError(
                "embedding.whitening was learned from vectors of other embedding settings"
                f" (fingerprint {self.fingerprint[:12]}, now {fingerprint[:12]}); set it to none,"
                " embed again with `rebuild --re-embed`, then run `whiten` again"
            )


def learn(
    chunks: Iterable[Vectors], fingerprint: str, dimension: int | None
) -> tuple[Whitening, float]:
    """Learns a whitening.

    Args:
        chunks: float32 (n, d) each, the vectors of a catalogue.
        fingerprint: of these vectors.
        dimension: length of the mapped vectors; None for d.

    Returns:
        The whitening, and the share of the variance in the components that it keeps.

    Raises:
        WeightsError: there are too few vectors, they are all equal, or they have fewer than
            `dimension` values.
    """
    count, total, products = 0, np.zeros(0), np.zeros((0, 0))
    for chunk in chunks:
        wide: NDArray[np.float64] = chunk.astype(np.float64)
        if not count:
            total, products = np.zeros(wide.shape[1]), np.zeros((wide.shape[1],) * 2)
        count += len(wide)
        total += wide.sum(axis=0)
        products += wide.T @ wide
    if count < MIN_VECTORS:
        raise WeightsError(
            f"whitening needs at least {MIN_VECTORS} photos; the catalogue has {count}"
        )
    kept = dimension or len(total)
    if kept > len(total):
        raise WeightsError(
            f"--dimensions: received {kept}; the vectors of the catalogue have {len(total)} values"
        )
    mean = total / count
    variances, axes = np.linalg.eigh(products / count - np.outer(mean, mean))
    variances, axes = variances[::-1].clip(min=0), axes[:, ::-1]
    if variances.sum() < _MIN_VARIANCE:
        raise WeightsError(
            f"whitening needs photos that differ; the vectors of all {count} photos are equal"
        )
    shrunk = (1 - _SHRINKAGE) * variances + _SHRINKAGE * variances.mean()
    matrix = axes[:, :kept] / shrunk[:kept] ** (_EXPONENT / 2)
    share = float(variances[:kept].sum() / variances.sum())
    head = Head(matrix.astype(np.float32), (-mean @ matrix).astype(np.float32))
    return Whitening(fingerprint, head), share


def write_whitening(path: Path, whitening: Whitening) -> None:
    """Writes the file atomically.

    Raises:
        WeightsError: it cannot be written.
    """
    try:
        with replacing(path) as file:
            np.savez(
                file,
                fingerprint=np.frombuffer(bytes.fromhex(whitening.fingerprint), np.uint8),
                kernel=whitening.head.kernel,
                bias=whitening.head.bias,
            )
    except OSError as error:
        raise WeightsError(f"cannot write {path}: {error.strerror}") from error


def read_whitening(path: Path) -> Whitening:
    """Reads a file of `write_whitening`; nothing in it is executed.

    Raises:
        WeightsError: it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        with np.load(io.BytesIO(data[:_MAX_BYTES]), allow_pickle=False) as arrays:
            fingerprint, kernel, bias = (arrays[name] for name in ("fingerprint", "kernel", "bias"))
    except OSError as error:
        raise WeightsError(f"embedding.whitening: cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _invalid(path, " ".join(str(error).split())) from error
    if kernel.ndim != 2 or bias.shape != kernel.shape[1:] or fingerprint.nbytes != 32:
        raise _invalid(path, f"shapes {kernel.shape} and {bias.shape}")
    if kernel.dtype != np.float32 or bias.dtype != np.float32:
        raise _invalid(path, f"types {kernel.dtype} and {bias.dtype}")
    if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
        raise _invalid(path, "values that are not finite")
    head = Head(kernel, bias)
    return Whitening(fingerprint.tobytes().hex(), head, sha256(data).hexdigest())


def _invalid(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"embedding.whitening: {path} is not a whitening: {why}; make one with `python -m indexer"
        " whiten`"
    )
