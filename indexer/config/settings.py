"""Every setting: its type, what it allows, its default, and one line why."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from indexer.errors import UnknownCollectionError
from indexer.images import ImageLimits
from indexer.wording import Matching

DEFAULT_COLLECTION = "default"
WEIGHTS_PRESETS = ("fashion", "imagenet", "untrained")

CollectionName = Annotated[
    str,
    Matching(
        r"^[a-z0-9][a-z0-9_-]{0,62}$",
        "up to 63 lower-case letters, digits, - and _, a letter or digit first",
    ),
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
        Path("data"),
        description="Folder of the catalogues, one folder per collection. The service does not"
        " create it.",
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
        " .h5, .keras, .weights.h5, .npz or, from `calibrate`, .int8.",
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
    engine: Literal["auto", "tensorflow", "openvino"] = Field(
        "auto",
        description="What computes the network. `auto` takes `openvino`, the faster one, where"
        " it is installed, and `tensorflow` elsewhere; the vectors are the same.",
    )
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


class SearchSettings(Section):
    """What a search finds."""

    hide_out_of_stock: bool = Field(
        False,
        description="Whether products with `in_stock` false are found only by queries that filter"
        " by in_stock. A collection may set its own.",
    )


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
    max_in_flight: int = Field(
        12,
        ge=1,
        le=256,
        description="Searches by photo that one process has at once, and twice as many of any"
        " kind; the others hear 503 at once. A quarter as many searches with box=auto and"
        " explanations come on top. It has four times as many threads.",
    )
    max_wait_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="A photo is answered with 503 at once if those before it will keep the network"
        " busy for more seconds than this.",
    )
    deadline_s: float = Field(
        10.0,
        gt=0,
        le=600,
        description="Seconds after which a photo that has not had its turn is given up with 503.",
    )
    upload_timeout_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds for which a client may send nothing of a body"
        " or take nothing of an answer; after that it must be faster than 16 KiB a second overall.",
    )
    cached_photos: int = Field(
        10_000,
        ge=0,
        le=10_000_000,
        description="Photos of queries whose vectors a process remembers, 2 KB each: a photo that"
        " comes again is not embedded again.",
    )
    drain_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="Seconds between SIGTERM, when /readyz begins to say 503, and the moment from"
        " which no new connections are taken.",
    )
    timeout_s: int = Field(
        25, ge=1, le=3600, description="Seconds that a stopping process waits for its requests."
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="One JSON object per line, or lines for people."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`info` has a line for each request."
    )
    image_url_hosts: list[HostName] = Field(
        [],
        description="Hosts whose photos a query may name by address (`image_url`); none: queries"
        " send photos themselves. What is private must be in fetch.allowed_hosts too.",
    )

    @field_validator("image_url_hosts", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class AccessSettings(Section):
    """Who may use the service, and how much."""

    open: bool = Field(
        False,
        description="Let everyone search and report events without a key, even from a network."
        " Changing products takes an admin key all the same.",
    )
    rate_limit_per_key: Literal["none"] | RateLimit = Field(
        "none",
        description="Requests of one key; more are answered with 429 for a while. Each process"
        " counts for itself and grants its share.",
    )
    rate_limit_per_address: Literal["none"] | RateLimit = Field(
        "none",
        description="The same for one client address (IPv6: one /64 network). Photos, the search"
        " page and health checks do not count.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="Proxies in front of the service that add the client's address to"
        " X-Forwarded-For; 0 ignores that header.",
    )
    cors_origins: list[Origin] = Field(
        [],
        description="Web pages of these origins may call the service from a browser.",
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _commas_separate(cls, value: object) -> object:
        return re.findall(r"[^,\s]+", value) if isinstance(value, str) else value


class EventsSettings(Section):
    """What is kept of searches and of what shoppers did with the results."""

    keep_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="Days that `report` can look back; 0 records nothing.",
    )
    max_mib: int = Field(
        1024,
        ge=1,
        le=1_048_576,
        description="Size that the file of searches and events may have, in MiB; once it is full,"
        " the oldest are deleted before `keep_days`.",
    )


class CollectionSettings(Section):
    """A section of the store; what is absent comes from the settings above."""

    embedding: dict[str, Any] = Field(
        default_factory=dict, description="Settings of `embedding` that differ in this collection."
    )
    hide_out_of_stock: bool | None = Field(
        None, description="As `search.hide_out_of_stock`, for this collection."
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

    def hides_out_of_stock(self, collection: str) -> bool:
        """Whether searches of a collection find what is out of stock only if asked to."""
        own = self.collections.get(collection, CollectionSettings()).hide_out_of_stock
        return self.search.hide_out_of_stock if own is None else own

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
