"""Pools the feature maps at the end of a model into one vector for each photo."""

from typing import Any, Literal

import numpy as np

Pooling = Literal["average", "max", "gem"]

_GEM_POWER = 3
_GEM_MIN = 1e-6  # the root has no derivative at 0; the value of the authors' code


def pooled(maps: Any, method: Pooling, xp: Any = np) -> Any:
    """Pools maps (n, height, width, channels) over the positions: (n, channels).

    `gem` is the generalised mean with an exponent of 3, over positive values: Radenovic, Tolias,
    Chum, arXiv 1711.02512. It weighs strong positions more than the mean and less than the maximum.

    Args:
        maps: an array of `xp`, at least one position.
        method: see above.
        xp: NumPy, or a library with the same functions, such as `keras.ops`.
    """
    positions = (1, 2)
    match method:
        case "average":
            return xp.mean(maps, axis=positions)
        case "max":
            return xp.max(maps, axis=positions)
        case "gem":
            cubes = xp.power(xp.maximum(maps, _GEM_MIN), _GEM_POWER)
            return xp.power(xp.mean(cubes, axis=positions), 1 / _GEM_POWER)
