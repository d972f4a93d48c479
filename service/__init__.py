"""The HTTP service: a photo or a product id in, similar products out.

It imports from `indexer`, never the reverse.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from indexer.config import Settings
    from service.engine.collections import SearchService


def create_app(settings: "Settings", *, search: "SearchService | None" = None) -> "Flask":
    """Creates the WSGI application.

    Args:
        settings: of storage, embedding and limits.
        search: answers queries; by default a new service, which loads its models in the
            background, so call this after the fork of a worker.
    """
    # Imported here, because gunicorn's master imports parts of this package before it forks.
    from flask import Flask

    from service import access
    from service.api.events import register as register_events
    from service.api.pages import BLUEPRINTS
    from service.api.ratings import register as register_ratings
    from service.engine.collections import SearchService
    from service.http import counting, encodings, forms, headers, heads, logs, problems, routing
    from service.server.incoming import max_body_bytes
    from service.server.lifecycle import siblings

    app = Flask(__name__)
    app.request_class = forms.StrictRequest
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes(settings.images.max_bytes)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # as documented, not by the alphabet
    app.url_map.merge_slashes = False  # its redirects would encode product ids twice
    app.url_map.converters["int"] = routing.AsciiIntegerConverter
    app.url_map.converters["product_id"] = routing.ProductIdConverter
    app.wsgi_app = routing.KeepEncodedSlashes(  # type: ignore[method-assign]
        heads.HeadsFirst(app, app.wsgi_app)
    )
    search = search or SearchService.started(settings, siblings.count)
    app.extensions["search"] = search
    siblings.tried = search.tried
    logs.register(app)
    counting.register(app)
    register_events(app, settings)
    register_ratings(app, settings)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    counting.start_at_0(app)
    problems.register(app)
    headers.register(app)
    access.register(app, settings)
    encodings.register(app)
    return app
