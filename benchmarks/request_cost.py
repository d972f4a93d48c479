"""Measures access checks, recording and forms in microseconds, compared with a search by product.

Everything runs in this process, without network traffic.
"""

import io
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask, Request
from werkzeug.test import EnvironBuilder

from indexer.access.keys import Keys
from indexer.config import AccessSettings, EventsSettings, Settings, StorageSettings
from indexer.events import EventStore, Recorder
from indexer.search import Answer, SearchParameters
from service.access.counts import Counts
from service.access.guard import Guard
from service.access.rates import RateLimit, count
from service.access.scopes import ScopedBlueprint
from service.http.forms import StrictRequest
from tests.conftest import Store

_REPEATS = 5_000
_PRODUCTS = 500
_PHOTO_BYTES = 300_000


def main() -> None:
    """Runs the benchmark."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.add(*(store.row(str(n), (n % 256, n // 2, 255 - n % 256)) for n in range(_PRODUCTS)))
        data_dir = store.catalog.folder.parent
        searcher, parameters = store.searcher, SearchParameters()
        searcher.store.refresh()

        def search() -> Answer:
            return searcher.by_product("7", parameters, include_itself=False)

        recorder = Recorder(EventStore(data_dir), keep_days=1)
        counts = Counts(Path(folder) / "requests.sqlite")
        limit, answer = RateLimit("address", "1000000/second", counts), search()
        rows = {
            f"search by product, {_PRODUCTS} products": _median_us(search, _REPEATS // 10),
            "check without keys": _check_us(data_dir),
            "check with a key": _check_us(data_dir, key=True),
            "check with a key and both limits": _check_us(data_dir, key=True, limited=True),
            "one limit": _median_us(lambda: count([(limit, "client")], 1)),
            "record 10 results": _median_us(lambda: recorder.note(answer)),
            "read a form with a photo of 300 KB": _form_us(StrictRequest),
            "the same with the parser of werkzeug": _form_us(Request),
        }
        recorder.stop()
        store.catalog.close()
    whole = next(iter(rows.values()))
    print("| what | µs, median | of a search |\n|---|---|---|")
    for name, median in rows.items():
        print(f"| {name} | {median:.1f} | {median / whole:.2%} |")


def _check_us(data_dir: Path, *, key: bool = False, limited: bool = False) -> float:
    limit = "1000000/second" if limited else "none"
    settings = Settings(
        storage=StorageSettings(data_dir=data_dir),
        access=AccessSettings(rate_limit_per_key=limit, rate_limit_per_address=limit),
        events=EventsSettings(keep_days=0),
    )
    text = Keys(data_dir).create(["search"], "")[1] if key else ""
    app = Flask(__name__)
    blueprint = ScopedBlueprint("search", __name__)
    blueprint.add_url_rule("/v1/search", "search", lambda: "", methods=["POST"], scope="search")
    app.register_blueprint(blueprint)
    guard = Guard(settings)
    headers = {"Authorization": f"Bearer {text}"} if key else {}
    local = {"REMOTE_ADDR": "127.0.0.1"}
    with app.test_request_context("/v1/search", method="POST", headers=headers, environ_base=local):
        return _median_us(guard.check)


def _form_us(kind: type[Request]) -> float:
    photo = random.Random(1).randbytes(_PHOTO_BYTES)
    form = EnvironBuilder(method="POST", data={"image": (io.BytesIO(photo), "photo.jpg")})
    environ = form.get_environ()
    body = environ["wsgi.input"].read()

    def read() -> None:
        kind({**environ, "wsgi.input": io.BytesIO(body)}).files["image"].read()

    return _median_us(read, _REPEATS // 10)


def _median_us(call: Callable[[], object], repeats: int = _REPEATS) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


if __name__ == "__main__":
    main()
