"""How the attributes of a changed product are read, and their limits."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.feeds import change_attributes, read_attributes, read_changes
from tests.conftest import Store
from tests.service.api.changes.conftest import bulk, patch, photo, put, stored

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
    assert put(client, "p", "red").status_code == 201
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
    assert put(client, "p", "red", **{f"a{n}": n for n in range(200)}).status_code == 201
    more = client.patch("/v1/products/p", json={"attributes": {"one_more": 1}})
    assert more.status_code == 400
    assert more.json is not None
    assert more.json["code"] == "bad_parameter"
    assert "has 201 attributes; at most 200" in more.json["detail"]
    swapped = {"attributes": {"one_more": 1, "a0": None}}
    assert client.patch("/v1/products/p", json=swapped).status_code == 200
