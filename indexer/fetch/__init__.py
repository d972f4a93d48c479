"""Reads photos from disk and downloads them from the web, without access to private networks."""

from indexer.fetch.addresses import Resolve
from indexer.fetch.files import FeedDownloads
from indexer.fetch.root import PhotoRoot
from indexer.fetch.source import PhotoSource
from indexer.fetch.urls import host_of, is_url

__all__ = ["FeedDownloads", "PhotoRoot", "PhotoSource", "Resolve", "host_of", "is_url"]
