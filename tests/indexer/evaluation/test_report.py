"""The HTML report: self-contained, escaped, bounded, accessible."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from indexer.evaluation.comparison import compare
from indexer.evaluation.document import Scope
from indexer.evaluation.embedding import embed
from indexer.evaluation.evaluation import measure_models
from indexer.evaluation.failures import MAX_FAILURES, MAX_RESULTS
from indexer.evaluation.labels import labelled_feed
from indexer.evaluation.preparing import Model, prepare_labels
from indexer.evaluation.report import render
from indexer.feeds import read_feed
from indexer.images import ImageLimits
from tests.browser import require_accessible
from tests.fakes import FakeEmbedder, PoolingEmbedder

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two models compared on photos with wrong labels, one of them hostile."""
    folder = tmp_path_factory.mktemp("labelled")
    for number in range(60):
        label = ("red", "blue & green", HOSTILE)[number % 3]
        path = folder / label / f"{number}\"'.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (300, 200), (number * 4, 255 - number * 4, 90)).save(path)
    labelled, _ = labelled_feed(read_feed(folder), "category")
    models = [
        Model(HOSTILE, {"weights": HOSTILE}, FakeEmbedder),
        Model("other", {"weights": "other"}, PoolingEmbedder),
    ]
    limits = ImageLimits()
    prepared = prepare_labels(
        labelled,
        models,
        lambda photos, embedder: embed(photos, read, embedder, limits, lambda _: None),
        sample=100,
        seed=0,
    )
    evaluation = measure_models(prepared.task, prepared.models, ["cosine"], k=10, seed=0)
    scope = Scope.of(prepared, evaluation, str(folder), "attribute category", 0)
    return render(
        scope,
        evaluation,
        models,
        compare(evaluation.results, 10, 0, evaluation.queries),
        read,
        limits,
    )


def read(location: str) -> bytes:
    return Path(location).read_bytes()


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
    assert 0 < len(pictures) <= MAX_FAILURES * (1 + MAX_RESULTS)
    assert max(map(len, pictures)) < 20_000


def test_axe_finds_no_fault_by_day_by_night_and_on_a_phone(
    report: str, tmp_path: Path, browser: Browser
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report)
    page = browser.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text))
    page.goto(path.as_uri())
    assert page.evaluate("getComputedStyle(document.body).maxWidth") == "1080px"
    require_accessible(page)
    assert faults == []
    page.close()
