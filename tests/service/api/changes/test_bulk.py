"""Many changes in one request."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.store.uploads import UploadedPhotos
from tests.conftest import Store
from tests.service.api.changes.conftest import RED, bulk, kept, photo, search, stored


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


COLOURS = ("red", "navy", "green")
IDS = st.sampled_from(["a", "b", "c"])
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
