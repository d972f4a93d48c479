"""The parameters of a query besides its photo or product."""

import re
from functools import cached_property
from typing import Annotated, Any, NamedTuple, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from indexer.errors import BadFilterError
from indexer.store import Condition, parse
from indexer.validation import Matching

# Photos of a higher cosine are the same picture, scaled or compressed again.
NEAR_IDENTICAL = 0.995
# `dedup` compares every product of the page with all before it.
MAX_DEDUP_DEPTH = 2_000
MAX_OFFSET = 1_000_000
_DEFAULT_BOOST = 0.1
_WEIGHT = re.compile(r"(.*)\^\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*", re.DOTALL)
Attribute = Annotated[str, Matching(r"^\w+$", "the name of an attribute")]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _by_commas(value: object) -> object:
    texts = _one_or_many(value)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return texts
    return [part.strip() for text in texts for part in text.split(",")]


def _threshold(value: object) -> object:
    if value is True or value == "true":
        return NEAR_IDENTICAL
    return None if value is False or value == "false" else value


Cosine = Annotated[float, Field(ge=0.5, le=1)]
ConditionText = Annotated[str, Field(min_length=1, max_length=2000)]
ProductId = Annotated[str, Field(min_length=1)]
ProductIds = Annotated[
    list[ProductId], Field(fail_fast=True, max_length=50), BeforeValidator(_one_or_many)
]

Filter = Annotated[
    list[ConditionText],
    Field(
        fail_fast=True,
        max_length=32,
        description="Conditions on attributes, all of which a product must meet:"
        " `color:red,blue`, `price<=50`, `in_stock:true`, `!brand:acme`.",
    ),
    BeforeValidator(_one_or_many),
]

BoxText = Annotated[
    Annotated[
        str,
        Matching(
            r"^(auto|[\d.]+(,[\d.]+){3})$",
            "x1,y1,x2,y2 as fractions of the photo's sides, or auto",
        ),
    ]
    | None,
    Field(
        description="Part of a photo to search with: x1,y1,x2,y2 as fractions of its sides,"
        " or auto to find the product in it. Only with a photo.",
    ),
]


class Boost(NamedTuple):
    """A weight that is added to the score of products that meet a condition."""

    condition: Condition
    weight: float


class SearchParameters(BaseModel):
    """Which products to find, how to rank them, and which page of the ranking to return."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[int, Field(ge=1, le=200, description="Products on the page.")] = 10
    offset: Annotated[
        int,
        Field(
            ge=0,
            le=MAX_OFFSET,
            description="Products of the ranking before the page. Pages of different `seq` may"
            " repeat or lack products.",
        ),
    ] = 0
    min_score: Annotated[
        float | None,
        Field(ge=-1, le=1, allow_inf_nan=False, description="Lowest score that counts as a match."),
    ] = None
    box: BoxText = None
    filter: Filter = []
    facets: Annotated[
        list[Attribute],
        Field(
            fail_fast=True,
            max_length=20,
            description="Attributes whose values are counted over all matching products.",
        ),
        BeforeValidator(_by_commas),
    ] = []
    boost: Annotated[
        list[ConditionText],
        Field(
            fail_fast=True,
            max_length=4,
            description="Conditions that move products up without hiding others:"
            f" `brand:acme`, `brand:acme^0.2` (weight -1 to 1, default {_DEFAULT_BOOST}).",
        ),
        BeforeValidator(_one_or_many),
    ] = []
    dedup: Annotated[
        Cosine | None,
        BeforeValidator(_threshold),
        Field(
            description="Show only the best of products with near-identical photos: `true`"
            f" ({NEAR_IDENTICAL}) or a cosine threshold.",
        ),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "number", "minimum": 0.5, "maximum": 1},
                    {"type": "null"},
                ]
            }
        ),
    ] = None
    diversify: Annotated[
        Annotated[
            str,
            Matching(r"^\w+(:[1-9]\d?)?$", "an attribute, or attribute:n with n from 1 to 99"),
        ]
        | None,
        Field(
            description="Interleave by an attribute, `brand`; `brand:2` takes two products of"
            " each value per turn.",
        ),
    ] = None
    group_by: Annotated[
        Attribute | None,
        Field(
            description="Show only the best product of each value of an attribute.",
        ),
    ] = None
    more_like: Annotated[
        ProductIds, Field(description="Example products; excluded from the results.")
    ] = []
    less_like: Annotated[
        ProductIds, Field(description="Counterexamples; excluded from the results.")
    ] = []

    @field_validator("limit", "offset", "min_score", mode="before")
    @classmethod
    def _booleans_are_refused(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("must be a number")
        return value

    @model_validator(mode="after")
    def _dedup_is_not_too_deep(self) -> Self:
        if self.dedup is not None and self.offset + self.limit > MAX_DEDUP_DEPTH:
            raise ValueError(f"with dedup, offset + limit must be at most {MAX_DEDUP_DEPTH}")
        return self

    @model_validator(mode="after")
    def _conditions_can_be_read(self) -> Self:
        self.conditions, self.boosts  # noqa: B018  # read here, and kept
        return self

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The conditions of `filter`, parsed once."""
        return tuple(parse(text) for text in self.filter)

    @cached_property
    def boosts(self) -> tuple[Boost, ...]:
        """The conditions of `boost`, parsed once."""
        return tuple(_boost(text) for text in self.boost)

    @property
    def turns(self) -> tuple[str, int] | None:
        """The attribute of `diversify`, and how many products of a value to take per turn."""
        if self.diversify is None:
            return None
        name, _, per_turn = self.diversify.partition(":")
        return name, int(per_turn or 1)


def _boost(text: str) -> Boost:
    match = _WEIGHT.fullmatch(text)
    weight = float(match[2]) if match else _DEFAULT_BOOST
    if not -1 <= weight <= 1:
        raise BadFilterError(
            f"boost: received {text!r:.200}; the weight after ^ must be from -1 to 1"
        )
    return Boost(parse(match[1] if match else text), weight)
