"""Changing products over HTTP: stored when answered, found by the next search."""

import base64
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.access.keys import Keys
from indexer.config import FetchSettings
from indexer.feeds import change_attributes, read_attributes, read_changes
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.ingest import editing
from indexer.ingest.sync import Indexer
from indexer.interchange.transfer import import_features
from indexer.maintenance.reembed import re_embed
from indexer.store import Product
from indexer.store.embedded.catalog import Catalog
from indexer.store.embedded.uploads import UploadedPhotos
from tests.conftest import Store, png
from tests.fakes import FAKE_SPEC, FakeEmbedder
from tests.processes import cli, multipart
from tests.service.conftest import serving


@pytest.fixture
def client(store: Store) -> Iterator[FlaskClient]:
    with serving(store.catalog.folder.parent, "shoes") as client:
        yield client


def photo(colour: object) -> str:
    return base64.b64encode(png(colour)).decode()


def put(client: FlaskClient, product_id: str, *colours: object, **attributes: Any) -> Any:
    body = {"attributes": attributes, "images": [photo(colour) for colour in colours]}
    return client.put(f"/v1/products/{product_id}", json=body)


def search(client: FlaskClient, colour: object, **fields: object) -> Any:
    body, content_type = multipart(png(colour), **fields)
    return client.post("/v1/search", data=body, content_type=content_type).json


def stored(store: Store) -> dict[str, Product]:
    """What another process finds on disk."""
    catalog = Catalog(store.catalog.folder)
    with catalog.reader() as reader:
        products = reader.products(reader.product_ids())
    catalog.close()
    return products


def kept(store: Store) -> list[Path]:
    return sorted((store.catalog.folder / "photos").rglob("*.*"))


def test_a_product_that_was_put_is_stored_and_the_next_search_shows_it(
    client: FlaskClient, store: Store
) -> None:
    put(client, "other", "navy")
    answer = put(client, "boot", "red", "white", title="Boot", price="89.90 EUR").json
    attributes = {"title": "Boot", "price": 89.9, "currency": "EUR"}
    assert answer == {
        "product_id": "boot",
        "collection": "default",
        "seq": search(client, "red")["seq"],
        "outcome": "added",
    }
    best = search(client, "red")["results"][0]
    assert (best["product_id"], best["score"], best["attributes"]) == ("boot", 1.0, attributes)
    assert stored(store)["boot"].attributes == attributes
    product = client.get("/v1/products/boot").json
    assert product is not None
    for image, colour in zip(product["images"], ("red", "white"), strict=True):
        served = client.get(image["image_url"])
        assert (served.data, served.mimetype) == (png(colour), "image/png")


def test_putting_the_same_again_changes_nothing(client: FlaskClient) -> None:
    first = put(client, "boot", "red", title="Boot").json
    again = put(client, "boot", "red", title="Boot").json
    assert (again["outcome"], again["seq"]) == ("unchanged", first["seq"])


def test_putting_replaces_attributes_and_photos(client: FlaskClient, store: Store) -> None:
    put(client, "boot", "red", title="Boot", color="red")
    assert put(client, "boot", "navy", title="Blue boot").json["outcome"] == "updated"
    assert stored(store)["boot"].attributes == {"title": "Blue boot"}
    assert search(client, "navy")["results"][0]["score"] == 1.0
    assert search(client, "red")["total"] == 1


def test_patching_changes_some_attributes_and_removes_others(
    client: FlaskClient, store: Store
) -> None:
    put(client, "boot", "red", title="Boot", color="red", availability="in stock")
    before = stored(store)["boot"].images
    changes = {"Color": None, "availability": "out of stock", "g:size": 42}
    answer = client.patch("/v1/products/boot", json={"attributes": changes}).json
    assert answer is not None
    assert answer["outcome"] == "updated"
    product = stored(store)["boot"]
    assert product.images == before
    assert product.attributes == {
        "title": "Boot",
        "availability": "out_of_stock",
        "in_stock": False,
        "size": 42,
    }


def patch(client: FlaskClient, **changes: Any) -> Any:
    return client.patch("/v1/products/boot", json={"attributes": changes}).json


SALE = {"price": "100 EUR", "sale_price": "60 EUR"}
PAST = "2020-01-01/2020-02-01"


