"""The one place where errors become exit codes."""

from indexer.errors import (
    BadFilterError,
    BadParameterError,
    ConfigError,
    ImageSearchError,
    LockedError,
    UnknownCollectionError,
)

DONE = 0
FAILED = 1
USAGE = 2
SOME_REJECTED = 3
LOCKED = 4
INTERRUPTED = 130  # as shells report Ctrl-C

_CODES: dict[type[ImageSearchError], int] = {
    BadFilterError: USAGE,
    BadParameterError: USAGE,
    ConfigError: USAGE,
    UnknownCollectionError: USAGE,
    LockedError: LOCKED,
}


def exit_code(error: ImageSearchError) -> int:
    """The exit code of a command that ends with this error."""
    return _CODES.get(type(error), FAILED)
