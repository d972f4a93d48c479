"""The commands `search` and `status`."""

import re
from pathlib import Path
from typing import Any

from tests.conftest import png
from tests.indexer.cli.conftest import Shop
from tests.processes import multipart
from tests.service.conftest import serving


def without_chance(document: dict[str, Any]) -> dict[str, Any]:
    assert document.pop("query_id")
    assert set(document.pop("took_ms")) == {"decode", "queue", "embed", "search"}
    document.pop("next", None)  # a cursor of the service
    return document


def test_a_search_prints_the_document_of_the_http_service(stocked: Shop) -> None:
    photo = stocked.photo("query.png", "firebrick")
    ran = stocked.run("search", photo, "-k", 2, "--offset", 1, "--json")
    body, content_type = multipart(photo.read_bytes(), limit=2, offset=1)
    with serving(stocked.data_dir) as client:
        answer = client.post("/v1/search", data=body, content_type=content_type).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)


def test_a_search_by_product_prints_the_document_of_the_http_service(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "a/b [/c]", "--json")
    with serving(stocked.data_dir) as client:
        answer = client.post("/v1/search", json={"product_id": "a/b [/c]"}).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)


def test_people_see_scores_ids_titles_and_prices(stocked: Shop) -> None:
    ran = stocked.run("search", "--product", "a/b [/c]", "-k", 1)
    assert ran.code == 0
    for text in ("1.0000", "a/b [/c]", "a/b [/c]!", "5", "EUR"):
        assert text in ran.out


def test_a_min_score_leaves_out_what_is_less_alike(stocked: Shop) -> None:
    found = stocked.run("search", "--product", "red", "--min-score", 0.9, "--json").json
    assert [result["product_id"] for result in found["results"]] == ["red", "crimson"]
    assert found["total"] == 2


def test_status_says_what_is_there_and_what_made_it(stocked: Shop) -> None:
    status = stocked.run("status", "--json").json
    assert status == {
        "collection": "default",
        "folder": str(stocked.data_dir / "default"),
        "products": 4,
        "images": 4,
        "seq": 8,
        "fingerprint": stocked.embedder.spec.fingerprint,
        "weights": "fake",
        "trained": True,
        "settings": None,
        "photo_search": True,
        "neighbours": None,
        "last_sync": None,
        "writer": None,
        "newest_snapshot": None,
        "bytes": status["bytes"],
        "detail": "",
    }
    text = stocked.run("status").out
    assert all(name in text for name in status)
    assert re.search("settings differ +no", text)
    assert "None" not in text


def test_status_makes_no_catalogue(shop: Shop) -> None:
    status = shop.run("status", "--json")
    assert status.json["detail"].startswith("no catalogue here yet")
    assert (status.code, status.json["products"], status.json["seq"]) == (0, 0, 0)
    assert not shop.data_dir.exists()


def test_search_without_a_catalogue_fails_and_makes_none(shop: Shop) -> None:
    ran = shop.run("search", "--product", "red", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "catalog_missing")
    assert not shop.data_dir.exists()


def test_a_search_photo_that_is_none_fails_with_its_code(stocked: Shop) -> None:
    path = Path(stocked.folder, "query.png")
    path.write_bytes(png("red")[:40])
    ran = stocked.run("search", path, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "image_truncated")


def test_options_mean_what_they_mean_over_http(stocked: Shop) -> None:
    options = ["--filter", "price<=99", "--filter", "!currency:usd", "--boost", "title:navy!^0.5"]
    more = ["--facets", "currency", "--dedup", "true", "--diversify", "currency"]
    ran = stocked.run("search", "--product", "red", *options, *more, "--json")
    with serving(stocked.data_dir) as client:
        answer = client.post(
            "/v1/search",
            json={
                "product_id": "red",
                "filter": ["price<=99", "!currency:usd"],
                "boost": "title:navy!^0.5",
                "facets": "currency",
                "dedup": True,
                "diversify": "currency",
            },
        ).json
    assert answer is not None
    assert without_chance(ran.json) == without_chance(answer)
    assert "currency: EUR (3)" in stocked.run("search", "--more-like", "red", *more).out