@pytest.mark.parametrize(
    ("columns", "changes", "expected"),
    [
        ({"price": "100 EUR"}, {"sale_price": "60 EUR"}, {"price": 60, "regular_price": 100}),
        (SALE, {"sale_price": None}, {"price": 100}),
        (SALE, {"sale_price": ""}, {"price": 100}),
        (SALE, {"price": 90}, {"price": 60, "regular_price": 90}),
        (SALE, {"sale_price": "50 EUR"}, {"price": 50, "regular_price": 100}),
        (SALE, {"sale_price": "120 EUR"}, {"price": 100}),
        (SALE, {"sale_price_effective_date": PAST}, {"price": 100}),
        (SALE, {"price": 90, "regular_price": 110}, {"price": 90, "regular_price": 110}),
        (SALE, {"regular_price": None}, {"price": 60}),
        (SALE, {"title": "Boot"}, {"price": 60, "regular_price": 100}),
    ],
)
def test_patched_prices_are_read_with_those_that_the_product_has(
    client: FlaskClient, columns: Any, changes: Any, expected: Any
) -> None:
    put(client, "boot", "red", **columns)
    patch(client, **changes)
    product = client.get("/v1/products/boot").json
    assert product is not None
    names = ("price", "regular_price", "currency")
    shown = {name: product["attributes"][name] for name in names if name in product["attributes"]}
    assert shown == {**expected, "currency": "EUR"}


def test_removing_a_column_removes_what_came_of_it(client: FlaskClient, store: Store) -> None:
    columns = {"availability": "in stock", "product_type": "Shoes > Boots", "price": "9 EUR"}
    put(client, "boot", "red", title="Boot", **columns)
    patch(client, **dict.fromkeys(columns))
    assert stored(store)["boot"].attributes == {"title": "Boot"}


def test_a_patched_price_in_another_currency_than_the_rest_is_refused(client: FlaskClient) -> None:
    put(client, "boot", "red", price="100 EUR")
    answer = patch(client, sale_price="60 USD")
    assert answer["code"] == "bad_parameter"
    assert "USD" in answer["detail"]
    assert patch(client, sale_price="60 USD", price="100 USD")["outcome"] == "updated"


def either(*options: object) -> Any:
    return st.sampled_from(options)


COLUMNS = {
    "title": either("Boot", " Shoe ", None),
    "price": either("100 EUR", "90,50 EUR", "€80"),
    "sale_price": either("60 EUR", "70.5 EUR", None),
    "availability": either("in stock", "sold out", "on request", None),
    "product_type": either("Shoes > Boots", "Hats", None),
    "category": either("Sale", None),
    "size": either(42, [40, 41], {"eu": 42}, "", None),
}
CHANGES = {
    **COLUMNS,
    "price": either("100 EUR", "90,50 EUR", "€80", None),
    "sale_price": either("60 EUR", "150 EUR", "0 EUR", None),
}


@given(columns=st.fixed_dictionaries(COLUMNS), changes=st.fixed_dictionaries({}, optional=CHANGES))
@settings(max_examples=100, deadline=None)
def test_put_then_patch_gives_what_put_of_the_changed_columns_gives(
    columns: dict[str, Any], changes: dict[str, Any]
) -> None:
    together = read_attributes({**columns, **changes}).attributes
    apart = change_attributes(read_attributes(columns).attributes, read_changes(changes)).attributes
    assert apart == together


def test_lists_and_objects_come_back_as_json_text(client: FlaskClient) -> None:
    put(client, "boot", "red", colors=["red", "blue"], fit={"eu": 42})
    product = client.get("/v1/products/boot").json
    assert product is not None
    assert product["attributes"] == {"colors": '["red", "blue"]', "fit": '{"eu": 42}'}


