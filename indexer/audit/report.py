"""An audit as one HTML file, with pictures of the worst findings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.audit.files import PhotoFiles
from indexer.audit.findings import ABOUT, About, Audit, Finding, Kind, products_of
from indexer.pages import render_page, thumbnail
from indexer.store import Image

MAX_EXAMPLES = 12  # of a kind
MAX_PICTURES = 4  # of a finding
_TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class _Picture:
    """A photo. `data_uri` is empty if it cannot be shown, `uri` if it does not matter."""

    product_id: str
    uri: str
    data_uri: str


@dataclass(frozen=True)
class _Example:
    """A finding with pictures; `more` images are not shown."""

    detail: str
    product_ids: Sequence[str]
    pictures: Sequence[_Picture]
    more: int
    similar: Sequence[_Picture]


@dataclass(frozen=True)
class _Section:
    """The findings of a kind."""

    kind: str
    about: About
    findings: int
    products: int
    examples: Sequence[_Example]


def render(audit: Audit, collection: str, files: PhotoFiles | None) -> str:
    """Returns the report as HTML.

    Args:
        audit: to report.
        collection: its name.
        files: of the photos; None for a report without pictures.
    """
    return render_page(
        _TEMPLATE,
        collection=collection,
        audit=audit,
        sections=[_section(kind, found, files) for kind, found in audit.findings.items()],
    )


def _section(kind: Kind, found: Sequence[Finding], files: PhotoFiles | None) -> _Section:
    examples = [_example(finding, files) for finding in found[:MAX_EXAMPLES]]
    return _Section(kind.value, ABOUT[kind], len(found), products_of(found), examples)


def _example(finding: Finding, files: PhotoFiles | None) -> _Example:
    return _Example(
        finding.detail,
        finding.products,
        [_picture(image, files) for image in finding.images[:MAX_PICTURES]],
        max(0, len(finding.images) - MAX_PICTURES),
        [replace(_picture(image, files), uri="") for image in finding.similar[:MAX_PICTURES]],
    )


def _picture(image: Image, files: PhotoFiles | None) -> _Picture:
    shown = files and thumbnail(lambda: files.source.read(files.locate(image)), files.source.limits)
    return _Picture(image.product_id, image.uri, shown or "")
