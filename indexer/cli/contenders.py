"""What `evaluate` measures: settings, collections and snapshots, as named on the command line."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.arrays import Vectors
from indexer.cli.app import App
from indexer.config import CURRENT, EmbeddingSettings, replaced
from indexer.embedding import Embedder, resolve_spec
from indexer.embedding.kinds import Kind, difference, kind_of, way_out
from indexer.errors import BadParameterError, FingerprintMismatchError
from indexer.evaluation.labels import (
    Labelled,
    LabelsError,
    common,
    labelled_collection,
    labelled_feed,
    vectors_of,
)
from indexer.evaluation.preparing import Model
from indexer.feeds import Rejection, read_feed
from indexer.maintenance.inspection import opened
from indexer.maintenance.snapshots import Snapshots
from indexer.store.embedded.catalog import Catalog
from indexer.store.places import location_of


@dataclass(frozen=True)
class Material:
    """What to measure, and on which photos.

    Attributes:
        gallery: the photos that every model has.
        models: to measure, in the order named.
        source: of the photos, as shown.
        rejected: rows of a feed that cannot be used.
        not_common: photos left out, because not all models have them.
    """

    gallery: Labelled
    models: list[Model]
    source: str
    rejected: Sequence[Rejection] = ()
    not_common: int = 0


def from_feed(app: App, feed: Path, label: str | None, names: Sequence[str]) -> Material:
    """Returns the photos of a feed, to be embedded by each of the settings.

    Raises:
        BadParameterError: a name is not one of settings, or two are the same settings.
        LabelsError: there are no photos, no row has the label, or all have the same one.
    """
    for name in names:
        if not _is_settings(name):
            raise BadParameterError(
                f"received {name!r}; photos from {feed} can be embedded with {CURRENT} settings, or"
                " others such as weights=imagenet,input_size=224"
            )
    _require_different(names, [_settings_key(app, name) for name in names])
    rows = list(read_feed(feed))
    if not rows:
        raise LabelsError(f"no photos in {feed}")
    gallery, rejected = labelled_feed(rows, label)
    return Material(gallery, [_embedding(app, name) for name in names], str(feed), rejected)


def from_collections(app: App, label: str | None, names: Sequence[str]) -> Material:
    """Returns stored photos: those that all collections and snapshots of the names have.

    Settings embed the photos again.

    Raises:
        BadParameterError: two names are the same thing, or a name is unknown.
        LabelsError: no product has the label, or there is no common photo.
        UnknownCollectionError: the collection is not configured.
        SnapshotError: a snapshot cannot be used.
    """
    _require_different(
        names,
        [
            (app.collection if name == CURRENT else name)
            if _is_stored(name)
            else _settings_key(app, name)
            for name in names
        ],
    )
    stored = [name for name in names if _is_stored(name)] or [CURRENT]
    for name in stored:
        _require_known(app, name)
    galleries = {name: _stored(app, name, label) for name in stored}
    first, *others = galleries.values()
    photos = first.gallery
    for each in others:
        photos = photos.keep(common(photos, each.gallery)[0])
    if not len(photos.photos):
        raise LabelsError(f"{' and '.join(stored)} have no photo of the same product in common")
    models = []
    for name in names:
        if name in galleries:
            own = galleries[name]
            vectors = own.vectors[common(photos, own.gallery)[1]] if others else own.vectors
            models.append(own.model(app, name, vectors))
        else:
            models.append(_embedding(app, name))
    source = " and ".join(f"collection {app.collection}" if n == CURRENT else n for n in stored)
    left_out = len(first.gallery.photos) - len(photos.photos)
    return Material(photos, models, source, not_common=left_out)


@dataclass(frozen=True)
class _Stored:
    """A collection or snapshot: photos, vectors, and the settings to embed queries with."""

    gallery: Labelled
    vectors: Vectors
    kind: Kind
    settings: EmbeddingSettings

    def model(self, app: App, name: str, vectors: Vectors) -> Model:
        """Returns the model of these vectors.

        Its `load` raises a FingerprintMismatchError if the settings are not those of the vectors.
        """

        def load() -> Embedder:
            spec = resolve_spec(self.settings)
            if spec.fingerprint != self.kind.fingerprint:
                raise FingerprintMismatchError(
                    f"{name}: {difference(self.kind, spec)}", way_out(self.kind)
                )
            return app.load(self.settings)

        fields = {"weights": self.kind.weights, **(self.kind.fields or {})}
        return Model(name, fields, load, vectors)


def _is_settings(name: str) -> bool:
    return name == CURRENT or "=" in name


def _is_stored(name: str) -> bool:
    """Whether a name is that of a collection or snapshot, if no feed is given."""
    return "=" not in name


def _require_different(names: Sequence[str], things: Sequence[Hashable]) -> None:
    """Raises BadParameterError if two names mean the same thing."""
    first: dict[Hashable, str] = {}
    for name, thing in zip(names, things, strict=True):
        if thing in first:
            raise BadParameterError(
                f"received {first[thing]} and {name}, which are the same; each must be different"
            )
        first[thing] = name


def _require_known(app: App, name: str) -> None:
    """Raises BadParameterError if a name is neither `current`, a collection nor a snapshot."""
    collections = app.settings.collection_names()
    snapshots = _snapshots(app)
    if name == CURRENT or name in collections or snapshots.exists(name):
        return
    known = ", ".join(each.name for each in snapshots.entries()) or "none"
    raise BadParameterError(
        f"no collection, snapshot or setting named {name!r}; collections:"
        f" {', '.join(collections)}; snapshots: {known}"
    )


def _snapshots(app: App) -> Snapshots:
    return Snapshots(app.settings.snapshots_of(app.collection))


def _settings(app: App, name: str) -> EmbeddingSettings:
    if name == CURRENT:
        return app.embedding
    pairs = [part.partition("=")[::2] for part in name.split(",")]
    return replaced(app.embedding, {key.strip(): value.strip() for key, value in pairs})


def _settings_key(app: App, name: str) -> Hashable:
    """Returns what decides the vectors that settings make."""
    settings = _settings(app, name)
    return resolve_spec(settings).fingerprint, settings.engine, settings.precision


def _embedding(app: App, name: str) -> Model:
    settings = _settings(app, name)
    spec = resolve_spec(settings)
    fields = {"weights": spec.weights, **spec.fields}
    return Model(name, fields, partial(app.load, settings))


def _stored(app: App, name: str, label: str | None) -> _Stored:
    with _opened(app, name) as (catalog, folder, settings), catalog.reader() as reader:
        kind = kind_of(reader)
        if kind is None:
            raise LabelsError(f"{name}: has no products; add some first")
        gallery = labelled_collection(reader, label, partial(location_of, folder))
        return _Stored(gallery, vectors_of(reader, gallery.image_ids), kind, settings)


@contextmanager
def _opened(app: App, name: str) -> Iterator[tuple[Catalog, Path, EmbeddingSettings]]:
    """Opens a collection or a snapshot: the catalogue, the folder of uploads, the settings."""
    if name == CURRENT:
        yield app.catalog(), app.folder(), app.embedding
    elif name in app.settings.collection_names():
        folder = app.settings.folder_of(name)
        with closing(Catalog(folder)) as catalog:
            yield catalog, folder, app.settings.embedding_of(name)
    else:
        with opened(_snapshots(app), name) as catalog:
            yield catalog, app.folder(), app.embedding