def test_a_change_warns_as_a_feed_does(client: FlaskClient) -> None:
    odd = {"price": "20 EUR", "sale_price": "25 EUR", "availability": "maybe"}
    sale, stock = "sale_price 25.00 is above price 20.00", "unknown availability 'maybe'"
    warnings = put(client, "boot", "red", **odd).json["warnings"]
    assert [stock in warnings[0], sale in warnings[1]] == [True, True]
    put(client, "boot", "red", price="20 EUR")
    (warning,) = patch(client, sale_price="25 EUR")["warnings"]
    assert sale in warning
    (warning,) = patch(client, sale_price="15 EUR", sale_price_effective_date="soon")["warnings"]
    assert "'soon'" in warning
    change = {"op": "patch", "product_id": "boot", "attributes": {"availability": "maybe"}}
    row = bulk(client, change)["results"][0]
    assert any(stock in warning for warning in row["warnings"])
    assert "warnings" not in put(client, "boot", "red", price="20 EUR").json


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"Color": "red", "color": "blue"}, "'Color' and 'color'"),
        ({"g:size": 1, "size": None}, "'g:size' and 'size'"),
        ({"": "x"}, "''"),
        ({"-!-": "x"}, "'-!-'"),
    ],
)
def test_names_that_are_empty_or_the_same_are_refused(
    client: FlaskClient, attributes: dict[str, Any], named: str
) -> None:
    put(client, "boot", "red")
    for method, images in (("put", {"images": [photo("red")]}), ("patch", {})):
        body = {"attributes": attributes, **images}
        answer = getattr(client, method)("/v1/products/boot", json=body)
        assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")
        assert named in answer.json["detail"]


def test_a_deleted_product_is_gone_with_its_photos(client: FlaskClient, store: Store) -> None:
    put(client, "boot", "red", "white")
    put(client, "hat", "white")
    answer = client.delete("/v1/products/boot").json
    assert answer is not None
    assert answer["outcome"] == "removed"
    assert [result["product_id"] for result in search(client, "red")["results"]] == ["hat"]
    assert [path.read_bytes() for path in kept(store)] == [png("white")]


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_what_is_not_there_cannot_be_changed(client: FlaskClient, method: str) -> None:
    answer = getattr(client, method)("/v1/products/none", json={"attributes": {"a": 1}})
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_product")


def test_odd_ids_and_collections_are_as_elsewhere(client: FlaskClient, store: Store) -> None:
    body = {"images": [photo("red")]}
    answer = client.put("/v1/products/a%2Fb%20%E2%9C%93?collection=shoes", json=body).json
    assert answer is not None
    assert (answer["product_id"], answer["collection"]) == ("a/b ✓", "shoes")
    assert stored(store) == {}
    assert client.put("/v1/products/bulk", json=body).status_code == 200
    unknown = client.put("/v1/products/a?collection=none", json=body)
    assert unknown.json is not None
    assert unknown.json["code"] == "unknown_collection"


RED = {"images": [photo("red")]}


@pytest.mark.parametrize(
    ("product_id", "body", "code"),
    [
        ("a", {}, "bad_parameter"),
        ("a", {"images": []}, "bad_parameter"),
        ("a", {"images": ["?"]}, "bad_parameter"),
        ("a", {"images": [photo("red")] * 21}, "bad_parameter"),
        ("a", {**RED, "price": 3}, "bad_parameter"),
        ("a", {**RED, "attributes": {"price": "cheap"}}, "bad_parameter"),
        ("a", {**RED, "attributes": {"image_link": "/etc/passwd"}}, "bad_parameter"),
        ("a", {**RED, "attributes": {"id": "b"}}, "bad_parameter"),
        ("%20a", RED, "bad_parameter"),
        ("a%00", RED, "bad_parameter"),
        ("x" * 513, RED, "bad_parameter"),
        ("a", [], "bad_parameter"),
        ("a", {"images": ["aGVsbG8="]}, "unsupported_format"),
        ("a", {"images": [photo("red")[:60]]}, "image_truncated"),
        ("a", {"images": ["http://127.0.0.1/a.png"]}, "fetch_failed"),
        ("a", {"images": ["HTTP://[::1]:22/a.png"]}, "fetch_failed"),
        ("a", {"images": ["http://169.254.169.254/"]}, "fetch_failed"),
        ("a", {"images": ["file:///etc/passwd"]}, "bad_parameter"),
    ],
)
def test_what_cannot_be_put_is_refused_whole(
    client: FlaskClient, store: Store, product_id: str, body: Any, code: str
) -> None:
    answer = client.put(f"/v1/products/{product_id}", json=body)
    assert answer.json is not None
    assert answer.json["code"] == code
    assert answer.status_code < 500
    assert stored(store) == {}
    assert kept(store) == []


