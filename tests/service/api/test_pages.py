"""The pages and their files, as browsers keep them; the page that problems refer to."""

import gzip
import re

import pytest
from flask.testing import FlaskClient

from service.api.pages import document

FOR_GOOD = "public, max-age=31536000, immutable"


@pytest.mark.parametrize("page", ["/", "/rate", "/problems"])
def test_the_files_of_a_page_are_kept_for_good_and_the_page_is_asked_for_again(
    client: FlaskClient, page: str
) -> None:
    answer = client.get(page)
    assert answer.headers["Cache-Control"] == "no-cache"
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert client.get(page, headers=tag).status_code == 304
    files = re.findall(r'(?:href|src)="(static/[^"]+)"', answer.text)
    assert len(files) >= 3
    for file in files:
        kept = client.get(f"/{file}")
        assert (kept.status_code, kept.headers["Cache-Control"]) == (200, FOR_GOOD), file


def test_files_of_another_build_and_without_one_are_asked_for_again(client: FlaskClient) -> None:
    plain = client.get("/static/embed.js")
    other = client.get("/static/0123456789ab/embed.js")
    assert plain.data == other.data
    assert plain.headers["Cache-Control"] == other.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/0123456789ab/none.js").status_code == 404
    assert client.get("/static/0123456789ab/..%2f..%2fwsgi.py").status_code == 404


def test_a_problem_leads_to_its_description(client: FlaskClient) -> None:
    problem = client.get("/v1/products/none").get_json()
    place, _, code = problem["type"].partition("#")
    assert (place, code) == ("/problems", "unknown_product")
    assert f'<dt id="{code}">' in client.get(problem["type"]).text
    assert client.get(problem["instance"]).status_code == 200


def test_every_code_of_the_interface_is_described(client: FlaskClient) -> None:
    page = client.get("/problems").text
    described = set(re.findall(r'<dt id="(\w+)">', page))
    codes = {
        code
        for path in document()["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        for part in response.get("content", {}).values()
        for schema in part.get("schema", {}).get("allOf", [])[1:]
        for code in schema["properties"]["code"]["enum"]
    }
    assert codes <= described
    assert {"not_found", "method_not_allowed", "internal_error"} <= described


@pytest.mark.parametrize("path", ["/", "/openapi.json", "/static/embed.js", "/static/0/app.js"])
def test_what_many_clients_get_is_compressed_for_those_who_accept_it(
    client: FlaskClient, path: str
) -> None:
    plain = client.get(path)
    small = client.get(path, headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 2
    assert small.headers["ETag"] == plain.headers["ETag"]
    assert "Accept-Encoding" in small.vary
    assert int(small.headers["Content-Length"]) == len(small.data)
    tag = {"If-None-Match": small.headers["ETag"], "Accept-Encoding": "gzip"}
    assert client.get(path, headers=tag).status_code == 304
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0"})
    assert refused.data == plain.data
