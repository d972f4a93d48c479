"""API keys of the HTTP service, in one small file for all collections.

A key is `ID.SECRET`. The file stores the SHA-256 of the secret; a slow hash would add no
protection, because the secret has 256 random bits.
"""

import hmac
import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from indexer.errors import ImageSearchError
from indexer.files import write_atomically, writer_lock

Scope = Literal["search", "events", "rate", "metrics", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

FILE_NAME = "keys.json"  # not a valid collection name


class KeysError(ImageSearchError):
    """The file of API keys cannot be read or written."""

    code = "bad_keys"


class UnknownKeyError(ImageSearchError):
    """There is no key with this id."""

    code = "unknown_key"


@dataclass(frozen=True)
class Key:
    """A stored key.

    Attributes:
        id: the first part of the key.
        name: given by the operator.
        scopes: what the key permits.
        sha256: of the secret.
        created_at: ISO 8601, UTC.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: str

    def allows(self, scope: Scope) -> bool:
        """Returns whether the key permits `scope`; `admin` permits everything."""
        return scope in self.scopes or "admin" in self.scopes


class Keys:
    """The keys in a data folder. Thread-safe; changes by any process apply to the next call."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._read: tuple[object, dict[str, Key]] = (None, {})

    def all(self) -> dict[str, Key]:
        """Returns all keys by id, oldest first.

        Raises:
            KeysError: the file is damaged or cannot be read.
        """
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeysError(f"{self.path}: cannot be read: {error.strerror}") from error
        version = status.st_ino, status.st_mtime_ns, status.st_size
        if self._read[0] != version:
            self._read = version, self._load()
        return self._read[1]

    def find(self, text: str) -> Key | None:
        """Returns the key with the text that a client sent; None if it is invalid.

        Raises:
            KeysError: see `all`.
        """
        key_id, _, secret = text.partition(".")
        key = self.all().get(key_id)
        return key if key and hmac.compare_digest(key.sha256, _hash(secret)) else None

    def create(self, scopes: Iterable[Scope], name: str) -> tuple[Key, str]:
        """Creates a key; returns it with its text, which is not stored.

        Raises:
            LockedError: another process is changing the keys.
            KeysError: the file cannot be read or written.
        """
        key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        key = Key(key_id, name, tuple(dict.fromkeys(scopes)), _hash(secret), now)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KeysError(f"{self.path}: cannot be written: {error}") from error
        with writer_lock(self.path.parent):
            self._write([*self.all().values(), key])
        return key, f"{key_id}.{secret}"

    def revoke(self, key_id: str) -> Key:
        """Deletes a key.

        Raises:
            UnknownKeyError: there is no key with this id.
            LockedError: another process is changing the keys.
            KeysError: the file cannot be read or written.
        """
        unknown = UnknownKeyError(f"there is no key {key_id!r}; `keys list` shows their ids")
        if not self.path.is_file():
            raise unknown
        with writer_lock(self.path.parent):
            keys = dict(self.all())
            revoked = keys.pop(key_id, None)
            if revoked is None:
                raise unknown
            self._write(keys.values())
        return revoked

    def _load(self) -> dict[str, Key]:
        try:
            rows = json.loads(self.path.read_bytes())["keys"]
            keys = [Key(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeysError(
                f"{self.path}: cannot be read: {error}; restore it, or delete it and create new"
                " keys"
            ) from error
        return {key.id: key for key in keys}

    def _write(self, keys: Iterable[Key]) -> None:
        text = json.dumps({"keys": [asdict(key) for key in keys]}, indent=2) + "\n"
        try:
            write_atomically(self.path, text.encode(), mode=0o600)
        except OSError as error:
            raise KeysError(f"{self.path}: cannot be written: {error}") from error


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
