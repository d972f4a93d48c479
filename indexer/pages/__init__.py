"""Reports as one HTML file each: no scripts, nothing from other servers, all text escaped."""

from indexer.pages.page import render_page
from indexer.pages.thumbnails import thumbnail

__all__ = ["render_page", "thumbnail"]
