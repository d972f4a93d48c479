"""Settings of gunicorn, derived from the settings of the service.

TensorFlow and FAISS hang if they are used before a fork, so each worker loads the model after it.
"""

import logging
import math
import os
import sys
import tempfile
from pathlib import Path
from shutil import rmtree

from indexer.config import load_settings
from indexer.embedding import available_cores, available_memory
from indexer.errors import ImageSearchError
from service.access.hosts import require_protection
from service.http import logs
from service.server.lifecycle import siblings

_config = os.environ.get("IMAGE_SEARCH_CONFIG")
_before = siblings.settings  # if gunicorn reads this file again, on SIGHUP
_log_format = "text"
try:
    _settings = load_settings(Path(_config) if _config else None)
    _log_format = _settings.service.log_format
    require_protection(_settings)
except ImageSearchError as error:
    if _before is not None:
        logging.getLogger("service").error("%s; the settings of before stay in use", error)
        _settings = _before
    elif _log_format == "text":
        sys.exit(f"error: {error}")
    else:
        logs.start_logging("json", "info")
        logging.getLogger("service").critical("%s: %s", error.code, error)
        sys.exit(1)
siblings.settings = _settings

# A search is too short to use several cores, on which the model computes anyway. FAISS reads this
# when it is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# In memory where possible: a disk that bodies or others fill up must not stop the metrics.
_shared_memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
siblings.folder = siblings.folder or Path(
    tempfile.mkdtemp(prefix="image-search-", dir=_shared_memory)
)
# Where the workers write their metrics; read when prometheus_client is imported.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(siblings.folder))

from prometheus_client import multiprocess  # noqa: E402

from service.engine.admission import Limits  # noqa: E402
from service.engine.sizing import worker_count  # noqa: E402
from service.server.incoming import max_body_bytes  # noqa: E402
from service.server.worker import NoAccessLog, SearchWorker  # noqa: E402

_service = _settings.service
_host = f"[{_service.host}]" if ":" in _service.host else _service.host

bind = f"{_host}:{_service.port}"
workers = worker_count(_settings, available_cores(), available_memory())
SearchWorker.drain_s = _service.drain_s
SearchWorker.max_photos = Limits.of(_service.max_in_flight).upload
SearchWorker.max_bytes = max_body_bytes(_settings.images.max_bytes)
SearchWorker.upload_timeout_s = _service.upload_timeout_s
worker_class = SearchWorker
# Searches and changes leave some of them free for other requests.
threads = 4 * _service.max_in_flight
# More than the worker keeps waiting, so that it always accepts new ones.
worker_connections = 4096
preload_app = False
graceful_timeout = math.ceil(_service.drain_s) + _service.timeout_s
# For a worker that no longer answers the master; slow requests do not count.
timeout = 120
keepalive = 30
# An id of 512 characters, percent-encoded, and parameters.
limit_request_line = 8190
# By default a client on this machine may send these headers, and gets 500.
forwarder_headers = ""
control_socket_disable = True
logger_class = NoAccessLog
loglevel = _service.log_level
logconfig_dict = logs.configuration(_service.log_format, _service.log_level)
logs.start_logging(_service.log_format, _service.log_level)


def when_ready(server: object) -> None:
    """Logs the address of the search page."""
    address = server.LISTENERS[0].sock.getsockname()  # type: ignore[attr-defined]
    server.log.info("Search page: http://%s:%s/", _host, address[1])  # type: ignore[attr-defined]


def on_reload(server: object) -> None:  # noqa: ARG001
    """Lets the new processes answer at once, as the old ones stop before they can search."""
    siblings.start_again()


def child_exit(server: object, worker: object) -> None:  # noqa: ARG001
    """Removes the gauges of a stopped worker."""
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]


def on_exit(server: object) -> None:  # noqa: ARG001
    """Removes the files that the workers shared."""
    rmtree(siblings.folder, ignore_errors=True)  # type: ignore[arg-type]
