"""Shared by several endpoints: models of requests and responses, and groups of errors."""

from typing import Annotated

from flask import request
from pydantic import BaseModel, ConfigDict, Field

from indexer import errors
from indexer.config import DEFAULT_COLLECTION
from service.errors import (
    BadRequestError,
    DeadlineError,
    NotReadyError,
    OverloadedError,
    RequestTooLargeError,
    UnsupportedMediaTypeError,
)
from service.http.parsing import unrepeated, validated

# x1, y1, x2, y2 as fractions of a photo's sides.
Corners = Annotated[list[float], Field(min_length=4, max_length=4)]
Base64Photo = Annotated[str | None, Field(description="A photo file in base64.")]
ThumbnailUrl = Annotated[
    str,
    Field(
        description="Path of this service: the photo 320 pixels wide, as WebP; `width` may also be"
        " 160 or 640."
    ),
]

OF_COLLECTION = (
    errors.UnknownCollectionError,
    NotReadyError,
    errors.BadParameterError,
    errors.CatalogMissingError,
    errors.StorageError,
)
OF_BODY = (BadRequestError, RequestTooLargeError, UnsupportedMediaTypeError)
OF_PHOTO = (
    DeadlineError,
    errors.EmptyImageError,
    errors.UnsupportedFormatError,
    errors.TruncatedImageError,
    errors.CorruptImageError,
    errors.ImageTooLargeError,
    errors.FingerprintMismatchError,
    errors.UnsupportedByModelError,
)
OF_SEARCH = (
    *OF_COLLECTION,
    errors.BadFilterError,
    errors.UnknownProductError,
    OverloadedError,
)


class CollectionQuery(BaseModel):
    """The parameter of requests other than searches."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: Annotated[str, Field(description="Section of the store.")] = DEFAULT_COLLECTION


def collection_in_url() -> str:
    """Returns the collection that the query string names.

    Raises:
        BadParameterError: the query string has other parameters.
    """
    return validated(CollectionQuery, unrepeated(request.args)).collection
