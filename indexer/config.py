"""Settings: one table drives validation, `config.yaml`, `--help` and the documentation.

A value comes from the default below, then from the YAML file, then from the
environment variable `IMAGE_SEARCH_<SECTION>_<KEY>`. Relative paths in the file are
relative to the file; those in the environment, to the working directory.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from indexer.errors import ConfigError, UnknownCollectionError
from indexer.images import ImageLimits

PREFIX = "IMAGE_SEARCH_"
# Variables of the prefix that are no settings: where the settings are, and the tests' data.
OTHER_VARIABLES = {"IMAGE_SEARCH_CONFIG", "IMAGE_SEARCH_TEST_DATA"}
DEFAULT_COLLECTION = "default"
WEIGHTS_PRESETS = ("fashion", "imagenet", "untrained")

CollectionName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
HostName = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$",
        examples=["photos.internal", "photos.internal:8080"],
    ),
]
FactoryString = Annotated[
    str,
    Field(
        pattern=r"^(IVF[1-9]\d{0,4},)?(Flat|SQ8|SQfp16)$",
        examples=["IVF1024,Flat", "SQ8", "IVF1024,SQfp16"],
    ),
]


class Section(BaseModel):
    """A frozen group of settings; a key that it does not name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _a_boolean_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError("a boolean")
        return value


class StorageSettings(Section):
    """Where the catalogues live."""

    data_dir: Path = Field(
        Path("data"), description="Folder of the catalogues, one folder per collection."
    )
    snapshot_dir: Literal["auto"] | Path = Field(
        "auto",
        description="Folder of the snapshots, one folder per collection; better on another disk."
        " `auto` takes `.snapshots` in data_dir.",
    )


class EmbeddingSettings(Section):
    """How a photo becomes a vector. All but `engine` and `precision` decide the fingerprint."""

    model: Literal["vgg16"] = Field("vgg16", description="Network without its classifier.")
    weights: str = Field(
        "fashion",
        description="`fashion` (bundled, for clothing and footwear), `imagenet` (downloaded once,"
        " general merchandise), `untrained` (seeded, for tests), or a path to"
        " .h5, .keras, .weights.h5 or .npz.",
    )
    input_size: Annotated[int, Field(ge=32, le=512)] | Literal["auto"] = Field(
        "auto",
        description="Side of the network's square input in pixels;"
        " `auto` takes the weights' own: 80 for fashion, 224 otherwise.",
    )
    resize: Literal["bilinear", "nearest", "letterbox"] = Field(
        "bilinear",
        description="`bilinear` (antialiased) reads most out of a photo, `nearest` matches vectors"
        " made by Keras's load_img, `letterbox` keeps the aspect ratio.",
    )
    engine: Literal["tensorflow"] = Field("tensorflow", description="What computes the network.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="`auto` takes bfloat16 where the processor computes in it (twice as fast,"
        " cosine 0.9999 to float32) and float32 elsewhere.",
    )


class IndexSettings(Section):
    """How vectors are searched."""

    backend: Literal["faiss"] = Field("faiss", description="Library that searches.")
    type: Literal["auto", "flat"] | FactoryString = Field(
        "auto",
        description="`auto` compares with every vector up to 20,000 images, with the likeliest"
        " beyond; `flat` always with every one; a FAISS factory string says how candidates are"
        " found. Whatever is found is scored exactly.",
    )
    compact_fraction: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of images changed since the index file was written at which a"
        " command that changes the catalogue writes a new one.",
    )


class ImageSettings(Section):
    """What a photo may cost, in catalogues and queries alike."""

    max_bytes: int = Field(
        ImageLimits().max_bytes, ge=1024, description="Largest photo, in bytes of its file."
    )
    max_pixels: int = Field(
        ImageLimits().max_pixels, ge=1024, description="Largest photo, width x height in pixels."
    )

    def limits(self) -> ImageLimits:
        return ImageLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)


class FetchSettings(Section):
    """Photos that feeds name by URL."""

    allowed_hosts: list[HostName] = Field(
        [],
        description="Photo servers of your own network: `host` may have a private address,"
        " `host:port` also a port other than 80 and 443. All others must be public.",
    )
    timeout_s: float = Field(
        60, gt=0, le=3600, description="Seconds for one photo, redirects and second tries included."
    )
    cache_mib: int = Field(
        10_240,
        ge=0,
        description="MiB of downloaded photos to keep in storage.data_dir/.photos, so that they"
        " are downloaded again only if they changed; 0 keeps none.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class ServiceSettings(Section):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Processes. Each holds the network; one computes on every core, so more"
        " pay only on many cores.",
    )
    threads: int = Field(
        8,
        ge=1,
        le=256,
        description="Requests that one process decodes, embeds and searches at once.",
    )
    timeout_s: int = Field(
        30, ge=1, le=3600, description="Seconds that a stopping process waits for its requests."
    )


class CollectionSettings(Section):
    """A section of the store with a network of its own; what is absent comes from `embedding`."""

    embedding: dict[str, Any] = Field(
        default_factory=dict, description="Settings of `embedding` that differ in this collection."
    )


