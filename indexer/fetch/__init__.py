"""Photos by location: read from disk, or downloaded without reaching into private networks."""

from indexer.fetch.addresses import Resolve
from indexer.fetch.source import PhotoSource

__all__ = ["PhotoSource", "Resolve"]