def test_the_error_of_a_photo_names_which_it_is(client: FlaskClient) -> None:
    body = {"images": [photo("red"), "aGVsbG8="]}
    answer = client.put("/v1/products/a", json=body).json
    assert answer is not None
    assert answer["detail"].startswith("images[1]: ")


@pytest.mark.parametrize("content_type", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_a_web_page_cannot_send_changes_without_being_asked_for_its_origin(
    client: FlaskClient, content_type: str
) -> None:
    for path, method in (("/v1/products/a", "put"), ("/v1/products/bulk", "post")):
        answer = getattr(client, method)(path, data=json.dumps(RED), content_type=content_type)
        assert answer.status_code == 415


def bulk(client: FlaskClient, *operations: object) -> Any:
    return client.post("/v1/products/bulk", json=list(operations)).json


def test_of_many_operations_a_bad_one_does_not_stop_the_others(
    client: FlaskClient, store: Store
) -> None:
    answer = bulk(
        client,
        {"op": "put", "product_id": "a", "images": [photo("red")], "attributes": {"size": 1}},
        {"op": "put", "product_id": "b", "images": ["aGVsbG8="]},
        {"op": "patch", "product_id": "a", "attributes": {"size": 2}},
        {"op": "delete", "product_id": "none"},
        {"op": "grow", "product_id": "a"},
        "nothing",
        {"op": "put", "product_id": "c", "images": [photo("navy")]},
        {"op": "delete", "product_id": "c"},
    )
    rows = [(row["product_id"], row["outcome"], row.get("code")) for row in answer["results"]]
    assert rows == [
        ("a", "added", None),
        ("b", "failed", "unsupported_format"),
        ("a", "updated", None),
        ("none", "failed", "unknown_product"),
        ("a", "failed", "bad_parameter"),
        (None, "failed", "bad_parameter"),
        ("c", "added", None),
        ("c", "removed", None),
    ]
    assert answer["failed"] == 4
    assert answer["seq"] == search(client, "red")["seq"]
    assert {name: p.attributes for name, p in stored(store).items()} == {"a": {"size": 2}}


def test_many_operations_come_as_lines_too(client: FlaskClient, store: Store) -> None:
    lines = [
        {"op": "put", "product_id": "a", **RED},
        {"op": "patch", "product_id": "a", "attributes": {"title": "A\u2028b"}},
    ]
    data = "\n\n".join(json.dumps(line, ensure_ascii=False) for line in lines)

    def send(text: str) -> Any:
        kind = "application/x-ndjson"
        return client.post("/v1/products/bulk", data=text.encode(), content_type=kind)

    assert send(data).json["failed"] == 0
    assert stored(store)["a"].attributes == {"title": "A\u2028b"}


def test_a_line_that_is_not_json_fails_alone(client: FlaskClient, store: Store) -> None:
    put = json.dumps({"op": "put", "product_id": "a", **RED}).encode()
    patch = b'{"op": "patch", "product_id": "a", "attributes": {"title": "A"}}'
    lines = [put, b"{", b'"\xff"', b"[" * 100_000, b"7", patch]
    data, kind = b"\n".join(lines), "application/x-ndjson"
    answer = client.post("/v1/products/bulk", data=data, content_type=kind).json
    assert answer is not None
    outcomes = [row["outcome"] for row in answer["results"]]
    assert outcomes == ["added", "failed", "failed", "failed", "failed", "updated"]
    assert answer["failed"] == 4
    for number, row in enumerate(answer["results"][1:4], start=2):
        assert (row["product_id"], row["code"]) == (None, "bad_request")
        assert f"line {number}" in row["detail"]
    assert stored(store)["a"].attributes == {"title": "A"}


@pytest.mark.parametrize("body", [{}, [], "x", [{"op": "delete", "product_id": "a"}] * 1001])
def test_what_is_no_list_of_operations_is_refused(client: FlaskClient, body: Any) -> None:
    answer = client.post("/v1/products/bulk", json=body)
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "bad_request")


