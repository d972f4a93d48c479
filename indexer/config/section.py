"""The base of all groups of settings, and types that several of them use."""

import re
from typing import Annotated, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

HostName = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$",
        examples=["photos.internal", "photos.internal:8080"],
    ),
]

Duration = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}[smhd]$", examples=["30m", "20h", "7d"])]
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(duration: str) -> int:
    """Returns the length of a `Duration` such as `20h` in seconds."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _split(value: object) -> object:
    return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


# For lists: text such as `a, b` is one too.
COMMA_SEPARATED = BeforeValidator(_split)


class Section(BaseModel):
    """An immutable group of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_boolean_as_number(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError("must not be a boolean")
        return value
