"""Signed query ids, which every process of the service can verify.

An id is 16 bytes in hexadecimal: the time, random bytes, and an HMAC of both with a secret in
the data directory. Guessing a signature of 56 bits takes longer than ids are valid.
"""

import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from indexer.errors import ImageSearchError
from indexer.events.store import FAILURES, EventsError
from indexer.files import sync

FILE_NAME = "events.key"  # not a valid collection name
_SECRET_BYTES = 32
_TIME_BYTES = 4
_RANDOM_BYTES = 5
_SIGNATURE_BYTES = 7


class UnknownQueryError(ImageSearchError):
    """The query id was never issued, or has expired."""

    code = "unknown_query"


class QueryIds:
    """Issues and verifies the query ids of one data directory. Thread-safe."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME
        self._read: tuple[object, bytes] = (None, b"")

    def new(self, at: int) -> str:
        """Issues an id for a query at time `at`, in seconds since 1970.

        Raises:
            EventsError: there is no secret, and none can be written.
        """
        signed = at.to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_RANDOM_BYTES)
        return (signed + self._signature(signed)).hex()

    def require(self, query_id: str, since: int) -> None:
        """Verifies an id.

        Raises:
            UnknownQueryError: the id was not issued here, or before `since`.
            EventsError: see `new`.
        """
        whole = bytes.fromhex(query_id)
        signed, signature = whole[:-_SIGNATURE_BYTES], whole[-_SIGNATURE_BYTES:]
        genuine = hmac.compare_digest(signature, self._signature(signed))
        if not genuine or int.from_bytes(signed[:_TIME_BYTES], "big") < since:
            raise UnknownQueryError(
                f"query_id: received {query_id}, which is not from a recent response of this"
                " service"
            )

    def _signature(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret(), signed, sha256)[:_SIGNATURE_BYTES]

    def _secret(self) -> bytes:
        """Returns the secret, reading the file again if it was replaced by another process."""
        try:
            with suppress(FileNotFoundError):
                return self._current()
            self._create()
            return self._current()
        except OSError as error:
            raise FAILURES.of(self._path, error) from error

    def _current(self) -> bytes:
        status = self._path.stat()
        version = status.st_ino, status.st_mtime_ns
        if self._read[0] != version:
            secret = self._path.read_bytes()
            if len(secret) != _SECRET_BYTES:
                raise EventsError(f"{self._path}: damaged; delete it, and a new one is created")
            self._read = version, secret
        return self._read[1]

    def _create(self) -> None:
        """Writes a new secret, unless another process already has."""
        descriptor, temporary = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(_SECRET_BYTES))
            sync(Path(temporary))
            with suppress(FileExistsError):
                os.link(temporary, self._path)
        finally:
            Path(temporary).unlink()
        sync(self._path.parent)
