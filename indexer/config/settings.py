"""All settings: type, allowed values, default and description."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from indexer.errors import UnknownCollectionError
from indexer.images import ImageLimits
from indexer.validation import Matching

DEFAULT_COLLECTION = "default"
# What `evaluate` calls the collection or the settings in use; no collection has this name.
CURRENT = "current"
MODEL_SUFFIXES = (".keras", ".onnx")
# `fashion` is an alias of the newest version.
WEIGHTS_PRESETS = ("fashion", "fashion-2", "imagenet", "untrained")
# Versions that are no longer bundled; commands that load no model still accept them.
RETIRED_PRESETS = ("fashion-1",)


def _not_reserved(name: str) -> str:
    if name == CURRENT:
        raise ValueError(f"must not be {CURRENT}, which `evaluate` reserves")
    return name


CollectionName = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9_-]{0,62}$",
        "up to 63 lower-case letters, digits, - and _, starting with a letter or digit",
    ),
    AfterValidator(_not_reserved),
]
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
RateLimit = Annotated[
    str,
    Field(
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour|day)$",
        examples=["600/minute", "20/second"],
    ),
]
Origin = Annotated[
    str,
    Field(
        pattern=r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$",
        examples=["https://shop.example", "http://localhost:3000"],
    ),
]


class Section(BaseModel):
    """An immutable group of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_boolean_as_number(cls, value: object, info: ValidationInfo) -> object:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *get_args(annotation)):
            raise ValueError("must not be a boolean")
        return value


class StorageSettings(Section):
    """Where catalogues and snapshots are stored."""

    data_dir: Path = Field(
        Path("data"),
        description="Folder of the catalogues, with a subfolder for each collection. The service"
        " does not create it.",
    )
    snapshot_dir: Literal["auto"] | Path = Field(
        "auto",
        description="Folder of the snapshots, with a subfolder for each collection; preferably on"
        " another disk. `auto`: `.snapshots` in data_dir.",
    )


class EmbeddingSettings(Section):
    """How photos become vectors. All but `engine` and `precision` determine the fingerprint."""

    model: str = Field(
        "vgg16",
        description="`vgg16`, its dense layers `vgg16-fc1` and `vgg16-fc2`, `vgg19`, `resnet50`,"
        " `inception_v3`, `densenet121`, `mobilenet_v3_large`, `efficientnet_v2_b0`,"
        " `convnext_tiny`, or the path of a .keras or .onnx file: docs/models.md.",
    )
    weights: str = Field(
        "fashion",
        description="`fashion-2` (bundled, for vgg16; clothing and footwear), `fashion` (the newest"
        " version, now `fashion-2`), `imagenet` (downloaded once; general merchandise), `untrained`"
        " (seeded; for tests), or the path of a .h5, .keras, .weights.h5, .npz (also from"
        " `finetune`) or .int8 file (from `calibrate`).",
    )
    input_size: Annotated[int, Field(ge=32, le=512)] | Literal["auto"] = Field(
        "auto",
        description="Side of the model's square input in pixels."
        " `auto`: the side that the model was trained with, 64 for fashion-2, 299 for inception_v3,"
        " that of a model file, 224 otherwise.",
    )
    resize: Literal["bilinear", "nearest", "letterbox"] = Field(
        "bilinear",
        description="`bilinear` (antialiased) gives the best results, `nearest` matches vectors"
        " made with Keras's load_img, `letterbox` keeps the aspect ratio.",
    )
    pooling: Literal["average", "max", "gem"] = Field(
        "average",
        description="How the feature maps at the end of the model become a vector: their mean,"
        " their maximum, or the generalised mean with exponent 3. box=auto and explanations need"
        " `average`.",
    )
    whitening: Literal["none"] | Path = Field(
        "none",
        description="File from `whiten`: a map of the vectors learned from the catalogue, for"
        " weights that were not trained on such photos.",
    )
    engine: Literal["auto", "tensorflow", "openvino"] = Field(
        "auto",
        description="Runtime of the model. `auto`: `openvino`, which is faster, if installed,"
        " otherwise `tensorflow`. The vectors are the same.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Number format. `auto`: bfloat16 if the processor supports it (twice as fast,"
        " cosine 0.9999 to float32), otherwise float32.",
    )


