"""Validation errors of settings and requests, in plain words. Imports pydantic only."""

from indexer.validation.wording import Matching, explained, path_of, reason, shown, unknown

__all__ = ["Matching", "explained", "path_of", "reason", "shown", "unknown"]
