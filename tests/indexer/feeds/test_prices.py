"""How the prices of a row are read."""

import re
from pathlib import Path

import pytest

from tests.indexer.feeds.reading import reason_of, row_of, warnings_of


@pytest.mark.parametrize(
    ("value", "price", "currency"),
    [
        ("15.00 USD", 15.0, "USD"),
        ("USD 15.00", 15.0, "USD"),
        ("15,00 EUR", 15.0, "EUR"),
        ("15.00eur", 15.0, "EUR"),
        ("1,234.50 USD", 1234.5, "USD"),
        ("1.234,50 EUR", 1234.5, "EUR"),
        ("1\u00a0234,50 €", 1234.5, "EUR"),
        ("1'234.50 CHF", 1234.5, "CHF"),
        ("1 234", 1234.0, None),
        ("EUR 1 234 567,89", 1234567.89, "EUR"),
        ("1,234,567", 1234567.0, None),
        ("0,990 KWD", 0.99, "KWD"),
        (" € 15 ", 15.0, "EUR"),
        ("0.234", 0.234, None),
        ("1.2340 EUR", 1.234, "EUR"),
        ("1.234 KWD", 1.234, "KWD"),  # which has thousandths
        (1.234, 1.234, None),
        ("1.234.567", 1234567.0, None),
        ("$15", 15.0, None),
        (15, 15.0, None),
        (15.5, 15.5, None),
        ("0", 0.0, None),
        ("49,90 zł", 49.9, "PLN"),
        ("1 299,00 ZŁ", 1299.0, "PLN"),
        ("49 kr", 49.0, None),  # of which country?
        ("kr. 49,50", 49.5, None),
        ("49 KRW", 49.0, "KRW"),
        ("49,- €", 49.0, "EUR"),
        ("49,– €", 49.0, "EUR"),
        ("49:-", 49.0, None),
        ("Fr. 49.—", 49.0, None),
        ("kr 1.299,-", 1299.0, None),  # a comma before the dash, so the point is of thousands
        ("1 299,-- Kč", 1299.0, "CZK"),
        ("19 990 Ft", 19990.0, "HUF"),
        ("149,99 lei", 149.99, "RON"),
        ("49,90 лв.", 49.9, "BGN"),
        ("US$ 15", 15.0, "USD"),
        ("R$ 15,50", 15.5, "BRL"),
        ("₺ 1.250,00", 1250.0, "TRY"),
    ],
)
def test_a_price_is_read_however_shops_write_it(
    tmp_path: Path, value: object, price: float, currency: str | None
) -> None:
    expected = {"price": price} | ({"currency": currency} if currency else {})
    assert row_of(tmp_path, price=value).attributes == expected


@pytest.mark.parametrize(
    "value",
    [
        "free",
        "nan",
        "inf",
        "-5",
        "1e5",
        "1,23,4.5",
        "USD 5 EUR",
        "12 99 EUR",
        "1 2.50",
        "1 234 5",
        "1234 567",
        "1.299 000",
        "5.",
        "9" * 400,
        -1,
        True,
        1e12,
        "USD",
        "12-15 USD",
        "49,-5",
        "49,50,-",
        "12 99,-",
        "49-",
        "zł",
        [5],
    ],
)
def test_a_price_that_cannot_be_read_rejects_the_row(tmp_path: Path, value: object) -> None:
    assert reason_of(tmp_path, price=value).startswith("price ")


@pytest.mark.parametrize(
    "value",
    ["1.299 EUR", "EUR 1.299", "1.299", "12.500 €", "$999.000", "12,345", "4,990 KWD", "1,299 USD"],
)
def test_a_price_that_is_a_thousand_to_one_shop_and_one_to_another_rejects_the_row(
    tmp_path: Path, value: str
) -> None:
    reason = reason_of(tmp_path, price=value)
    assert reason.startswith(f"price {value!r} is ambiguous")
    digits = re.sub("[^0-9.]", "", value.replace(",", "."))
    whole = digits.replace(".", "")
    assert f"{whole} or {digits}? Write {whole}.00 or {digits}0" in reason
    row_of(tmp_path, price=f"{whole}.00")
    row_of(tmp_path, price=f"{digits}0")


@pytest.mark.parametrize(
    ("columns", "warning"),
    [
        ({"price": "20", "sale_price": "25"}, "sale_price 25.00 is above price 20.00"),
        ({"price": "20", "sale_price": "15", "sale_price_effective_date": "soon"}, "'soon'"),
        ({"price": "20", "sale_price": "20"}, None),
        ({"price": "20", "sale_price": "0"}, None),
    ],
)
def test_a_sale_that_cannot_be_one_goes_in_with_a_warning(
    tmp_path: Path, columns: dict[str, str], warning: str | None
) -> None:
    found = warnings_of(tmp_path, **columns)
    assert found == () if warning is None else warning in found[0]


FROM_2000, UNTIL_2000 = "2000-01-01T00:00+0100/9000-01-01", "1999-01-01/2000-01-01T00:00Z"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"price": "20 USD", "sale_price": "15 USD"}, {"price": 15.0, "regular_price": 20.0}),
        ({"price": "20 USD", "sale_price": "20 USD"}, {"price": 20.0}),
        ({"price": "20 USD", "sale_price": "25 USD"}, {"price": 20.0}),
        ({"price": "20 USD", "sale_price": "0 USD"}, {"price": 20.0}),
        ({"sale_price": "15 USD"}, {"price": 15.0}),
        ({"regular_price": "20 USD"}, {"price": 20.0}),
        ({"regular_price": "20 USD", "price": "15 USD"}, {"price": 15.0, "regular_price": 20.0}),
    ],
)
def test_the_price_is_what_the_shopper_pays(
    tmp_path: Path, columns: dict[str, str], expected: dict[str, float]
) -> None:
    assert row_of(tmp_path, **columns).attributes == expected | {"currency": "USD"}


@pytest.mark.parametrize(("window", "price"), [(FROM_2000, 15), (UNTIL_2000, 20), ("soon", 15)])
def test_a_sale_counts_while_it_lasts(tmp_path: Path, window: str, price: float) -> None:
    row = row_of(tmp_path, price="20", sale_price="15", sale_price_effective_date=window)
    assert row.attributes["price"] == price


def test_prices_in_two_currencies_reject_the_row(tmp_path: Path) -> None:
    reason = reason_of(tmp_path, price="20 USD", sale_price="15 EUR")
    assert "['EUR', 'USD']" in reason
