"""Compares the embedding settings that made the vectors of a catalogue with the configured ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Protocol, get_args

from indexer.embedding.preprocessor import FILE_NAME
from indexer.embedding.resize import ResizeMethod
from indexer.embedding.spec import (
    MODEL_FILES,
    PRESET_SHA256,
    RETIRED_SHA256,
    SIDES,
    UNTRAINED_SHA256,
    EmbeddingSpec,
)
from indexer.errors import FingerprintMismatchError

# Fingerprint of imported vectors of an unknown model; they are comparable only with each other.
IMPORTED = "imported"
# Fields that are settings of the same name -> the value of catalogues that did not record them.
_DEFAULTS = {"model": "", "input_size": "", "resize": "", "pooling": "average"}
_RETIRED = {sha256: name for name, sha256 in RETIRED_SHA256.items()}

Fields = Mapping[str, str | int]


@dataclass(frozen=True)
class Kind:
    """The recorded settings that made vectors.

    Attributes:
        fingerprint: of the spec, or `IMPORTED`.
        weights: name of the preset with its version, or path of the file at that time.
        fields: fields of the spec; None if they were not recorded.
    """

    fingerprint: str
    weights: str
    fields: Fields | None = None

    @property
    def trained(self) -> bool:
        """False for the seeded random weights, as `EmbeddingSpec.trained`."""
        known = self.fields["weights_sha256"] if self.fields else PRESET_SHA256.get(self.weights)
        return known != UNTRAINED_SHA256


class Recorded(Protocol):
    """The part of a reader that describes the vectors of a collection."""

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the vectors; None before the first."""

    @property
    def weights(self) -> str | None:
        """Name or path of the weights; None before the first vector."""

    @property
    def embedding_fields(self) -> Fields | None:
        """Fields of the spec; None if they were not recorded."""

    def counts(self) -> tuple[int, int]:
        """Returns the number of products and of images."""
        ...


class Binding(Protocol):
    """The part of a writer that records the settings of a collection's vectors."""

    def bind(
        self, *, fingerprint: str, weights: str, dimension: int, fields: Fields | None = None
    ) -> None:
        """Records the settings of the vectors."""


def kind_of(reader: Recorded) -> Kind | None:
    """Returns the kind of a collection's vectors; None before the first."""
    fingerprint = reader.fingerprint
    if fingerprint is None:
        return None
    fields = reader.embedding_fields
    return Kind(fingerprint, _name(str(reader.weights), fields), fields)


def bind(reader: Recorded, writer: Binding, spec: EmbeddingSpec) -> None:
    """Records `spec` as the settings of the collection's vectors, after checking those it has.

    Raises:
        FingerprintMismatchError: the collection has vectors that were made with other settings.
    """
    require(reader, spec)
    writer.bind(
        fingerprint=spec.fingerprint,
        weights=spec.weights,
        dimension=spec.dimension,
        fields=spec.fields,
    )


def require(reader: Recorded, spec: EmbeddingSpec) -> None:
    """Checks that the collection's vectors were made with `spec`.

    Raises:
        FingerprintMismatchError: the collection has vectors that were made with other settings.
    """
    found = kind_of(reader)
    if found and not fits(reader, spec):
        remedy = way_out(found) or (
            "import them with --same-model if the configured model made them"
        )
        raise FingerprintMismatchError(
            difference(found, spec), f"{remedy}, or use another collection or storage.data_dir"
        )


def fits(reader: Recorded, spec: EmbeddingSpec) -> bool:
    """Returns whether vectors made with `spec` can be added to the collection."""
    return fingerprint_of(reader, spec) == spec.fingerprint


def fingerprint_of(reader: Recorded, spec: EmbeddingSpec | None) -> str:
    """Returns the fingerprint of the collection's vectors; that of `spec` if there are none."""
    found = kind_of(reader)
    if found and reader.counts() != (0, 0):
        return found.fingerprint
    return spec.fingerprint if spec else ""


def way_out(found: Kind) -> str:
    """Returns what to do about vectors that were made with other settings; "" if imported."""
    if found.fingerprint == IMPORTED:
        return ""
    again = "embed every photo again with `rebuild --re-embed`"
    retired = found.weights in RETIRED_SHA256
    return again if retired else f"restore the old settings, or {again}"