class IndexSettings(Section):
    """How vectors are searched."""

    backend: Literal["faiss"] = Field("faiss", description="Search library.")
    type: Literal["auto", "flat"] | FactoryString = Field(
        "auto",
        description="Index type. `auto`: exact up to 20,000 images, IVF above; `flat`: always"
        " exact; or a FAISS factory string. Candidates of every type are scored exactly.",
    )
    compact_fraction: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Fraction of images changed since the index file was written at which a"
        " command or service that changes the catalogue writes a new one; at least 1,000"
        " images.",
    )


class ImageSettings(Section):
    """Limits on photos, in catalogues and queries alike."""

    max_bytes: int = Field(
        ImageLimits().max_bytes, ge=1024, description="Maximum size of a photo's file in bytes."
    )
    max_pixels: int = Field(
        ImageLimits().max_pixels,
        ge=1024,
        description="Maximum width x height of a photo in pixels.",
    )

    def limits(self) -> ImageLimits:
        """Returns the limits for decoding."""
        return ImageLimits(max_bytes=self.max_bytes, max_pixels=self.max_pixels)


class FetchSettings(Section):
    """Downloading of photos."""

    allowed_hosts: list[HostName] = Field(
        [],
        description="Photo servers in your private network. `host` permits private addresses,"
        " `host:port` also a port other than 80 and 443. All other servers must be public.",
    )
    timeout_s: float = Field(
        60,
        gt=0,
        le=3600,
        description="Timeout for one photo in seconds, including redirects and retries.",
    )
    cache_mib: int = Field(
        10_240,
        ge=0,
        description="Size in MiB of the cache of downloaded photos in storage.data_dir/.photos."
        " Cached photos are downloaded again only if they changed. 0 disables the cache.",
    )

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class SearchSettings(Section):
    """Search results."""

    hide_out_of_stock: bool = Field(
        False,
        description="Exclude products with `in_stock` false, except from queries that filter by"
        " in_stock. Can be overridden for a collection.",
    )


