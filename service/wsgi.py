"""`gunicorn --config service/gunicorn.conf.py service.wsgi:app`."""

import os
from pathlib import Path

from indexer.config import load_settings
from service import create_app
from service.server.lifecycle import siblings

_config = os.environ.get("IMAGE_SEARCH_CONFIG")
app = create_app(siblings.settings or load_settings(Path(_config) if _config else None))
