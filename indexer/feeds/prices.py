"""Parses prices in the notations of shops, and computes what the shopper pays.

Attributes: `price` is what the shopper pays now, that is the sale price during a sale;
`regular_price` is set only during a sale and is higher; `currency` is set if known. The filter
`price<=50` therefore compares what is paid, and `regular_price>0` finds products on sale.
"""

import datetime
import math
import re

from indexer.feeds.rows import AttributeValue, RowError

CURRENCY = re.compile("[A-Z]{3}")
COLUMNS = ("price", "sale_price", "regular_price", "currency", "sale_price_effective_date")

_MAX_PRICE = 1e12  # a larger number is a barcode in the wrong column
# White space and apostrophes separate thousands only: 1 234.50 and 1'234.50.
_SPACED = re.compile(r"[1-9][0-9]{0,2}(?:[\s'’][0-9]{3})+(?:[.,][0-9]+)?")
# What shops write for a currency, in capitals. None: several countries use it.
_UNITS = {
    **dict.fromkeys(("$", "¥", "KR", "KR.", "FR", "FR.", "RS", "RS."), None),
    **{"€": "EUR", "£": "GBP", "US$": "USD", "A$": "AUD", "C$": "CAD", "NZ$": "NZD"},
    **{"HK$": "HKD", "R$": "BRL", "ZŁ": "PLN", "ZL": "PLN", "KČ": "CZK", "FT": "HUF"},
    **{"LEI": "RON", "ЛВ": "BGN", "ЛВ.": "BGN", "₴": "UAH", "₽": "RUB", "₺": "TRY", "TL": "TRY"},
    **{"SFR": "CHF", "SFR.": "CHF", "₹": "INR", "₩": "KRW", "₪": "ILS", "₫": "VND", "฿": "THB"},
}
_WHOLE = re.compile(r"[0-9]+|[1-9][0-9]{0,2}([.,\s'’])[0-9]{3}(\1[0-9]{3})*")
_UNIT = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_PRICE = re.compile(
    rf"\s*(?P<before>{_UNIT}|[A-Z]{{3}})?\s*(?P<number>[0-9](?:[0-9.,\s'’]*[0-9])?)"
    r"(?P<dash>[.,:]\s?[-–—]{1,2})?"  # for the decimals: 49,- and 49:-
    rf"\s*(?P<after>{_UNIT}|[A-Z]{{3}})?\s*"
)
# 1.299 EUR and 1,299 EUR mean 1299 in some countries and 1.299 in others. A point is exempt in
# currencies with thousandths.
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_THOUSANDTHS = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"}
_POINT = re.compile(r"[0-9]+(\.[0-9]+)?|[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]+)?")
_COMMA = re.compile(
    r"[0-9]+,[0-9]+|[1-9][0-9]{0,2}(\.[0-9]{3})+,[0-9]+|[1-9][0-9]{0,2}(\.[0-9]{3}){2,}"
)


def parse_price(name: str, value: AttributeValue) -> tuple[float, str | None]:
    """Parses `15.00 USD`, `15,00 EUR`, `1,234.50`, `€15`, `49,- kr` or 15.0: amount and currency.

    A single point or comma before exactly three digits is ambiguous, because it separates thousands
    in some countries and decimals in others, and the price is rejected.

    Raises:
        RowError: the price is malformed, ambiguous or out of range.
    """
    currency: str | None = None
    if isinstance(value, str):
        amount, currency = _parse_text(name, value)
    elif isinstance(value, bool):
        raise _unreadable(name, value)
    else:
        amount = value
    if not 0 <= amount < _MAX_PRICE:
        raise RowError(f"{name} must be from 0 to {_MAX_PRICE:.0e}; received {value!r:.80}")
    return float(amount), currency