class ServiceSettings(Section):
    """The HTTP service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 chooses a free one.")
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Worker processes. Each loads the model. One process uses all cores, so more"
        " are faster only on machines with many cores.",
    )
    max_in_flight: int = Field(
        12,
        ge=1,
        le=256,
        description="Maximum concurrent photo searches per process. Searches by product are refused"
        " while twice as many of both kinds are in progress. In addition: a quarter of this for"
        " box=auto and explanations, a third for changes of products. Excess requests get 503. The"
        " process has four times as many threads.",
    )
    max_wait_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Maximum estimated wait for the model in seconds. If the queue is longer, a"
        " photo gets 503 at once.",
    )
    deadline_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Photos still queued after this many seconds get 503.",
    )
    upload_timeout_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds that a client may pause while sending a request body or receiving a"
        " response. Over a longer time its average must exceed 16 KiB per second.",
    )
    cached_photos: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="Number of query photos whose vectors each process caches, 2 KB each, so that"
        " a repeated photo is not embedded again.",
    )
    drain_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Seconds after SIGTERM during which connections are still accepted; /readyz"
        " returns 503 from the start.",
    )
    timeout_s: int = Field(
        25, ge=1, le=3600, description="Seconds that a stopping process waits for open requests."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="One JSON object per line, or plain text."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level; `info` includes one line for each request."
    )
    image_url_hosts: list[HostName] = Field(
        [],
        description="Hosts from which queries may use photos by URL (`image_url`). An empty list"
        " disables it. Private hosts must also be in fetch.allowed_hosts.",
    )

    @field_validator("image_url_hosts", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class AccessSettings(Section):
    """Access to the service, and rate limits."""

    open: bool = Field(
        False,
        description="Allow searching and reporting events without a key, also when the service is"
        " reachable from other machines. Changing products always requires an admin key.",
    )
    rate_limit_per_key: Literal["none"] | RateLimit = Field(
        "none",
        description="Rate limit for one key; excess requests get 429. Each process enforces its"
        " share of the limit.",
    )
    rate_limit_per_address: Literal["none"] | RateLimit = Field(
        "none",
        description="Rate limit for one client address (IPv6: one /64 network). Photos, the search"
        " page and health checks are not counted.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Number of proxies in front of the service that append the client's address"
        " to X-Forwarded-For; 0 ignores the header.",
    )
    cors_origins: list[Origin] = Field(
        [],
        description="Origins whose web pages may call the service from a browser.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class EventsSettings(Section):
    """Recording of searches and of what shoppers did with the results."""

    keep_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="Retention in days, for `report`; 0 records nothing.",
    )
    max_mib: int = Field(
        1024,
        ge=1,
        le=1_048_576,
        description="Maximum size in MiB of the file of searches and events. When it is full, the"
        " oldest are deleted before `keep_days`.",
    )


class RatingsSettings(Section):
    """Judgements of the rating page."""

    max_mib: int = Field(
        256,
        ge=1,
        le=1_048_576,
        description="Maximum size in MiB of the file of judgements (about 100 bytes each). When it"
        " is full, new ones are refused; none is ever deleted.",
    )


class CollectionSettings(Section):
    """Overrides for one collection; other settings come from the sections above."""

    embedding: dict[str, Any] = Field(
        default_factory=dict, description="Settings of `embedding` that differ in this collection."
    )
    hide_out_of_stock: bool | None = Field(
        None, description="Overrides `search.hide_out_of_stock` for this collection."
    )


class Settings(Section):
    """All settings."""

    storage: StorageSettings = StorageSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    index: IndexSettings = IndexSettings()
    images: ImageSettings = ImageSettings()
    fetch: FetchSettings = FetchSettings()
    search: SearchSettings = SearchSettings()
    service: ServiceSettings = ServiceSettings()
    access: AccessSettings = AccessSettings()
    events: EventsSettings = EventsSettings()
    ratings: RatingsSettings = RatingsSettings()
    collections: dict[CollectionName, CollectionSettings] = Field(
        default_factory=dict,
        description="Further collections by name; `default` always exists.",
    )

    def collection_names(self) -> list[str]:
        """Returns the names of all collections, sorted."""
        return sorted({DEFAULT_COLLECTION, *self.collections})

    def embedding_of(self, collection: str) -> EmbeddingSettings:
        """Returns the embedding settings of a collection.

        Raises:
            UnknownCollectionError: no collection with this name is configured.
        """
        if collection not in self.collection_names():
            raise UnknownCollectionError(
                f"no collection {collection!r}; configured: {', '.join(self.collection_names())}"
            )
        overrides = self.collections.get(collection, CollectionSettings()).embedding
        return EmbeddingSettings.model_validate({**self.embedding.model_dump(), **overrides})

    def hides_out_of_stock(self, collection: str) -> bool:
        """Returns whether searches of a collection exclude products that are out of stock."""
        override = self.collections.get(collection, CollectionSettings()).hide_out_of_stock
        return self.search.hide_out_of_stock if override is None else override

    @property
    def photo_cache(self) -> Path:
        """The folder of downloaded photos; its name is not a valid collection name."""
        return self.storage.data_dir / ".photos"

    def folder_of(self, collection: str) -> Path:
        """Returns the folder of a collection's catalogue.

        Raises:
            UnknownCollectionError: no collection with this name is configured.
        """
        self.embedding_of(collection)
        return self.storage.data_dir / collection

    def snapshots_of(self, collection: str) -> Path:
        """Returns the folder of a collection's snapshots.

        Raises:
            UnknownCollectionError: no collection with this name is configured.
        """
        self.embedding_of(collection)
        storage = self.storage
        folder = storage.snapshot_dir
        return (storage.data_dir / ".snapshots" if folder == "auto" else folder) / collection
