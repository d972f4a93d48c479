"""Who may send what: keys, scopes, limits, other origins."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from indexer.access.keys import Keys, Scope
from indexer.config import AccessSettings, ServiceSettings, Settings, StorageSettings
from service import create_app
from service.access.scopes import ScopedBlueprint, scope_of
from service.api.pages import document
from service.engine.collections import SearchService
from tests.conftest import Store, png
from tests.fakes import FakeEmbedder
from tests.processes import cli, multipart, start, wait_for
from tests.service.contract import DocumentedClient, template_of

SIMILAR = "/v1/products/red/similar"
HERE, ANYWHERE = "127.0.0.1", "0.0.0.0"

Serve = Callable[..., FlaskClient]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("photos"))
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    yield store
    store.catalog.close()


@contextmanager
def opened(
    data_dir: Path, host: str = HERE, workers: int = 1, **access: Any
) -> Iterator[FlaskClient]:
    settings = Settings(
        storage=StorageSettings(data_dir=data_dir),
        service=ServiceSettings(host=host, workers=workers),
        access=AccessSettings(**access),
    )
    service = SearchService(settings, lambda _: FakeEmbedder())
    app = create_app(settings, search=service)
    app.test_client_class = DocumentedClient
    service.start()
    try:
        wait_for(lambda: service.states()[0].status == "ready", "opening")
        yield app.test_client()
    finally:
        service.stop()


@pytest.fixture
def keys(photos: Store) -> Iterator[Keys]:
    """No keys at first, and none left for the next test."""
    keys = Keys(photos.catalog.folder.parent)
    yield keys
    keys.path.unlink(missing_ok=True)


@pytest.fixture
def serve(photos: Store) -> Iterator[Serve]:
    """Starts services over one catalogue, and stops them at the end of the test."""
    running = []

    def start(**options: Any) -> FlaskClient:
        context = opened(photos.catalog.folder.parent, **options)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def make(keys: Keys, *scopes: Scope) -> Mapping[str, str]:
    return bearer(keys.create(scopes, "test")[1])


def test_on_loopback_without_keys_everyone_may_search(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    assert serve().get(SIMILAR).status_code == 200


def test_once_there_are_keys_a_search_needs_one(serve: Serve, keys: Keys) -> None:
    client = serve()
    search = make(keys, "search")
    refused = client.get(SIMILAR)
    assert (refused.status_code, refused.json and refused.json["code"]) == (401, "unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert client.get(SIMILAR, headers=search).status_code == 200
    assert client.get("/v1/products/red", headers=search).status_code == 200
    sent_otherwise = {"X-API-Key": search["Authorization"].removeprefix("Bearer ")}
    assert client.get(SIMILAR, headers=sent_otherwise).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/openapi.json", "/static/app.js", "/v1/images/1"]
)
def test_probes_the_page_and_photos_need_no_key(serve: Serve, keys: Keys, path: str) -> None:
    make(keys, "search")
    assert serve(host=ANYWHERE).get(path).status_code == 200


def test_a_key_is_for_its_scopes_and_admin_for_all(serve: Serve, keys: Keys) -> None:
    client = serve()
    refused = client.get(SIMILAR, headers=make(keys, "events", "metrics"))
    assert (refused.status_code, refused.json and refused.json["code"]) == (403, "forbidden")
    assert 'scope="search"' in refused.headers["WWW-Authenticate"]
    assert client.get(SIMILAR, headers=make(keys, "admin")).status_code == 200


SCOPES = {
    "search": {
        "POST /v1/search",
        "POST /v1/search/batch",
        "POST /v1/explain",
        "GET /v1/products/<product_id:product_id>",
        "GET /v1/products/<product_id:product_id>/similar",
    },
    "events": {"POST /v1/events"},
    "metrics": {"GET /metrics"},
    "admin": {
        "PUT /v1/products/<product_id:product_id>",
        "PATCH /v1/products/<product_id:product_id>",
        "DELETE /v1/products/<product_id:product_id>",
        "POST /v1/products/bulk",
    },
    "none": {
        "GET /",
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /static/<path:filename>",
        "GET /v1/images/<int:image_id>",
    },
}


def test_every_route_takes_the_scope_that_is_listed_here_and_described(serve: Serve) -> None:
    app = serve().application
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    declared: dict[str, set[str]] = {}
    for method, rule in routes:
        scope = scope_of(app, method, rule)
        declared.setdefault(scope or "none", set()).add(f"{method} {rule}")
        assert scope_of(app, "OPTIONS", rule) is None
        described = document()["paths"].get(template_of(rule), {}).get(method.lower())
        if described:
            assert ("security" in described) == (scope is not None)
            assert scope is None or f"`{scope}`" in described["description"]
    assert declared == SCOPES


def test_a_search_key_is_enough_for_batches_and_explanations(serve: Serve, keys: Keys) -> None:
    client, search = serve(), make(keys, "search")
    queries = {"queries": [{"product_id": "red"}]}
    assert client.post("/v1/search/batch", json=queries, headers=search).status_code == 200
    explained = client.post("/v1/explain", json={"product_id": "red", "result": "navy"})
    assert explained.status_code == 401
    # The fake model cannot explain; to look for the product, the request was let in.
    query = {"product_id": "red", "result": "none"}
    assert client.post("/v1/explain", json=query, headers=search).status_code == 404
    assert client.delete("/v1/products/red", headers=search).status_code == 403


def test_a_route_is_not_declared_without_a_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        ScopedBlueprint("new", __name__).get("/new")(lambda: "")


def test_a_route_of_another_kind_of_blueprint_takes_an_admin_key(serve: Serve) -> None:
    assert scope_of(serve().application, "GET", "/new") == "admin"


def test_several_keys_are_valid_at_once_until_each_is_revoked(serve: Serve, keys: Keys) -> None:
    client = serve()
    old, text = keys.create(["search"], "old")
    new = make(keys, "search")
    assert client.get(SIMILAR, headers=bearer(text)).status_code == 200
    keys.revoke(old.id)
    refused = client.get(SIMILAR, headers=bearer(text))
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert client.get(SIMILAR, headers=new).status_code == 200


@pytest.mark.parametrize("text", ["", ".", "a.b", "ü" * 300, "0" * 5000])
def test_what_is_no_key_is_refused_even_where_none_is_needed(
    serve: Serve, keys: Keys, text: str
) -> None:
    assert keys.all() == {}
    assert serve().get(SIMILAR, headers=bearer(text)).status_code == 401


def test_a_right_id_with_a_wrong_secret_is_refused(serve: Serve, keys: Keys) -> None:
    key, text = keys.create(["search"], "")
    assert serve().get(SIMILAR, headers=bearer(text[:-1])).status_code == 401
    assert serve().get(SIMILAR, headers=bearer(f"{key.id}.{key.sha256}")).status_code == 401


def test_on_a_network_a_service_whose_last_key_was_revoked_is_closed(
    serve: Serve, keys: Keys
) -> None:
    assert keys.all() == {}
    assert serve(host=ANYWHERE).get(SIMILAR).status_code == 401


@pytest.mark.parametrize("address", ["203.0.113.9", "", "2001:db8::1"])
def test_without_keys_only_this_machine_is_let_in_whatever_the_settings_say_of_it(
    serve: Serve, keys: Keys, address: str
) -> None:
    assert keys.all() == {}
    answer = serve().get(SIMILAR, environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 401


def test_an_open_service_can_be_searched_from_a_network_but_not_changed(
    serve: Serve, keys: Keys
) -> None:
    client = serve(host=ANYWHERE, open=True)
    assert client.get(SIMILAR).status_code == 200
    make(keys, "admin")
    assert client.get(SIMILAR).status_code == 200
    assert client.delete("/v1/products/red").status_code == 401


def test_damaged_keys_let_no_one_in(serve: Serve, keys: Keys) -> None:
    client = serve()
    keys.path.write_text('{"keys": [{"id": "a"}]}')
    assert client.get(SIMILAR).status_code == 500


def limited(client: FlaskClient, **headers: str) -> list[int]:
    return [client.get(SIMILAR, headers=headers).status_code for _ in range(4)]


def test_an_address_has_so_many_requests(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(open=True, rate_limit_per_address="3/hour")
    assert limited(client) == [200, 200, 200, 429]
    refused = client.get(SIMILAR)
    assert refused.json is not None
    assert refused.json["code"] == "rate_limited"
    assert 1 <= int(refused.headers["Retry-After"]) <= 3600
    assert client.get("/v1/images/1").status_code == 200
    other = client.get(SIMILAR, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    assert other.status_code == 200


def test_wrong_keys_count_for_the_address(serve: Serve, keys: Keys) -> None:
    make(keys, "search")
    client = serve(rate_limit_per_address="3/hour")
    assert limited(client, **bearer("a.b")) == [401, 401, 401, 429]


PHOTO = base64.b64encode(png("red")).decode()
# What is no photo costs the same: the fake model cannot look for the product in one.
LOCATED = {"image_base64": "AAAA", "box": "auto"}


@pytest.mark.parametrize(
    ("path", "body", "cost"),
    [
        ("/v1/search", {"product_id": "red"}, 1),
        ("/v1/search", {"image_base64": PHOTO}, 1),
        ("/v1/search", LOCATED, 18),
        ("/v1/search/batch", {"queries": [{"product_id": "red"}] * 5}, 5),
        ("/v1/search/batch", {"queries": [LOCATED] * 2}, 36),
        ("/v1/explain", {"product_id": "red", "result": "none"}, 6),
        ("/v1/explain", {**LOCATED, "result": "none"}, 24),
    ],
)
def test_a_request_counts_as_what_it_costs(
    serve: Serve, keys: Keys, path: str, body: dict[str, Any], cost: int
) -> None:
    search = make(keys, "search")
    client = serve(rate_limit_per_key="40/hour")
    assert client.post(path, json=body, headers=search).status_code in (200, 404, 415)
    left = [client.get(SIMILAR, headers=search).status_code for _ in range(41 - cost)]
    assert left == [200] * (40 - cost) + [429]


def test_several_photos_count_each(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(rate_limit_per_address="5/hour")
    body, content_type = multipart(png("red"), png("navy"), png("green"))
    sent = client.post("/v1/search", data=body, content_type=content_type)
    assert sent.status_code == 200
    assert limited(client) == [200, 200, 429, 429]


def test_a_request_that_costs_more_than_the_limit_takes_all_of_it(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(rate_limit_per_address="5/hour")
    codes = [client.post("/v1/search", json=LOCATED).status_code for _ in range(2)]
    assert codes == [415, 429]


@pytest.mark.parametrize(
    ("limit", "path", "body"),
    [
        ("18/second", "/v1/search", LOCATED),
        ("3/second", "/v1/search/batch", {"queries": [{"product_id": "red"}] * 3}),
    ],
)
def test_a_client_that_waits_as_long_as_it_is_told_is_served(
    serve: Serve, keys: Keys, limit: str, path: str, body: dict[str, Any]
) -> None:
    assert keys.all() == {}
    client = serve(rate_limit_per_address=limit)
    for _ in range(2):
        while (refused := client.post(path, json=body)).status_code != 429:
            assert refused.status_code in (200, 415)
        wait_s = int(refused.headers["Retry-After"])
        assert wait_s in (1, 2)
        assert client.post(path, json=body).status_code == 429
        time.sleep(wait_s)
        assert client.post(path, json=body).status_code in (200, 415)


def test_a_refused_request_counts_for_nothing(serve: Serve, keys: Keys) -> None:
    mine, other = make(keys, "search"), make(keys, "search")
    client = serve(rate_limit_per_address="25/hour", rate_limit_per_key="20/hour")
    codes = [client.post("/v1/search", json=LOCATED, headers=mine).status_code for _ in range(5)]
    assert codes == [415, 429, 429, 429, 429]
    assert limited(client, **mine) == [200, 200, 429, 429]
    # 20 of the address's 25 are used up: the key's refusals did not count for the address.
    batch = {"queries": [{"product_id": "red"}] * 6}
    assert client.post("/v1/search/batch", json=batch, headers=other).status_code == 429
    sent = [client.get(SIMILAR, headers=other).status_code for _ in range(6)]
    assert sent == [200] * 5 + [429]


def test_a_key_has_so_many_requests_wherever_they_come_from(serve: Serve, keys: Keys) -> None:
    client, mine, other = serve(rate_limit_per_key="3/hour"), make(keys, "search"), None
    addresses = [f"203.0.113.{number}" for number in range(4)]
    codes = [
        client.get(SIMILAR, headers=mine, environ_overrides={"REMOTE_ADDR": address}).status_code
        for address in addresses
    ]
    assert codes == [200, 200, 200, 429]
    other = make(keys, "search")
    assert client.get(SIMILAR, headers=other).status_code == 200


def test_each_of_several_processes_grants_its_share(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    assert limited(serve(rate_limit_per_address="4/hour", workers=2)) == [200, 200, 429, 429]


def test_the_address_that_a_trusted_proxy_names_counts(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(open=True, rate_limit_per_address="3/hour", trusted_proxies=1)
    for number in range(5):
        # What the client itself claims comes first and is not believed.
        named = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"}
        assert client.get(SIMILAR, headers=named).status_code == (200 if number < 3 else 429)
    assert client.get(SIMILAR, headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 200


def test_without_a_trusted_proxy_no_header_changes_the_address(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(rate_limit_per_address="1/hour")
    codes = [
        client.get(SIMILAR, headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(2)
    ]
    assert codes == [200, 429]


def test_the_addresses_of_one_ipv6_network_are_one_client(serve: Serve, keys: Keys) -> None:
    assert keys.all() == {}
    client = serve(open=True, rate_limit_per_address="1/hour")

    def code(address: str) -> int:
        return client.get(SIMILAR, environ_overrides={"REMOTE_ADDR": address}).status_code

    assert [code("2001:db8::1"), code("2001:db8::2:3"), code("2001:db8:0:1::1")] == [200, 429, 200]
    assert [code("::ffff:192.0.2.1"), code("192.0.2.1"), code("::ffff:192.0.2.2")] == [
        200,
        429,
        200,
    ]


SHOP = "https://shop.example"


def test_pages_of_listed_origins_may_read_answers_and_problems(serve: Serve, keys: Keys) -> None:
    client = serve(cors_origins=[SHOP])
    make(keys, "search")
    for path, status in (("/healthz", 200), (SIMILAR, 401)):
        answer = client.get(path, headers={"Origin": SHOP})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Origin" in answer.headers["Vary"]
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "X-Request-ID"} <= set(exposed)


def test_a_preflight_needs_no_key(serve: Serve, keys: Keys) -> None:
    make(keys, "search")
    client = serve(cors_origins=[SHOP])
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    answer = client.options("/v1/search", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "X-Request-ID"} <= set(allowed)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://shop.example:444"])
def test_pages_of_other_origins_may_not(serve: Serve, keys: Keys, origin: str) -> None:
    assert keys.all() == {}
    answer = serve(cors_origins=[SHOP]).get("/healthz", headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_gunicorn_refuses_to_start_open_to_a_network_and_names_both_ways_out(
    tmp_path: Path,
) -> None:
    command = ["-m", "gunicorn", "--check-config", "--config", "service/gunicorn.conf.py"]
    settings = {"IMAGE_SEARCH_SERVICE_HOST": ANYWHERE}

    def check(**more: str) -> tuple[int, str]:
        process = start(
            *command,
            "tests.fakes:FakeEmbedder",
            data_dir=tmp_path,
            settings={**settings, **more},
            stderr=-1,
        )
        _, stderr = process.communicate(timeout=60)
        return process.returncode, stderr.decode()

    refused = f"service.host: received '{ANYWHERE}'"
    code, message = check(IMAGE_SEARCH_SERVICE_LOG_FORMAT="text")
    assert code != 0
    assert message.startswith(f"error: {refused}")
    assert "keys create" in message
    assert "access.open: true" in message
    assert len(message.splitlines()) == 1
    code, line = check()
    assert code != 0
    assert json.loads(line)["level"] == "CRITICAL"
    assert json.loads(line)["message"].startswith(f"bad_config: {refused}")
    assert check(IMAGE_SEARCH_ACCESS_OPEN="true") == (0, "")
    assert cli("keys", "create", "--scope", "search", data_dir=tmp_path).code == 0
    assert check() == (0, "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (SIMILAR, "private, no-store"),
        ("/v1/products/nothing", "private, no-store"),
        ("/v1/images/1", "max-age=3600"),
    ],
)
def test_no_cache_keeps_what_needs_a_key(photos: Store, path: str, expected: str) -> None:
    with opened(photos.catalog.folder.parent) as client:
        control = client.get(path).headers["Cache-Control"]
    assert expected in control
