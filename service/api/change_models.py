"""The bodies of changes of products, and their answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.feeds import LIMITS, MAX_ATTRIBUTES
from service.http.examples import CHANGE, example

MAX_IMAGES = 20

Attributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Columns of a product feed, such as title, price, availability, product_type;"
        f" other columns become labels. Lists and objects are stored as JSON text. {LIMITS}",
        examples=[{"title": "Ankle boot", "price": "89.90 EUR", "availability": "in stock"}],
    ),
]
PatchedAttributes = Annotated[
    dict[str, Any],
    Field(
        max_length=MAX_ATTRIBUTES,
        description="Columns of a feed to change; null removes one, others remain. The limits apply"
        " to the whole product after the change.",
        examples=[{"price": "79.90 EUR", "color": None}],
    ),
]
Images = Annotated[
    list[str],
    Field(
        fail_fast=True,
        min_length=1,
        max_length=MAX_IMAGES,
        description="Photos, the main one first: a file in base64 (or as a data URL), which is"
        " stored, or an http(s) URL, which is not copied.",
        examples=[["https://shop.example/boot.jpg"]],
    ),
]


Warnings = Annotated[
    list[str] | None,
    Field(
        description="Values that were not stored as sent, such as a sale price above the price;"
        " absent if there are none."
    ),
]


class ProductBody(BaseModel):
    """A complete product: attributes and photos that it does not name are removed."""

    model_config = ConfigDict(extra="forbid")

    attributes: Attributes = {}
    images: Images


class AttributesBody(BaseModel):
    """Changes of attributes."""

    model_config = ConfigDict(extra="forbid")

    attributes: PatchedAttributes


class Operation(BaseModel):
    """One of several changes. `put` has images, `put` and `patch` have attributes."""

    model_config = ConfigDict(extra="forbid")

    op: Annotated[Literal["put", "patch", "delete"], Field(description="Like the HTTP method.")]
    product_id: Annotated[str, Field(description="Not percent-encoded.")]
    attributes: Annotated[
        dict[str, Any] | None,
        Field(
            max_length=MAX_ATTRIBUTES,
            description=f"Columns of a feed; null removes one in a patch. {LIMITS}",
        ),
    ] = None
    images: Images | None = None

    @model_validator(mode="after")
    def _has_what_it_takes(self) -> "Operation":
        if (self.images is not None) != (self.op == "put"):
            raise ValueError("`put` needs images, other operations must not have any")
        if self.attributes is None and self.op == "patch":
            raise ValueError("`patch` needs attributes")
        if self.attributes is not None and self.op == "delete":
            raise ValueError("`delete` must not have attributes")
        return self


class ChangeResponse(BaseModel):
    """A stored change, visible to the next search."""

    model_config = example(CHANGE)

    product_id: str
    collection: str
    seq: int = Field(description="State of the catalogue with this change.")
    outcome: Literal["added", "updated", "unchanged", "removed"]
    warnings: Warnings = None


class OperationResult(BaseModel):
    """The result of one operation; a failed one has `code` and `detail`."""

    product_id: str | None = Field(description="null if the operation has none.")
    outcome: Literal["added", "updated", "unchanged", "removed", "failed"]
    code: str | None = None
    detail: str | None = None
    warnings: Warnings = None


class BulkResponse(BaseModel):
    """The results of the operations, in order; all but the failed ones are stored."""

    collection: str
    seq: int
    failed: int
    results: list[OperationResult]
