"""Validation errors in plain words; pydantic's texts mention Python types and patterns."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import CoreSchema, ErrorDetails, core_schema

_MAX_SHOWN = 200  # characters of a received value
MAX_FAULTS = 20
_MAX_NAME = 100  # characters of an unknown name that are compared with the known ones
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

# A model and the name of one of its fields -> the values that the field may have.
Allowed = Callable[[type[BaseModel], str], str]


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


def explained(
    model: type[BaseModel],
    invalid: ValidationError,
    where: str = "",
    *,
    noun: str = "parameter",
    allowed: Allowed | None = None,
) -> str:
    """Describes the first fault of a document: its place, what was received, what it must be.

    Args:
        model: of the document.
        invalid: the faults.
        where: path of the document in a larger one.
        noun: name for the fields of the model.
        allowed: describes the allowed values of a field; by default the text is that of the fault.
    """
    return _explained(invalid.errors(include_url=False)[0], model, where, noun, allowed)


def faults(model: type[BaseModel], invalid: ValidationError, where: str = "") -> dict[str, str]:
    """Describes the faults of a document as `explained` does, by place; at most `MAX_FAULTS`."""
    found: dict[str, str] = {}
    for error in islice(invalid.errors(include_url=False), MAX_FAULTS):
        place = path_of(tuple(part for part in error["loc"] if part != "[key]"), where)
        found.setdefault(place, _explained(error, model, where))
    return found


def _explained(
    error: ErrorDetails,
    model: type[BaseModel],
    where: str,
    noun: str = "parameter",
    allowed: Allowed | None = None,
) -> str:
    location = tuple(part for part in error["loc"] if part != "[key]")
    annotations = _annotations(model, location)
    if error["type"] == "extra_forbidden":
        parent = annotations[-2]
        known = parent.model_fields if _is_model(parent) else ()
        return unknown(str(location[-1]), known, path_of(location[:-1], where), noun)
    if error["type"] == "missing":
        return f"{path_of(location, where)}: missing"
    must = reason(error)
    if error["type"] == "value_error" and not location:  # of several fields, which it names
        return must
    for depth, annotation in enumerate(annotations):
        if allowed and not _has_models(annotation):
            # For the whole field: its value may have several forms, of which one has the fault.
            must = f"allowed: {allowed(annotations[depth - 1], str(location[depth - 1]))}"
            location = location[:depth]
            break
    name = path_of(location, where)
    return f"{name}{': ' if name else ''}received {shown(error['input'])}; {must}"


def unknown(name: str, known: Iterable[str], where: str = "", noun: str = "parameter") -> str:
    """Describes a name that is not one of the known names."""
    known = list(known)
    close = get_close_matches(name[:_MAX_NAME], known, n=1)
    hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"
    within = f"{where}: " if where else ""
    return f"{within}unknown {noun} {shown(name)}{hint if known else ''}"


def _annotations(model: type[BaseModel], location: Iterable[int | str]) -> list[Any]:
    """Returns the types of a document and of the value at each step of a location."""
    found: list[Any] = [model]
    for part in location:
        if _is_model(found[-1]):
            field = found[-1].model_fields.get(part)
            found.append(field.annotation if field else None)
        else:  # an item of a list, or a value of a mapping
            found.append((get_args(found[-1]) or (None,))[-1])
    return found


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _has_models(annotation: Any) -> bool:
    return _is_model(annotation) or any(map(_has_models, get_args(annotation)))


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
