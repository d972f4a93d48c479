"""All errors of the library, one class per error that callers handle differently.

`service.http.problems` maps the classes to HTTP statuses, `indexer.cli.errors` to exit codes.
"""

from collections.abc import Mapping
from types import MappingProxyType


class ImageSearchError(Exception):
    """Base of all errors shown to users. `code` is stable; the text may change.

    Args:
        text: what is wrong, and what the user can do.
        hint: what the operator of this machine can do; never sent to clients of the service.
    """

    code = "error"

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}" if self.hint else self.text


class ConfigError(ImageSearchError):
    """A setting is unknown or has an invalid value."""

    code = "bad_config"


class ImageError(ImageSearchError):
    """A photo cannot be used; base of the reasons."""

    code = "bad_image"


class EmptyImageError(ImageError):
    """The photo has no bytes."""

    code = "image_empty"


class UnsupportedFormatError(ImageError):
    """The bytes are not an image in a supported format."""

    code = "unsupported_format"


class TruncatedImageError(ImageError):
    """The file ends before the end of the picture."""

    code = "image_truncated"


class CorruptImageError(ImageError):
    """The file is in a supported format but damaged."""

    code = "image_corrupt"


class ImageTooLargeError(ImageError):
    """The photo has more bytes or pixels than the settings allow."""

    code = "image_too_large"


class FetchError(ImageError):
    """The URL of a photo is not allowed, or does not return a photo."""

    code = "fetch_failed"


class HostError(FetchError):
    """A photo server is down, too slow or misconfigured; its other photos may fail too."""


class BadParameterError(ImageSearchError):
    """A query parameter is invalid.

    Args:
        text: the first fault.
        hint: what the operator can do.
        faults: all faults, by the path of the value.
    """

    code = "bad_parameter"
    faults: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self, text: str, hint: str = "", *, faults: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text, hint)
        if faults:
            self.faults = faults


class BadFilterError(BadParameterError):
    """A condition on attributes is malformed, or names an attribute that no product has."""

    code = "bad_filter"


class FeedError(ImageSearchError):
    """A feed cannot be read; for an invalid row see `indexer.feeds.Rejection`."""

    code = "bad_feed"


class FeaturesError(ImageSearchError):
    """Files of vectors and names cannot be read, or do not match each other."""

    code = "bad_features"


class ModelError(ImageSearchError):
    """A model file, or the description of its input beside it, cannot be used."""

    code = "bad_model"


class WeightsError(ImageSearchError):
    """Weights cannot be found, downloaded or verified, or do not fit the model."""

    code = "bad_weights"


class UnsupportedByModelError(ImageSearchError):
    """The configured model cannot do what the request needs."""

    code = "unsupported_by_model"


class UnsupportedPrecisionError(ImageSearchError):
    """The processor does not support the requested precision."""

    code = "unsupported_precision"


class EngineUnavailableError(ImageSearchError):
    """The required runtime is not installed, or the settings exclude it."""

    code = "engine_unavailable"


class FingerprintMismatchError(ImageSearchError):
    """Embeddings of different fingerprints would be compared."""

    code = "fingerprint_mismatch"


class CatalogError(ImageSearchError):
    """The catalogue cannot be opened or is damaged."""

    code = "bad_catalog"


class DamagedError(CatalogError):
    """Stored data is damaged. Unlike other errors of the catalogue, this one is permanent."""


class StorageError(CatalogError):
    """The disk refuses reads or writes at the moment. Stored data is intact."""

    code = "storage_unavailable"


class StoreUnavailableError(StorageError):
    """A server that stores the collection does not answer.

    Args:
        text: what is wrong.
        retry_after_s: when to try again.
    """

    def __init__(self, text: str, retry_after_s: int = 2) -> None:
        super().__init__(f"{text}; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class DiskFullError(StorageError):
    """The disk is full."""

    code = "disk_full"


class ReadOnlyError(StorageError):
    """The disk is read-only."""

    code = "read_only"


class CatalogMissingError(StorageError):
    """The catalogue does not exist, or was replaced after it was opened."""

    code = "catalog_missing"


class UnknownCollectionError(ImageSearchError):
    """No collection with this name is configured."""

    code = "unknown_collection"


class UnknownProductError(ImageSearchError):
    """The catalogue has no product with this id."""

    code = "unknown_product"


class PreconditionError(ImageSearchError):
    """The stored product is not the one that a change was meant for."""

    code = "precondition_failed"


class LockedError(ImageSearchError):
    """Another process is writing to the same folder."""

    code = "locked"

    def __init__(self, path: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{holder} is writing (lock: {path}); wait for it")
        self.pid = pid


class DeclinedError(ImageSearchError):
    """The user answered no to a question."""

    code = "declined"


class MassRemovalError(ImageSearchError):
    """A feed would remove suspiciously many products."""

    code = "mass_removal"
