"""The collections of the current application."""

from flask import current_app

from service.engine.collections import SearchService


def search_service() -> SearchService:
    """Returns the collections of the current application."""
    service: SearchService = current_app.extensions["search"]
    return service
