"""Bytes to RGB images, safely: the same code for the catalog and for shoppers' uploads."""

from indexer.images.decoding import FULL_PIXELS, Box, ImageLimits, crop, decode, read_photo

__all__ = ["FULL_PIXELS", "Box", "ImageLimits", "crop", "decode", "read_photo"]
