"""Cleans and validates single values; invalid ones raise `RowError`."""

import datetime
import json
import math
import re
import unicodedata
from decimal import Decimal

from indexer.feeds.limits import require_shallow
from indexer.feeds.rows import AttributeValue, RowError

MAX_ID_LENGTH = 512  # characters

_MAX_EXACT_INT = 2**53  # JSON parsers that use doubles change the digits of larger integers
# Invisible characters: byte order marks of concatenated files, zero-width spaces.
_INVISIBLE = "\ufeff\u200b\u2060"
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def clean(name: str, value: object) -> AttributeValue | None:
    """Converts a value to an attribute; None if the cell is empty (NaN in pandas).

    Text is stripped. Dates become ISO 8601, nested values JSON text, and integers too large for
    a double text.

    Raises:
        RowError: the value is invalid.
    """
    if isinstance(value, bytes):  # undecodable bytes become surrogates, rejected below
        value = value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return _clean_text(name, value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_EXACT_INT else _digits(name, value)
    if isinstance(value, float | Decimal):
        return _clean_number(name, float(value))
    return _clean_object(name, value)


def _digits(name: str, value: int) -> str:
    try:
        return str(value)
    except ValueError as error:  # Python limits the number of digits
        raise RowError(f"{name} is a number with too many digits") from error


def _clean_text(name: str, value: str) -> str | None:
    if _SURROGATE.search(value):
        raise RowError(f"{name} is not valid Unicode; encode it as UTF-8")
    return value.strip() or None


def _clean_number(name: str, value: float) -> float | None:
    if math.isinf(value):
        raise RowError(f"{name} must be a finite number; received {value}")
    return None if math.isnan(value) else value


def _clean_object(name: str, value: object) -> str | None:
    if value is None or value == [] or value == {}:
        return None
    if isinstance(value, datetime.date | datetime.time):  # a datetime is a date
        return value.isoformat()
    if not isinstance(value, list | dict):
        return _clean_text(name, str(value))
    require_shallow(name, value)
    try:
        return _clean_text(name, json.dumps(value, ensure_ascii=False, default=str))
    except (TypeError, ValueError, RecursionError) as error:
        raise RowError(f"{name} is nested too deeply") from error


def number(name: str, value: str) -> int | float:
    """Parses a number: `42` is an int, `42.0` a float.

    Raises:
        RowError: the value is not a number.
    """
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    raise RowError(f"{name} must be a number; received {value!r:.80}")


def boolean(name: str, value: object) -> bool:
    """Parses true/false, yes/no or 1/0.

    Raises:
        RowError: the value is none of these.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    flag = _BOOLEANS.get(str(value).strip().lower())
    if flag is None:
        raise RowError(f"{name} must be true/false, yes/no or 1/0; received {value!r}")
    return flag


def product_id(value: object) -> str:
    """Returns the merchant's id as text of 1 to 512 characters.

    Raises:
        RowError: the id is missing, too long, or has a control character.
    """
    if isinstance(value, float) and value.is_integer():  # pandas turns 7 into 7.0
        value = int(value)
    if isinstance(value, bool | float | list | dict):
        raise RowError(f"id must be text or a whole number; received {value!r:.80}")
    text = clean("id", value)
    if text is None:
        raise RowError("id is missing")
    text = str(text).strip(_INVISIBLE).strip()
    if not text:
        raise RowError("id is missing")
    if len(text) > MAX_ID_LENGTH:
        raise RowError(f"id has {len(text)} characters; at most {MAX_ID_LENGTH} are accepted")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise RowError(f"id has a control character: {text!r}")
    return text
