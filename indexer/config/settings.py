"""All settings: type, allowed values, default and description."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from indexer.config.embedding import EmbeddingSettings
from indexer.config.milvus import MilvusSettings
from indexer.config.section import COMMA_SEPARATED, Duration, HostName, Section, seconds
from indexer.config.service import AccessSettings, ServiceSettings
from indexer.errors import UnknownCollectionError
from indexer.images import ImageLimits
from indexer.validation import Matching

DEFAULT_COLLECTION = "default"
# What `evaluate` calls the collection or the settings in use; no collection has this name.
CURRENT = "current"


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
FactoryString = Annotated[
    str,
    Field(
        pattern=r"^(IVF[1-9]\d{0,4},(Flat|SQ8|SQfp16|RaBitQfs)|Flat|SQ8|SQfp16)$",
        examples=["IVF1024,RaBitQfs", "IVF1024,Flat", "SQ8"],
    ),
]


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
    photo_root: Literal["none"] | Path = Field(
        "none",
        description="Folder of the photos. Paths below it are stored relative to it, so that it may"
        " be elsewhere on another machine or in a container; other paths are stored as they are.",
    )


class IndexSettings(Section):
    """How vectors are searched."""

    backend: Literal["faiss", "milvus"] = Field(
        "faiss",
        description="Where collections are stored. `faiss`: on this machine, in storage.data_dir;"
        " `milvus`: on a Milvus server, see `milvus` and docs/milvus.md; `type` and"
        " `compact_fraction` do not apply.",
    )
    type: Literal["auto", "flat"] | FactoryString = Field(
        "auto",
        description="Index type. `auto`: exact up to 20,000 images, above that"
        " `IVF…,RaBitQfs`, inverted lists of codes with one bit per dimension (`IVF…,Flat` for"
        " vectors of fewer than 256 values); `flat`: always exact; or a FAISS factory string."
        " Candidates of every type are scored exactly.",
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
    """Downloading of photos and feeds."""

    allowed_hosts: Annotated[list[HostName], COMMA_SEPARATED] = Field(
        [],
        description="Servers of photos and feeds in your private network. `host` permits private"
        " addresses, `host:port` also a port other than 80 and 443. All others must be public.",
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
    max_age: Literal["none"] | Duration = Field(
        "20h",
        description="Age of a cached photo up to which `sync` and `add` use it without asking its"
        " host again; shorter than a day, so that a nightly run asks. `none` always asks.",
    )
    per_host: int = Field(
        8, ge=1, le=16, description="Maximum of concurrent downloads of a command from one host."
    )

    feed_mib: int = Field(
        1024, ge=1, le=1_048_576, description="Maximum size of a feed at a URL in MiB."
    )
    feed_timeout_s: float = Field(
        600, gt=0, le=86_400, description="Timeout for downloading a feed in seconds."
    )

    @property
    def max_age_s(self) -> int:
        """`max_age` in seconds; 0 for `none`."""
        return 0 if self.max_age == "none" else seconds(self.max_age)


class SearchSettings(Section):
    """Search results."""

    hide_out_of_stock: bool = Field(
        False,
        description="Exclude products with `in_stock` false, except from queries that filter by"
        " in_stock. Can be overridden for a collection.",
    )


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
    milvus: MilvusSettings = MilvusSettings()
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

    @property
    def feed_cache(self) -> Path:
        """The folder of downloaded feeds; its name is not a valid collection name."""
        return self.storage.data_dir / ".feeds"

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
