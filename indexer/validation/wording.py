"""Validation errors in plain words; pydantic's texts mention Python types and patterns."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, core_schema

_MAX_SHOWN = 200  # characters of a received value
_JSON = json.JSONEncoder(ensure_ascii=False, default=repr)
_INTEGER, _NUMBER, _OBJECT = "must be an integer", "must be a number", "must be an object"
_BOOLEAN = "must be true or false"
_REASONS = {
    "string_type": "must be a string",
    "string_unicode": "must be valid Unicode",
    "string_too_short": "too short (minimum length {min_length})",
    "string_too_long": "too long (maximum length {max_length})",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_parsing_size": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "too_short": "too few items (minimum {min_length})",
    "too_long": "too many items (maximum {max_length})",
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


@dataclass(frozen=True)
class Matching:
    """Metadata of a field of text: `Annotated[str, Matching(...)]`.

    Args:
        pattern: what the text must match.
        expected: description of the pattern in the error.
    """

    pattern: str
    expected: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.custom_error_schema(
            core_schema.str_schema(pattern=self.pattern),
            custom_error_type="text_mismatch",
            custom_error_message=f"must be {self.expected}",
        )


def path_of(location: tuple[int | str, ...], within: str = "") -> str:
    """Returns the path of a value in a document: `events[3].action`."""
    name = within
    for part in location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def explained(model: type[BaseModel], invalid: ValidationError, where: str = "") -> str:
    """Describes the first fault of a document: its place, what was received, what it must be.

    Args:
        model: that the document does not fit.
        invalid: the faults.
        where: the place of the document in a larger one.
    """
    error = invalid.errors(include_url=False)[0]
    *parents, last = error["loc"] or ("",)
    if error["type"] == "extra_forbidden":
        if not parents:
            return unknown(model, str(last), where)
        return f"{path_of(tuple(parents), where)}: unknown parameter {shown(last)}"
    name = path_of(error["loc"], where)
    if error["type"] == "missing":
        return f"{name}: missing"
    if error["type"] == "value_error" and not error["loc"]:  # of several parameters: it names them
        return reason(error)
    return f"{name}{': ' if name else ''}received {shown(error['input'])}; {reason(error)}"


def unknown(model: type[BaseModel], name: str, where: str = "") -> str:
    """Describes a name that is none of the fields of a model."""
    within = f"{where}: " if where else ""
    return f"{within}unknown parameter {shown(name)}; known: {', '.join(model.model_fields)}"


def reason(error: ErrorDetails) -> str:
    """Returns the reason of an error: what the value must be, or what is wrong with it."""
    text = _REASONS.get(error["type"])
    if text is None:
        return error["msg"][:1].lower() + error["msg"][1:]
    return text.format(**error.get("ctx", {}))


def shown(value: object) -> str:
    """Formats a received value for an error text: strings quoted, others as JSON, truncated."""
    if isinstance(value, str):
        return f"{value[:_MAX_SHOWN]!r:.{_MAX_SHOWN}}"
    text = ""
    for piece in _JSON.iterencode(value):  # a value may be huge: no more of it than is shown
        text += piece[:_MAX_SHOWN]
        if len(text) >= _MAX_SHOWN:
            break
    return text[:_MAX_SHOWN]
