"""Who may send what: keys and their scopes."""

import json
from pathlib import Path

import pytest

from indexer.access.keys import Keys
from service.access.scopes import ScopedBlueprint, scope_of
from service.api.pages import document
from tests.conftest import Store
from tests.processes import cli, start
from tests.service.access.conftest import ANYWHERE, SIMILAR, Serve, bearer, make, opened
from tests.service.contract import template_of


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
        "GET /v1/collections",
        "GET /v1/products",
        "GET /v1/products/<product_id:product_id>",
        "GET /v1/products/<product_id:product_id>/similar",
    },
    "events": {"POST /v1/events"},
    "rate": {
        "GET /v1/ratings/queries",
        "POST /v1/ratings/candidates",
        "POST /v1/ratings",
    },
    "metrics": {"GET /metrics"},
    "admin": {
        "PUT /v1/products/<product_id:product_id>",
        "PATCH /v1/products/<product_id:product_id>",
        "DELETE /v1/products/<product_id:product_id>",
        "POST /v1/products/bulk",
    },
    "none": {
        "GET /",
        "GET /rate",
        "GET /problems",
        "GET /static/embed.js",
        "GET /static/<build>/<path:filename>",
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
    # The fake model cannot explain, which is told only to those who are let in.
    query = {"product_id": "red", "result": "none"}
    assert client.post("/v1/explain", json=query, headers=search).status_code == 409
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
        (SIMILAR, "no-cache, private"),  # kept by the client, who asks each time
        ("/v1/products/nothing", "private, no-store"),
        ("/v1/images/1", "max-age=3600"),
    ],
)
def test_no_cache_keeps_what_needs_a_key(photos: Store, path: str, expected: str) -> None:
    with opened(photos.catalog.folder.parent) as client:
        control = client.get(path).headers["Cache-Control"]
    assert expected in control
