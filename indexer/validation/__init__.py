"""Validation errors of settings and requests, in plain words. Imports pydantic only."""

from indexer.validation.wording import Matching, explained, shown, unknown

__all__ = ["Matching", "explained", "shown", "unknown"]
