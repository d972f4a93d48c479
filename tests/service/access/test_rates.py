"""How many requests an address and a key have."""

import base64
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from indexer.access.keys import Keys
from service.access.counts import Counts
from service.access.rates import RateLimit, count
from service.errors import RateLimitedError
from service.server.lifecycle import ASKED_FOR, BODY
from tests.conftest import png
from tests.processes import multipart
from tests.service.access.conftest import SIMILAR, Serve, bearer, limited, make


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
        ("/v1/search", LOCATED, 25),
        ("/v1/search/batch", {"queries": [{"product_id": "red"}] * 5}, 5),
        ("/v1/search/batch", {"queries": [LOCATED] * 2}, 50),
        ("/v1/explain", {"product_id": "red", "result": "none"}, 10),
        ("/v1/explain", {**LOCATED, "result": "none"}, 35),
    ],
)
def test_a_request_counts_as_what_it_costs(
    serve: Serve, keys: Keys, path: str, body: dict[str, Any], cost: int
) -> None:
    search = make(keys, "search")
    client = serve(rate_limit_per_key="60/hour")
    assert client.post(path, json=body, headers=search).status_code in (200, 409, 415)
    left = [client.get(SIMILAR, headers=search).status_code for _ in range(61 - cost)]
    assert left == [200] * (60 - cost) + [429]


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "path", "body"),
    [
        ("25/second", "/v1/search", LOCATED),
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
    client = serve(rate_limit_per_address="32/hour", rate_limit_per_key="27/hour")
    codes = [client.post("/v1/search", json=LOCATED, headers=mine).status_code for _ in range(5)]
    assert codes == [415, 429, 429, 429, 429]
    assert limited(client, **mine) == [200, 200, 429, 429]
    # 27 of the address's 32 are used up: the key's refusals did not count for the address.
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


def test_requests_that_cannot_be_counted_are_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "requests.sqlite"
    limit = RateLimit("address", "1/hour", Counts(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            count([(limit, "client")], 1)
    assert "requests cannot be counted" in caplog.text
    count([(limit, "client")], 1)
    with pytest.raises(RateLimitedError):
        count([(limit, "client")], 1)


def test_answers_tell_what_is_left_of_each_limit(serve: Serve, keys: Keys) -> None:
    key = dict(make(keys, "search"))
    client = serve(rate_limit_per_address="30/hour", rate_limit_per_key="9/day")
    answer = client.get(SIMILAR, headers=key)
    assert answer.headers["RateLimit-Policy"] == '"address";q=30;w=3600, "key";q=9;w=86400'
    assert re.fullmatch(r'"address";r=29;t=\d+, "key";r=8;t=\d+', answer.headers["RateLimit"])
    costly = client.post("/v1/search", json={"image_base64": PHOTO}, headers=key)
    assert '"key";r=7;' in costly.headers["RateLimit"]
    batch = {"queries": [{"product_id": "red"}] * 9}
    refused = client.post("/v1/search/batch", json=batch, headers=key)
    assert refused.status_code == 429
    assert '"key";r=7;' in refused.headers["RateLimit"]  # it counts for nothing
    assert "RateLimit" not in client.get("/healthz").headers


def test_a_request_whose_body_was_asked_for_tells_what_is_left(serve: Serve) -> None:
    client = serve(open=True, rate_limit_per_address="3/hour")
    client.get(SIMILAR)
    late = {BODY: ASKED_FOR}
    answer = client.post("/v1/events", json=[], environ_overrides=late)
    assert answer.headers["RateLimit"].startswith('"address";r=2;')
    assert limited(client) == [200, 200, 429, 429]


def test_without_limits_no_answer_tells_of_them(serve: Serve) -> None:
    assert "RateLimit-Policy" not in serve(open=True).get(SIMILAR).headers
