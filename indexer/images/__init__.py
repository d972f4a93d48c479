"""Decodes photos to RGB within limits, for catalogue photos and shoppers' uploads alike."""

from indexer.images.decoding import FULL_PIXELS, Box, ImageLimits, crop, decode, read_photo

__all__ = ["FULL_PIXELS", "Box", "ImageLimits", "crop", "decode", "read_photo"]
