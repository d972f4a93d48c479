"""Vectors in and out as plain files."""