def test_while_another_process_writes_the_answer_is_locked(
    client: FlaskClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "WAIT_S", 0.1)
    with store.catalog.writer():
        bad = client.put("/v1/products/a", json={"images": ["aGVsbG8="]})
        refused = put(client, "a", "red")
        rows = bulk(client, *({"op": "delete", "product_id": str(n)} for n in range(70)))["results"]
    assert (refused.status_code, refused.json["code"]) == (503, "locked")
    assert int(refused.headers["Retry-After"]) > 0
    assert bad.status_code == 415  # needs no lock to be told
    assert {row["code"] for row in rows} == {"locked"}
    assert put(client, "a", "red").status_code == 200


def test_a_change_waits_for_a_writer_that_is_done_soon(client: FlaskClient, store: Store) -> None:
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.catalog.writer():
            holding.set()
            done.wait(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    assert put(client, "a", "red").status_code == 200
    thread.join()


def test_requests_at_the_same_time_are_all_stored(client: FlaskClient, store: Store) -> None:
    codes: list[int] = []
    app = client.application

    def work(number: int) -> None:
        own = app.test_client()
        codes.extend(put(own, f"{number}-{i}", "red", n=i).status_code for i in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [200] * 20
    assert len(stored(store)) == 20


def test_a_photo_is_embedded_once(store: Store) -> None:
    embedder = FakeEmbedder()
    with serving(store.catalog.folder.parent, load=lambda _: embedder) as client:
        to_warm_up = embedder.images_seen
        put(client, "a", "red")
        put(client, "b", "red", "navy")
    assert embedder.images_seen - to_warm_up == 2


def test_uploaded_photos_can_be_embedded_again_by_another_network(
    client: FlaskClient, store: Store
) -> None:
    put(client, "a", "red", "navy")
    other = FakeEmbedder(replace(FAKE_SPEC, weights_sha256="1" * 64))

    def indexer(catalog: Catalog) -> Indexer:
        source = PhotoSource(ImageLimits(), FetchSettings())
        return Indexer(catalog, other.spec, lambda: other, source, lambda _: None)

    report = re_embed(store.catalog, other.spec.fingerprint, indexer)
    assert (report.embedded, report.rejected) == (2, [])


def test_vectors_of_another_network_take_no_photos_but_can_be_changed(
    client: FlaskClient, store: Store
) -> None:
    names, features = store.photos / "n.txt", store.photos / "v.npy"
    names.write_text("a\n")
    np.save(features, np.eye(1, 48, dtype=np.float32))
    import_features(store.catalog, features, names, store.embedder.spec, same_model=False)
    refused = put(client, "b", "red")
    assert (refused.status_code, refused.json["code"]) == (409, "fingerprint_mismatch")
    assert client.patch("/v1/products/a", json={"attributes": {"size": 1}}).status_code == 200
    assert client.delete("/v1/products/a").status_code == 200


def test_photos_of_products_that_the_command_line_removed_go_when_it_compacts(
    client: FlaskClient, store: Store
) -> None:
    put(client, "a", "red")
    put(client, "b", "navy")
    with store.catalog.writer() as writer:
        writer.remove(["a"])
    assert len(kept(store)) == 2
    assert cli("compact", data_dir=store.catalog.folder.parent).code == 0
    assert [path.read_bytes() for path in kept(store)] == [png("navy")]


def test_a_photo_that_was_cut_on_disk_is_written_again(client: FlaskClient, store: Store) -> None:
    put(client, "a", "red")
    (path,) = kept(store)
    path.write_bytes(b"")
    put(client, "b", "red")
    assert path.read_bytes() == png("red")


def test_once_there_are_keys_changes_take_one_for_admin(client: FlaskClient, store: Store) -> None:
    keys = Keys(store.catalog.folder.parent)
    search_key, admin_key = (keys.create([scope], "")[1] for scope in ("search", "admin"))

    def code(headers: dict[str, str]) -> int:
        return client.put("/v1/products/a", json=RED, headers=headers).status_code

    assert code({}) == 401
    assert code({"Authorization": f"Bearer {search_key}"}) == 403
    assert code({"Authorization": f"Bearer {admin_key}"}) == 200


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"X-Forwarded-For": "1.2.3.4"}, {"Host": "localhost.evil.example"}],
)
def test_without_keys_changes_are_taken_only_from_this_machine(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    assert client.delete("/v1/products/a", headers=headers).status_code == 401
    for host in ("localhost", "127.0.0.1:8000", "[::1]:8000", "[::1]"):
        assert client.delete("/v1/products/a", headers={"Host": host}).status_code == 404


COLOURS = ("red", "navy", "green")
IDS = st.sampled_from(["a", "b", "c"])
HUGE: list[tuple[dict[str, Any], str]] = [
    ({"title": "x" * 10_001}, "title has 10,001 characters; at most 10,000"),
    ({"x" * 101: 1}, "has 101 characters; at most 100"),
    ({f"a{n}": "ä" * 5_000 for n in range(7)}, "at most 65,536"),
    ({"care": [[[[[[[[[1]]]]]]]]]}, "care is nested more than 8 levels deep"),
]


@pytest.mark.parametrize(("attributes", "reason"), HUGE)
def test_attributes_beyond_a_limit_are_refused_with_the_limit(
    client: FlaskClient, attributes: dict[str, Any], reason: str
) -> None:
    assert put(client, "p", "red").status_code == 200
    answers = [
        put(client, "p", "red", **attributes),
        client.patch("/v1/products/p", json={"attributes": attributes}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert all(reason in answer.json["detail"] for answer in answers)
    operation = {"op": "patch", "product_id": "p", "attributes": attributes}
    (result,) = bulk(client, operation)["results"]
    assert (result["outcome"], reason in result["detail"]) == ("failed", True)


def test_many_attributes_are_refused_at_once_and_one_after_the_other(client: FlaskClient) -> None:
    assert put(client, "p", "red", **{f"a{n}": n for n in range(201)}).status_code == 400
    assert put(client, "p", "red", **{f"a{n}": n for n in range(200)}).status_code == 200
    more = client.patch("/v1/products/p", json={"attributes": {"one_more": 1}})
    assert more.status_code == 400
    assert more.json is not None
    assert more.json["code"] == "bad_parameter"
    assert "has 201 attributes; at most 200" in more.json["detail"]
    swapped = {"attributes": {"one_more": 1, "a0": None}}
    assert client.patch("/v1/products/p", json=swapped).status_code == 200


OPERATIONS = st.one_of(
    st.builds(
        lambda product_id, colours, size: {
            "op": "put",
            "product_id": product_id,
            "images": [photo(colour) for colour in colours],
            "attributes": {"size": size},
        },
        IDS,
        st.lists(st.sampled_from(COLOURS), min_size=1, max_size=2),
        st.integers(0, 3),
    ),
    st.builds(
        lambda product_id, size, color: {
            "op": "patch",
            "product_id": product_id,
            "attributes": {"size": size, "color": color},
        },
        IDS,
        st.none() | st.integers(0, 3),
        st.none() | st.just("red"),
    ),
    st.builds(lambda product_id: {"op": "delete", "product_id": product_id}, IDS),
)


def applied(model: dict[str, tuple[dict[str, Any], list[str]]], operation: Any) -> None:
    product_id = operation["product_id"]
    if operation["op"] == "put":
        model[product_id] = (operation["attributes"], operation["images"])
    elif product_id in model and operation["op"] == "delete":
        del model[product_id]
    elif product_id in model:
        attributes, images = model[product_id]
        merged = {**attributes, **operation["attributes"]}
        model[product_id] = ({k: v for k, v in merged.items() if v is not None}, images)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(OPERATIONS, min_size=1, max_size=8), max_size=3))
def test_whatever_the_operations_the_catalogue_is_what_they_say_and_every_photo_is_kept(
    client: FlaskClient, store: Store, requests: Sequence[Sequence[Any]]
) -> None:
    bulk(client, *({"op": "delete", "product_id": name} for name in "abc"))
    model: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for operations in requests:
        bulk(client, *operations)
        for operation in operations:
            applied(model, operation)
    products, folder = stored(store), store.catalog.folder
    found = {
        name: (
            product.attributes,
            [base64.b64encode((folder / i.location).read_bytes()).decode() for i in product.images],
        )
        for name, product in products.items()
    }
    assert found == model
    locations = [i.location for product in products.values() for i in product.images]
    assert set(kept(store)) == {folder / location for location in locations}
    assert UploadedPhotos(store.catalog).sweep() == 0
