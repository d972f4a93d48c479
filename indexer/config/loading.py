"""Loads settings, and reports an invalid one in one line."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from indexer.config.embedding import (
    MODEL_SUFFIXES,
    RETIRED_PRESETS,
    WEIGHTS_PRESETS,
    EmbeddingSettings,
)
from indexer.config.section import Section
from indexer.config.settings import Settings, StorageSettings
from indexer.errors import ConfigError
from indexer.validation import explained, unknown

PREFIX = "IMAGE_SEARCH_"
DEFAULT_FILE = Path("config.yaml")  # in the working directory
# Other variables with the prefix: the path of the settings file, the collection of a command, and
# the folder of test data.
OTHER_VARIABLES = {"IMAGE_SEARCH_CONFIG", "IMAGE_SEARCH_COLLECTION", "IMAGE_SEARCH_TEST_DATA"}
_NO_PATHS = (*WEIGHTS_PRESETS, *RETIRED_PRESETS, "auto", "none")


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings, for documentation, help and error messages."""

    section: str
    key: str
    group: type[Section]
    default: object
    description: str

    @property
    def variable(self) -> str:
        """The environment variable that overrides the setting."""
        return f"{PREFIX}{self.section}_{self.key}".upper()

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return _allowed(self.group, self.key)


def table() -> list[Setting]:
    """Returns every scalar setting, in the order of `settings`."""
    return [
        Setting(section, key, group, inner.default, inner.description or "")
        for section, group in _sections().items()
        for key, inner in group.model_fields.items()
    ]


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Loads settings from a YAML file and the environment.

    Args:
        path: of the file; None uses `config.yaml` in the working directory if it exists.
        environ: environment variables.

    Raises:
        ConfigError: a setting is unknown or invalid; the text names the key, the received value
            and the allowed values in one line.
    """
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    document = _read_yaml(path) if path else {}
    for setting, value in _overrides(environ):
        document.setdefault(setting.section, {})[setting.key] = value
    settings = _validated(Settings, document)
    for name in settings.collections:
        overrides = settings.collections[name].embedding
        merged = {**settings.embedding.model_dump(), **overrides}
        _validated(EmbeddingSettings, merged, f"collections.{name}.embedding")
    return settings


def replaced(settings: EmbeddingSettings, changes: Mapping[str, str]) -> EmbeddingSettings:
    """Returns embedding settings with other values for some keys.

    Raises:
        ConfigError: a key is unknown or a value invalid.
    """
    return _validated(EmbeddingSettings, {**settings.model_dump(), **changes}, "embedding")


def _sections() -> dict[str, type[Section]]:
    annotations = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: annotation
        for name, annotation in annotations.items()
        if isinstance(annotation, type) and issubclass(annotation, Section)
    }


def _allowed(section: type[BaseModel], key: str) -> str:
    schema = section.model_json_schema()["properties"][key]
    return " or ".join(_in_words(part) for part in schema.get("anyOf", [schema]))


def _in_words(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if schema.get("type") == "boolean":
        return "true or false"
    if schema.get("type") == "integer":
        low, high = schema["minimum"], schema.get("maximum")
        return (
            f"an integer of at least {low}" if high is None else f"an integer from {low} to {high}"
        )
    if schema.get("type") == "number":
        return f"a number above {schema['exclusiveMinimum']}, up to {schema['maximum']}"
    if schema.get("type") == "array":
        return f"a list or comma-separated {_in_words(schema['items'])}"
    if "examples" in schema:
        return "text such as " + " or ".join(schema["examples"])
    return "a path" if schema.get("format") == "path" else "text"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"cannot read the settings file {path}: {reason}") from error
    if not isinstance(document, dict | None):
        raise ConfigError(f"{path}: expected sections of settings, received {document!r}")
    sections = {name: {} if keys is None else keys for name, keys in (document or {}).items()}
    base = path.resolve().parent
    for key in StorageSettings.model_fields:
        _anchor(sections.get("storage"), key, base)
    embeddings = [each.get("embedding") for each in _mappings(sections.get("collections"))]
    for embedding in (sections.get("embedding"), *embeddings):
        for key in ("weights", "whitening"):
            _anchor(embedding, key, base)
        if isinstance(embedding, dict) and str(embedding.get("model")).endswith(MODEL_SUFFIXES):
            _anchor(embedding, "model", base)
    return sections


def _mappings(value: object) -> list[dict[str, Any]]:
    return [v for v in value.values() if isinstance(v, dict)] if isinstance(value, dict) else []


def _anchor(section: object, key: str, base: Path) -> None:
    """Makes the relative path in `section[key]` absolute, starting at `base`."""
    if isinstance(section, dict) and isinstance(value := section.get(key), str):
        section[key] = value if value in _NO_PATHS else str(base / value)


def _overrides(environ: Mapping[str, str]) -> Iterator[tuple[Setting, str]]:
    known = {setting.variable: setting for setting in table()}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in known:
            raise ConfigError(unknown(variable, known, "environment", "setting"))
        yield known[variable], environ[variable]


SectionT = TypeVar("SectionT", bound=Section)


def _validated(section: type[SectionT], document: dict[str, Any], where: str = "") -> SectionT:
    try:
        return section.model_validate(document)
    except ValidationError as invalid:
        text = explained(section, invalid, where, noun="setting", allowed=_allowed)
        raise ConfigError(text) from None
