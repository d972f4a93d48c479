"""Which pages of other origins may read answers."""

import pytest

from indexer.access.keys import Keys
from tests.service.access.conftest import SIMILAR, Serve, make

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
