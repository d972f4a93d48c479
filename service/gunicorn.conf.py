"""gunicorn's settings, from ours.

TensorFlow and FAISS hang when they are used before a fork, so nothing is preloaded: each
worker loads its own model. One worker with threads uses every core for one photo at a time.
"""

import os
import sys
from pathlib import Path

from indexer.config import load_settings
from indexer.errors import ImageSearchError
from indexer.keys import require_protection

_config = os.environ.get("IMAGE_SEARCH_CONFIG")
try:
    _settings = load_settings(Path(_config) if _config else None)
    require_protection(_settings)
except ImageSearchError as error:
    sys.exit(f"error: {error}")
_service = _settings.service
_host = f"[{_service.host}]" if ":" in _service.host else _service.host

bind = f"{_host}:{_service.port}"
workers = _service.workers
worker_class = "gthread"
threads = _service.threads
preload_app = False
graceful_timeout = _service.timeout_s
# Of a worker that no longer answers the master; a slow request does not count.
timeout = 120
keepalive = 30
# An id of 512 characters, percent-encoded, with room for parameters.
limit_request_line = 8190
control_socket_disable = True


def when_ready(server: object) -> None:
    address = server.LISTENERS[0].sock.getsockname()  # type: ignore[attr-defined]
    print(f"Search page: http://{_host}:{address[1]}/", file=sys.stderr, flush=True)
