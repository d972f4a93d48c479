"""The HTML report: self-contained, escaped, bounded, accessible."""

import re
from pathlib import Path

import pytest
from PIL import Image as Picture
from playwright.sync_api import Browser

from indexer.audit.files import PhotoFiles
from indexer.audit.findings import Audit, Finding, Kind
from indexer.audit.report import MAX_EXAMPLES, MAX_PICTURES, render
from indexer.config import FetchSettings
from indexer.fetch import PhotoSource
from indexer.images import ImageLimits
from indexer.store import Image
from tests.browser import require_accessible

HOSTILE = "<img src=x onerror=alert(1)>"
MANY = 30


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Many findings of one kind, and one of each other, about products with hostile ids."""
    folder = tmp_path_factory.mktemp("photos")
    path = folder / "photo.png"
    Picture.new("RGB", (300, 200), "teal").save(path)
    images = [Image(n, f"{HOSTILE}{n}", HOSTILE, str(path), "0" * 64) for n in range(MANY)]
    gone = Image(99, "gone", "gone.png", str(folder / "gone.png"), "1" * 64)

    def findings(kind: Kind) -> list[Finding]:
        if kind is Kind.NO_PHOTO:
            return [Finding(kind, 0, [], "no photo", without_photo=HOSTILE)]
        number = MANY if kind is Kind.SHARED_PHOTO else 1
        return [Finding(kind, 1, [gone, *images], HOSTILE, images)] * number

    audit = Audit(
        seq=1,
        products=MANY,
        images=MANY,
        label=HOSTILE,
        findings={kind: findings(kind) for kind in Kind if kind is not Kind.CHANGED_PHOTO}
        | {Kind.CHANGED_PHOTO: []},
        photos_read=MANY,
        photos_skipped={HOSTILE: 3},
        notes=[HOSTILE],
    )
    source = PhotoSource(ImageLimits(), FetchSettings())
    return render(audit, HOSTILE, PhotoFiles(source, lambda image: image.location))


def test_what_a_merchant_wrote_is_escaped(report: str) -> None:
    assert "&lt;img src=x" in report
    assert "<img src=x" not in report


def test_the_report_has_no_scripts_and_loads_nothing(report: str) -> None:
    assert not re.search(r"<script|<link|<iframe|javascript:|url\(|https?://", report)
    names = re.sub(r'"[^"]*"', "", report)  # of attributes, without their values
    assert not re.search(r"<[^>]*\s(on\w+|style)=", names)
    assert "default-src 'none'" in report
    assert all(uri.startswith("data:image/jpeg") for uri in re.findall(r'src="([^"]*)"', report))


def test_the_pictures_are_few_and_small(report: str) -> None:
    pictures = re.findall(r'src="(data:[^"]*)"', report)
    examples = MAX_EXAMPLES + len(Kind) - 3
    assert len(pictures) == examples * (2 * MAX_PICTURES - 1)
    assert max(map(len, pictures)) < 20_000


def test_every_photo_has_a_text_and_every_section_a_link(report: str) -> None:
    assert len(re.findall(r"<img ", report)) == len(re.findall(r'alt="[^"]*\d"', report))
    assert set(re.findall(r'href="#(\w+)"', report)) == set(re.findall(r'<h2 id="(\w+)"', report))


def test_axe_finds_no_fault_by_day_by_night_and_on_a_phone(
    report: str, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report)
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto(path.as_uri())
    require_accessible(page)
    assert faults == []
    page.close()
