"""Validation errors of settings and requests, in plain words. Imports pydantic only."""

from indexer.validation.wording import Matching, explained, faults, shown, unknown

__all__ = ["Matching", "explained", "faults", "shown", "unknown"]