class Settings(Section):
    """All settings."""

    storage: StorageSettings = StorageSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    index: IndexSettings = IndexSettings()
    images: ImageSettings = ImageSettings()
    fetch: FetchSettings = FetchSettings()
    service: ServiceSettings = ServiceSettings()
    collections: dict[CollectionName, CollectionSettings] = Field(
        default_factory=dict,
        description="Further collections by name; `default` always exists.",
    )

    def collection_names(self) -> list[str]:
        return sorted({DEFAULT_COLLECTION, *self.collections})

    def embedding_of(self, collection: str) -> EmbeddingSettings:
        """The embedding settings of a collection.

        Raises:
            UnknownCollectionError: no collection of this name is configured.
        """
        if collection not in self.collection_names():
            raise UnknownCollectionError(
                f"no collection {collection!r}; configured: {', '.join(self.collection_names())}"
            )
        own = self.collections.get(collection, CollectionSettings()).embedding
        return EmbeddingSettings.model_validate({**self.embedding.model_dump(), **own})

    @property
    def photo_cache(self) -> Path:
        """The folder of downloaded photos; no collection can have its name."""
        return self.storage.data_dir / ".photos"

    def folder_of(self, collection: str) -> Path:
        """The folder of a collection's catalogue.

        Raises:
            UnknownCollectionError: no collection of this name is configured.
        """
        self.embedding_of(collection)
        return self.storage.data_dir / collection

    def snapshots_of(self, collection: str) -> Path:
        """The folder of a collection's snapshots.

        Raises:
            UnknownCollectionError: no collection of this name is configured.
        """
        self.embedding_of(collection)
        storage = self.storage
        folder = storage.snapshot_dir
        return (storage.data_dir / ".snapshots" if folder == "auto" else folder) / collection


@dataclass(frozen=True)
class Setting:
    """One row of the table: what documentation, help and error messages say of a setting."""

    section: str
    key: str
    default: object
    allowed: str
    description: str

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"{PREFIX}{self.section}_{self.key}".upper()


def table() -> list[Setting]:
    """Every scalar setting, in the order of the classes above."""
    return [
        Setting(section, key, inner.default, _allowed(group, key), inner.description or "")
        for section, group in _sections().items()
        for key, inner in group.model_fields.items()
    ]


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from a YAML file and the environment.

    `path` None takes `config.yaml` of the working directory if it is there.

    Raises:
        ConfigError: one line that names the key, what was received and what is allowed.
    """
    if path is None and (default := Path("config.yaml")).is_file():
        path = default
    document = _read_yaml(path) if path else {}
    for setting, value in _overrides(environ):
        document.setdefault(setting.section, {})[setting.key] = value
    settings = _validated(Settings, document)
    for name in settings.collections:
        own = settings.collections[name].embedding
        merged = {**settings.embedding.model_dump(), **own}
        _validated(EmbeddingSettings, merged, ("collections", name, "embedding"))
    return settings


def _sections() -> dict[str, type[Section]]:
    annotations = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: annotation
        for name, annotation in annotations.items()
        if isinstance(annotation, type) and issubclass(annotation, Section)
    }


def _allowed(section: type[Section], key: str) -> str:
    schema = section.model_json_schema()["properties"][key]
    return " or ".join(_in_words(part) for part in schema.get("anyOf", [schema]))


def _in_words(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if schema.get("type") == "integer":
        high = schema.get("maximum")
        return f"an integer from {schema['minimum']} {'up' if high is None else f'to {high}'}"
    if schema.get("type") == "number":
        return f"a number above {schema['exclusiveMinimum']}, up to {schema['maximum']}"
    if schema.get("type") == "array":
        return f"a list of {_in_words(schema['items'])}, or commas between them"
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
    _anchor(sections.get("embedding"), "weights", base)
    for collection in _mappings(sections.get("collections")):
        _anchor(collection.get("embedding"), "weights", base)
    return sections


def _mappings(value: object) -> list[dict[str, Any]]:
    return [v for v in value.values() if isinstance(v, dict)] if isinstance(value, dict) else []


def _anchor(section: object, key: str, base: Path) -> None:
    """Makes the path in `section[key]` independent of the working directory."""
    if isinstance(section, dict) and isinstance(value := section.get(key), str):
        section[key] = value if value in (*WEIGHTS_PRESETS, "auto") else str(base / value)


def _overrides(environ: Mapping[str, str]) -> Iterator[tuple[Setting, str]]:
    known = {setting.variable: setting for setting in table()}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        if variable not in known:
            raise ConfigError(
                f"unknown setting {variable} in the environment{_hint(variable, known)}"
            )
        yield known[variable], environ[variable]


def _hint(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


SectionT = TypeVar("SectionT", bound=Section)


def _validated(
    section: type[SectionT], document: dict[str, Any], where: tuple[str, ...] = ()
) -> SectionT:
    try:
        return section.model_validate(document)
    except ValidationError as invalid:
        error = invalid.errors()[0]
        raise ConfigError(_explain(section, error["loc"], error, where)) from None


def _explain(
    root: type[Section], loc: tuple[int | str, ...], error: ErrorDetails, where: tuple[str, ...]
) -> str:
    group = _sections().get(str(loc[0])) if root is Settings else root
    depth = 2 if root is Settings else 1
    name = ".".join((*where, *(str(part) for part in loc[:depth])))
    if error["type"] == "extra_forbidden":
        known = list(group.model_fields if group and len(loc) == depth else root.model_fields)
        return f"unknown setting {name}{_hint(str(loc[-1]), known)}"
    received = f"received {error['input']!r}"
    if group is not None and len(loc) >= depth:
        return f"{name}: {received}; allowed: {_allowed(group, str(loc[depth - 1]))}"
    return f"{name}: {received}; {error['msg'][0].lower()}{error['msg'][1:]}"
