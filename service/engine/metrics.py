"""The metrics of `/metrics` for Prometheus, summed over the processes of the service.

Under gunicorn each process writes its metrics to files in PROMETHEUS_MULTIPROC_DIR, which
`gunicorn.conf.py` creates; the process that answers `/metrics` adds them up.
"""

import os
from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

# From a product id answered from memory to a photo that was queued.
_SECONDS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1, 2, 5, 10)

REQUESTS = Counter("image_search_requests", "Requests answered.", ["endpoint", "status"])
REQUEST_SECONDS = Histogram(
    "image_search_request_seconds",
    "From a request's head to its answer.",
    ["endpoint"],
    buckets=_SECONDS,
)
STAGE_SECONDS = Histogram(
    "image_search_stage_seconds",
    "Time of a search by stage: queue, decode, embed, search.",
    ["stage"],
    buckets=_SECONDS,
)
BY_PRODUCT = Counter(
    "image_search_by_product",
    "Searches by product, by the source of the ranking: table (precomputed) or index.",
    ["source"],
)
IN_FLIGHT = Gauge("image_search_in_flight", "Searches being answered.", multiprocess_mode="livesum")
REFUSED = Counter(
    "image_search_refused",
    "Requests refused because of load: in_flight, wait, deadline; thumbnail (answered with the"
    " photo).",
    ["reason"],
)
STORAGE_FAILURES = Counter(
    "image_search_storage_failures",
    "Requests, and operations of bulk requests, that failed because of the disk:"
    " disk_full, read_only, unavailable.",
    ["reason"],
)
EMBEDDING_CACHE = Counter(
    "image_search_embedding_cache",
    "Photos of queries: known (hit), being embedded for another query (joined), or new (miss).",
    ["result"],
)
VIEW_SEQ = Gauge(
    "image_search_view_seq",
    "The seq of the catalogue that the slowest process serves.",
    ["collection"],
    multiprocess_mode="livemin",
)
VIEW_CURRENT = Gauge(
    "image_search_view_current_timestamp_seconds",
    "When a process last found its view to be that of the catalogue; its age is time() - this.",
    ["collection"],
    multiprocess_mode="livemin",
)
VIEW_IMAGES = Gauge(
    "image_search_view_images",
    "Images that searches read: in the segment, added since, gone since.",
    ["collection", "part"],
    multiprocess_mode="livemax",
)
NEIGHBOURS = Gauge(
    "image_search_neighbours",
    "1 in the state of the table of similar products: used, or unused because it is damaged or out"
    " of date; 0 in both if there is none.",
    ["collection", "state"],
    multiprocess_mode="livemax",
)
READY = Gauge(
    "image_search_ready",
    "1 if a collection can be searched in every process, as in /readyz; otherwise 0.",
    ["collection"],
    multiprocess_mode="livemin",
)
WITHOUT_PHOTOS = Gauge(
    "image_search_without_photos",
    "1 if a process answers searches by product only, because the vectors were made with other"
    " embedding settings or the model cannot be loaded; otherwise 0.",
    ["collection"],
    multiprocess_mode="livemax",
)
PRODUCTS = Gauge(
    "image_search_products",
    "Products of a collection, as the slowest process last read it.",
    ["collection"],
    multiprocess_mode="livemin",
)
MODEL = Gauge(
    "image_search_model_info",
    "The model of a collection; always 1.",
    ["collection", "fingerprint", "weights", "runs_on"],
    multiprocess_mode="livemax",
)
STATUS = Gauge(
    "image_search_collection_status",
    "1 for the status of a collection in the process that answered last, as in /readyz; else 0.",
    ["collection", "status"],
    multiprocess_mode="mostrecent",
)
SNAPSHOT = Gauge(
    "image_search_snapshot_timestamp_seconds",
    "When the newest snapshot of a collection was created; 0 if there is none, or its folder"
    " cannot be read; absent with Milvus.",
    ["collection"],
    multiprocess_mode="mostrecent",
)
SYNC = Gauge(
    "image_search_sync_timestamp_seconds",
    "When the last sync of a collection was completed; 0 if none is recorded.",
    ["collection"],
    multiprocess_mode="mostrecent",
)
SYNC_SECONDS = Gauge(
    "image_search_sync_duration_seconds",
    "Duration of the last sync of a collection.",
    ["collection"],
    multiprocess_mode="mostrecent",
)
SYNC_PRODUCTS = Gauge(
    "image_search_sync_products",
    "Products of the last sync: added, updated, removed, unchanged; its rows: rejected.",
    ["collection", "outcome"],
    multiprocess_mode="mostrecent",
)
JOURNAL = Gauge(
    "image_search_journal_rows",
    "Rows of the journal of a collection.",
    ["collection"],
    multiprocess_mode="mostrecent",
)
DISK_FREE = Gauge(
    "image_search_disk_free_bytes",
    "Free space on the disk of a folder: data, snapshots.",
    ["folder"],
    multiprocess_mode="mostrecent",
)
DISK_SIZE = Gauge(
    "image_search_disk_size_bytes",
    "Size of the disk of a folder: data, snapshots.",
    ["folder"],
    multiprocess_mode="mostrecent",
)

# Prometheus sees no rise in a series that begins with its first failure.
for _reason in ("in_flight", "wait", "deadline"):
    REFUSED.labels(_reason)
for _source in ("table", "index"):
    BY_PRODUCT.labels(_source)
for _reason in ("disk_full", "read_only", "unavailable"):
    STORAGE_FAILURES.labels(_reason)


def exposition() -> tuple[bytes, str]:
    """Returns all metrics in Prometheus's text format, and its content type."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def observe_stages(took_ms: Mapping[str, float]) -> None:
    """Records the times of the stages of a search, in milliseconds."""
    for stage, ms in took_ms.items():
        STAGE_SECONDS.labels(stage).observe(ms / 1000)