def _parse_text(name: str, value: str) -> tuple[float, str | None]:
    match = _PRICE.fullmatch(value.upper())
    if match is None:
        raise _unreadable(name, value)
    text = match["number"]
    if match["dash"]:
        text = _without_separators(name, value, text)
    elif _SPACED.fullmatch(text):
        text = re.sub(r"[\s'’]", "", text)
    if _POINT.fullmatch(text):
        amount = float(text.replace(",", ""))
    elif _COMMA.fullmatch(text):
        amount = float(text.replace(".", "").replace(",", "."))
    else:
        raise _unreadable(name, value)
    if match["before"] and match["after"]:
        raise _unreadable(name, value)
    unit = match["before"] or match["after"]
    if _AMBIGUOUS.fullmatch(text) and ("," in text or unit not in _THOUSANDTHS):
        whole, decimal = re.sub("[.,]", "", text), text.replace(",", ".")
        raise RowError(
            f"{name} {value!r:.80} is ambiguous: {whole} or {decimal}?"
            f" Write {whole}.00 or {decimal}0"
        )
    return amount, _UNITS.get(unit, unit) if unit else None


def _without_separators(name: str, value: str, number: str) -> str:
    """Returns the digits of a whole number, in which any separator is one of thousands."""
    if not _WHOLE.fullmatch(number):
        raise _unreadable(name, value)
    return re.sub(r"[^0-9]", "", number)


def _unreadable(name: str, value: object) -> RowError:
    return RowError(f"{name} cannot be read; received {value!r:.80}, expected e.g. '15.00 USD'")


def price_attributes(
    columns: dict[str, AttributeValue], now: datetime.datetime
) -> tuple[dict[str, AttributeValue], list[str]]:
    """Returns the attributes for the columns `COLUMNS`, and warnings.

    Args:
        columns: cleaned values by column.
        now: decides whether a dated sale applies.

    Raises:
        RowError: a price is invalid, or the prices have several currencies.
    """
    amounts, attributes = _amounts(columns)
    warnings = []
    if "sale_price_effective_date" in columns:
        window = str(columns["sale_price_effective_date"])
        attributes["sale_price_effective_date"] = window
        within = _is_within(window, now)
        if within is None:
            warnings.append(
                f"sale_price_effective_date {window!r:.80} is invalid and ignored;"
                " expected START/END in ISO 8601"
            )
        elif not within:
            amounts.pop("sale_price", None)
    sale, price = amounts.get("sale_price", 0.0), amounts.get("price", math.inf)
    if sale > price:
        warnings.append(f"sale_price {sale:.2f} is above price {price:.2f} and ignored")
    return attributes | _what_is_paid(amounts), warnings


def _amounts(
    columns: dict[str, AttributeValue],
) -> tuple[dict[str, float], dict[str, AttributeValue]]:
    """Returns the amounts by column, and the attribute `currency` if known."""
    amounts: dict[str, float] = {}
    currencies: set[str] = set()
    for name in ("price", "sale_price", "regular_price"):
        if name in columns:
            amounts[name], currency = parse_price(name, columns[name])
            currencies |= {currency} if currency else set()
    if len(currencies) > 1:
        raise RowError(f"prices of one product have several currencies: {sorted(currencies)}")
    if currencies:
        return amounts, {"currency": currencies.pop()}
    if "currency" in columns:
        return amounts, {"currency": _currency(str(columns["currency"]))}
    return amounts, {}


def _what_is_paid(amounts: dict[str, float]) -> dict[str, AttributeValue]:
    if not amounts:
        return {}
    sale = amounts.get("sale_price", 0.0)
    price = amounts.get("price", amounts.get("regular_price", sale))
    paid = sale if 0 < sale < price else price  # shops write 0 for no sale
    regular = max(price, amounts.get("regular_price", 0.0))
    return {"price": paid, "regular_price": regular} if regular > paid > 0 else {"price": paid}


def _currency(text: str) -> str:
    return text.upper() if CURRENCY.fullmatch(text.upper()) else text


def _is_within(window: str, now: datetime.datetime) -> bool | None:
    """Returns whether `now` is within `start/end` in ISO 8601; None if `window` is malformed."""
    start, _, end = window.partition("/")
    try:
        return _moment(start) <= now <= _moment(end)
    except (ValueError, OverflowError):
        return None


def _moment(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text.strip())
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