def difference(found: Kind, spec: EmbeddingSpec) -> str:
    """Describes how the settings that made vectors differ from the configured `spec`."""
    if found.fingerprint == IMPORTED:
        return "the vectors of the catalogue were imported from an unknown model"
    fields = found.fields or _recovered(found.fingerprint, spec)
    if fields is None:
        now = ", ".join(f"embedding.{name} {value}" for name, value in _settings(spec))
        return (
            f"the vectors of the catalogue were made with embedding.weights {found.weights} and an"
            f" input_size and resize that were not recorded (fingerprint {found.fingerprint[:12]});"
            f" the settings are {now} (fingerprint {spec.fingerprint[:12]})"
        )
    pairs = list(_differing(_name(found.weights, fields), fields, spec))
    then = ", ".join(f"{name} {before}" for name, before, _ in pairs)
    now = ", ".join(f"{name} {after}" for name, _, after in pairs)
    return f"the vectors of the catalogue were made with {then}, but the settings say {now}"


def _name(recorded: str, fields: Fields | None) -> str:
    """Returns the name of weights, as recorded unless it is known to have lacked the version."""
    return _RETIRED.get(str(fields["weights_sha256"]), recorded) if fields else recorded


def _settings(spec: EmbeddingSpec) -> list[tuple[str, str | int]]:
    return [("weights", spec.weights), ("input_size", spec.input_size), ("resize", spec.resize)]


def _differing(weights: str, before: Fields, spec: EmbeddingSpec) -> Iterator[tuple[str, str, str]]:
    """Yields each setting that differs, its value when the vectors were made, and its value now."""
    now = spec.fields
    if before["model"] in MODEL_FILES or now["model"] in MODEL_FILES:
        # The setting that names a model file is `model`; its path is recorded as its weights.
        then, configured = _source(weights, before), _source(spec.weights, now)
        name, keys = "embedding.model", ["weights_sha256"]
    else:
        then, configured = weights, spec.weights
        name, keys = "embedding.weights", ["weights_sha256", "numeric_class"]
    if any(before[key] != now[key] for key in keys):
        if then == configured:  # the file was replaced
            then += f" (SHA-256 {str(before['weights_sha256'])[:12]})"
            configured += f" (SHA-256 {spec.weights_sha256[:12]})"
        yield name, then, configured
    for key, default in _DEFAULTS.items():
        old, new = before.get(key, default), now.get(key, default)
        if old != new and f"embedding.{key}" != name:
            yield f"embedding.{key}", str(old), str(new)
    old, new = (each.get("whitening_sha256", "") for each in (before, now))
    if old != new:
        then, configured = (f"SHA-256 {str(each)[:12]}" if each else "none" for each in (old, new))
        yield "embedding.whitening", then, configured
    old, new = (each.get("preprocessing", "none") for each in (before, now))
    if old != new:
        yield FILE_NAME, str(old), str(new)


def _source(weights: str, fields: Fields) -> str:
    return weights if fields["model"] in MODEL_FILES else str(fields["model"])


@lru_cache(maxsize=64)
def _recovered(fingerprint: str, spec: EmbeddingSpec) -> Fields | None:
    """Returns the fields that give a fingerprint, for catalogues that did not record them.

    Tries every input size and resizing of the presets and of the configured weights, for VGG16
    and the configured model.
    """
    weights = {spec.weights_sha256: spec.numeric_class}
    weights |= dict.fromkeys([*PRESET_SHA256.values(), *RETIRED_SHA256.values()], "float")
    for model, (sha256, numeric_class), side, resize in product(
        {spec.model, "vgg16"}, weights.items(), SIDES, get_args(ResizeMethod)
    ):
        tried = replace(
            spec,
            model=model,
            pooling="average",
            whitening_sha256="",
            preprocessor=None,
            weights_sha256=sha256,
            numeric_class=numeric_class,
            input_size=side,
            resize=resize,
        )
        if tried.fingerprint == fingerprint:
            return tried.fields
    return None
