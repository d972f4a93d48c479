"""VGG16 with fewer channels: where a test only compares vectors, it loads in less time."""

from itertools import pairwise
from unittest.mock import patch

from indexer.embedding.weights import KERNEL_SHAPES, LAYERS

_WIDTHS = [KERNEL_SHAPES[layer][-1] // 8 for layer in LAYERS]
_CHANNELS = (3, *_WIDTHS[:-1], 512)
_SHAPES = {
    layer: (3, 3, *channels) for layer, channels in zip(LAYERS, pairwise(_CHANNELS), strict=True)
}

# A decorator: untrained weights loaded within have an eighth of the channels, but vectors still 512
# values. Not for int8 models, whose files have fixed shapes.
narrow = patch.dict(KERNEL_SHAPES, _SHAPES)
