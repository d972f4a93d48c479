"""Which embedding settings made the vectors of a catalogue, and how the configured ones differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import Protocol, get_args

from indexer.embedding.resize import ResizeMethod
from indexer.embedding.spec import PRESET_SHA256, SIDES, EmbeddingSpec
from indexer.errors import FingerprintMismatchError

# Vectors of an unknown model: they can be compared with each other and with nothing else.
IMPORTED = "imported"
WAY_OUT = "put the old settings back, or embed every photo again with `rebuild --re-embed`"

Fields = Mapping[str, str | int]


@dataclass(frozen=True)
class Kind:
    """What is known of the settings that made vectors.

    Attributes:
        weights: the preset's name or the path of its file, as it was then.
        fields: of the spec; None if it was not recorded.
    """

    fingerprint: str
    weights: str
    fields: Fields | None = None


class Recorded(Protocol):
    """What a reader of a collection tells of its vectors."""

    @property
    def fingerprint(self) -> str | None: ...

    @property
    def weights(self) -> str | None: ...

    @property
    def embedding_fields(self) -> Fields | None: ...

    def counts(self) -> tuple[int, int]: ...


class Binding(Protocol):
    """What a writer of a collection can fix of its vectors."""

    def bind(
        self, *, fingerprint: str, weights: str, dimension: int, fields: Fields | None = None
    ) -> None: ...


def kind_of(reader: Recorded) -> Kind | None:
    """The kind of the vectors of a collection; None before the first."""
    fingerprint = reader.fingerprint
    if fingerprint is None:
        return None
    return Kind(fingerprint, str(reader.weights), reader.embedding_fields)


def bind(reader: Recorded, writer: Binding, spec: EmbeddingSpec) -> None:
    """Fixes what the collection's vectors are made with; what is there already must agree.

    Raises:
        FingerprintMismatchError: it has vectors that were made with other settings.
    """
    require(reader, spec)
    writer.bind(
        fingerprint=spec.fingerprint,
        weights=spec.weights,
        dimension=spec.dimension,
        fields=spec.fields,
    )


def require(reader: Recorded, spec: EmbeddingSpec) -> None:
    """
    Raises:
        FingerprintMismatchError: the catalogue has vectors that were made with other settings.
    """
    found = kind_of(reader)
    if found and found.fingerprint != spec.fingerprint and reader.counts() != (0, 0):
        way_out = WAY_OUT
        if found.fingerprint == IMPORTED:
            way_out = "import them with --same-model if the configured model made them"
        raise FingerprintMismatchError(
            difference(found, spec), f"{way_out}, or use another collection or storage.data_dir"
        )


def difference(found: Kind, spec: EmbeddingSpec) -> str:
    """How the settings that made vectors differ from those of `spec`, which are configured."""
    if found.fingerprint == IMPORTED:
        return "the vectors of the catalogue were imported, and what made them is not known"
    fields = found.fields or _recovered(found.fingerprint, spec)
    if fields is None:
        now = ", ".join(f"embedding.{name} {value}" for name, value in _settings(spec))
        return (
            f"the vectors of the catalogue were made with embedding.weights {found.weights} and an"
            f" input_size and resize that were not recorded (fingerprint {found.fingerprint[:12]});"
            f" the settings are {now} (fingerprint {spec.fingerprint[:12]})"
        )
    pairs = list(_differing(found.weights, fields, spec))
    then = ", ".join(f"{name} {before}" for name, before, _ in pairs)
    now = ", ".join(f"{name} {after}" for name, _, after in pairs)
    return f"the vectors of the catalogue were made with {then}, but the settings say {now}"


def _settings(spec: EmbeddingSpec) -> list[tuple[str, str | int]]:
    return [("weights", spec.weights), ("input_size", spec.input_size), ("resize", spec.resize)]


def _differing(weights: str, before: Fields, spec: EmbeddingSpec) -> Iterator[tuple[str, str, str]]:
    """Setting, its value when the vectors were made, and now."""
    now = spec.fields
    if any(before[key] != now[key] for key in ("weights_sha256", "numeric_class")):
        then, configured = weights, spec.weights
        if then == configured:  # the file was replaced
            then += f" (SHA-256 {str(before['weights_sha256'])[:12]})"
            configured += f" (SHA-256 {spec.weights_sha256[:12]})"
        yield "embedding.weights", then, configured
    for key in ("model", "input_size", "resize"):
        if before[key] != now[key]:
            yield f"embedding.{key}", str(before[key]), str(now[key])


@lru_cache(maxsize=64)
def _recovered(fingerprint: str, spec: EmbeddingSpec) -> Fields | None:
    """The fields behind a fingerprint, for catalogues that did not record them.

    Finds them for the presets and for the configured weights, by trying every size and resizing.
    """
    weights = {spec.weights_sha256: spec.numeric_class}
    weights |= dict.fromkeys(PRESET_SHA256.values(), "float")
    for (sha256, numeric_class), side, resize in product(
        weights.items(), SIDES, get_args(ResizeMethod)
    ):
        tried = replace(
            spec,
            weights_sha256=sha256,
            numeric_class=numeric_class,
            input_size=side,
            resize=resize,
        )
        if tried.fingerprint == fingerprint:
            return tried.fields
    return None
