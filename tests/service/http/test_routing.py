"""Product ids in URLs: any characters, whatever they mean to a URL."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map

from service.http.routing import KeepEncodedSlashes, ProductIdConverter
from tests.conftest import Store
from tests.processes import ask
from tests.service.conftest import serving

ODD_IDS = [
    "plain",
    "a/b",
    "a/b/c d",
    "/leading",
    "trailing/",
    "double//slash",
    "/",
    "50% off",
    "%",
    "%2F",
    "%252f",
    "a%2Fb",
    "Größe 38 ✓ 👟",
    "名前",
    "a b+c",
    "?q=1&r#f",
    "similar",
    "x/similar",
    "similar/similar",
    "x/similar/",
    "..",
    "../../etc/passwd",
    ";v=1",
    "\\back\\slash",
    "'\"<b>",
    "[/b]",
    "a:b@c",
    "{0}",
    "~.-_",
    "two\nlines\n",
    "\n",
    "é" * 512,
    "\ufffd",
]
# Those whose slashes no client or server has to guess about.
PLAIN_IDS = ["a/b", "a/b/c", "Größe/38", "x+y", "a:b@c", "~.-_", "名前/✓"]


@pytest.fixture(scope="module")
def odd_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of a service with products of these ids, all alike."""
    store = Store(tmp_path_factory.mktemp("odd"))
    photo = store.photo("photo.png", "teal")
    for product_id in {*ODD_IDS, *PLAIN_IDS}:
        row = store.row(product_id, title=f"title of {product_id}")
        store.add(type(row)(row.product_id, row.attributes, (photo,), None, "feed"))
    with serving(store.catalog.folder.parent) as client:
        yield client
    store.catalog.close()


@pytest.mark.parametrize("product_id", ODD_IDS)
def test_an_encoded_id_is_the_product_of_this_id(odd_client: FlaskClient, product_id: str) -> None:
    response = odd_client.get(f"/v1/products/{quote(product_id, safe='')}")
    assert response.json is not None
    assert response.json["product_id"] == product_id
    assert response.json["attributes"]["title"] == f"title of {product_id}"


@pytest.mark.parametrize("product_id", ODD_IDS)
def test_similar_to_an_encoded_id_leaves_out_this_id_only(
    odd_client: FlaskClient, product_id: str
) -> None:
    path = f"/v1/products/{quote(product_id, safe='')}/similar?limit=200"
    response = odd_client.get(path)
    assert response.json is not None
    found = {result["product_id"] for result in response.json["results"]}
    assert found == {*ODD_IDS, *PLAIN_IDS} - {product_id}


@pytest.mark.parametrize("product_id", ODD_IDS)
def test_an_id_in_json_needs_no_encoding(odd_client: FlaskClient, product_id: str) -> None:
    response = odd_client.post("/v1/search", json={"product_id": product_id, "limit": 200})
    assert response.json is not None
    assert product_id in {result["product_id"] for result in response.json["results"]}


@pytest.mark.parametrize("product_id", PLAIN_IDS)
@pytest.mark.parametrize("suffix", ["", "/similar"])
def test_an_id_is_found_without_encoding_where_it_is_clear(
    odd_client: FlaskClient, product_id: str, suffix: str
) -> None:
    response = odd_client.get(f"/v1/products/{product_id}{suffix}")
    assert response.status_code == 200
    found = response.json
    assert found is not None
    if suffix:
        assert product_id not in {result["product_id"] for result in found["results"]}
    else:
        assert found["product_id"] == product_id


def test_a_plain_similar_at_the_end_asks_for_similar_products(odd_client: FlaskClient) -> None:
    plain = odd_client.get("/v1/products/x/similar")
    assert (plain.status_code, plain.json and plain.json["code"]) == (404, "unknown_product")
    assert "'x'" in plain.json["detail"]  # type: ignore[index]
    encoded = odd_client.get("/v1/products/x%2Fsimilar")
    assert encoded.json is not None
    assert encoded.json["product_id"] == "x/similar"


@pytest.mark.parametrize("target", ["hue%2F07", "hue/07"])
def test_a_real_server_passes_ids_on_as_they_were_sent(live_server: str, target: str) -> None:
    assert ask(live_server, f"/v1/products/{target}").json["product_id"] == "hue/07"
    similar = ask(live_server, f"/v1/products/{target}/similar?limit=200").json
    assert "hue/07" not in {result["product_id"] for result in similar["results"]}


@given(product_id=st.text(min_size=1))
def test_any_id_survives_the_url(product_id: str) -> None:
    seen: list[str] = []

    def app(environ: Any, _: Any) -> list[bytes]:
        seen.append(environ["PATH_INFO"])
        return []

    converter = ProductIdConverter(Map())
    target = f"/{converter.to_url(product_id)}?limit=1"
    KeepEncodedSlashes(app)({"RAW_URI": target}, lambda *_: lambda _: None)
    segment = seen[0].encode("latin-1").decode()[1:]
    assert "/" not in segment
    assert converter.to_python(segment) == product_id
