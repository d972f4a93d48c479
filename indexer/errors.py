"""Everything that can go wrong, as one class per thing a caller can act on.

The classes know nothing of HTTP or of exit codes: `service.http.problems` and
`indexer.cli.errors` map them, each in one table.
"""


class ImageSearchError(Exception):
    """Base of all errors shown to a user. `code` is stable, the text is for people.

    Args:
        text: what is wrong, and what the user can do.
        hint: what only the operator of this machine can do; clients of the service do not see it.
    """

    code = "error"

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.text}; {self.hint}" if self.hint else self.text


class ConfigError(ImageSearchError):
    """A setting is unknown, has the wrong type or an impossible value."""

    code = "bad_config"


class ImageError(ImageSearchError):
    """A photo cannot be used; one subclass per reason."""

    code = "bad_image"


class EmptyImageError(ImageError):
    """There are no bytes."""

    code = "image_empty"


class UnsupportedFormatError(ImageError):
    """The bytes are no image, or one of a format that is not accepted."""

    code = "unsupported_format"


class TruncatedImageError(ImageError):
    """The file ends before the picture does."""

    code = "image_truncated"


class CorruptImageError(ImageError):
    """The format is accepted, but its contents contradict it."""

    code = "image_corrupt"


class ImageTooLargeError(ImageError):
    """More bytes or more pixels than the settings allow."""

    code = "image_too_large"


class FetchError(ImageError):
    """A photo's URL is not allowed, or does not give a photo."""

    code = "fetch_failed"


class HostError(FetchError):
    """The server of a photo is down, too slow or badly set up: another photo may fare no better."""


class BadParameterError(ImageSearchError):
    """A parameter of a query has an impossible value."""

    code = "bad_parameter"


class BadFilterError(BadParameterError):
    """A condition on attributes cannot be read, or names an attribute that no product has."""

    code = "bad_filter"


class FeedError(ImageSearchError):
    """A feed cannot be read at all; a bad row is a `Rejection`, not an error."""

    code = "bad_feed"


class FeaturesError(ImageSearchError):
    """Files of vectors and names cannot be read, or do not fit together."""

    code = "bad_features"


class WeightsError(ImageSearchError):
    """Weights cannot be found, fetched, verified or fitted to the network."""

    code = "bad_weights"


class UnsupportedPrecisionError(ImageSearchError):
    """The processor cannot compute in the precision that was asked for."""

    code = "unsupported_precision"


class EngineUnavailableError(ImageSearchError):
    """The runtime that the settings ask for or need is not installed, or ruled out by them."""

    code = "engine_unavailable"


class FingerprintMismatchError(ImageSearchError):
    """Embeddings of two kinds would meet in one ranking."""

    code = "fingerprint_mismatch"


class CatalogError(ImageSearchError):
    """The catalogue cannot be opened or is damaged."""

    code = "bad_catalog"


class StorageError(CatalogError):
    """The disk does not let the catalogue be read or written now. What is stored is whole."""

    code = "storage_unavailable"


class DiskFullError(StorageError):
    """There is no room for what is to be written."""

    code = "disk_full"


class ReadOnlyError(StorageError):
    """The disk can be read only."""

    code = "read_only"


class CatalogMissingError(StorageError):
    """There is no catalogue at the configured place, or no longer the one that was opened."""

    code = "catalog_missing"


class UnknownCollectionError(ImageSearchError):
    """No collection of this name is configured."""

    code = "unknown_collection"


class UnknownProductError(ImageSearchError):
    """The catalogue has no product of this id."""

    code = "unknown_product"


class LockedError(ImageSearchError):
    """Another process is writing to the collection."""

    code = "locked"

    def __init__(self, path: str, pid: int | None) -> None:
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{holder} is writing to this collection (lock: {path}); wait for it")
        self.pid = pid


class MassRemovalError(ImageSearchError):
    """A feed would remove more products than is plausible."""

    code = "mass_removal"
