"""Maps errors to exit codes."""

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
INTERRUPTED = 130  # the code of shells for Ctrl-C

MEANINGS = (
    (DONE, "done"),
    (FAILED, "failed; verify, audit and evaluate --compare: something was found"),
    (USAGE, "invalid usage or settings"),
    (SOME_REJECTED, "done, but rows were rejected, or products or photos do not exist"),
    (LOCKED, "another process is writing"),
    (INTERRUPTED, "interrupted"),
)

_CODES: dict[type[ImageSearchError], int] = {
    BadFilterError: USAGE,
    BadParameterError: USAGE,
    ConfigError: USAGE,
    UnknownCollectionError: USAGE,
    LockedError: LOCKED,
}


def exit_code(error: ImageSearchError) -> int:
    """Returns the exit code for an error."""
    return _CODES.get(type(error), FAILED)
