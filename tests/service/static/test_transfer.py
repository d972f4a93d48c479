"""How much a page of results transfers, measured in a browser."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, expect

from indexer.feeds import FeedRow, ImageRef
from tests.conftest import Store
from tests.processes import FAKE, gunicorn
from tests.service.static.chromium import results

PRODUCTS = 24
SIZE = (1632, 1224)  # 2 megapixels


def photo(number: int) -> bytes:
    """As many details as a photo of a product has: its JPEG takes about 300 KB."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3)).astype(np.uint8))
    fine = Image.fromarray(random.integers(0, 256, (306, 408, 3)).astype(np.uint8))
    texture = fine.filter(ImageFilter.GaussianBlur(1)).resize(SIZE)
    picture = Image.blend(coarse.resize(SIZE, Image.Resampling.BICUBIC), texture, 0.3)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("photos")
    store = Store(folder)
    rows = []
    for number in range(PRODUCTS + 1):
        path: Path = store.photos / f"{number}.jpg"
        path.write_bytes(photo(number))
        rows.append(FeedRow(str(number), {}, (ImageRef(path.name, str(path)),), None, "feed"))
    store.add(*rows)
    store.catalog.close()
    with gunicorn(store.catalog.folder.parent, folder / "log", FAKE) as service:
        yield service.url


def visit(page: Page, url: str) -> int:
    """Opens a page of results with all its pictures; returns the bytes that were received."""
    received = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    page.goto(url)
    assert results(page).count() == PRODUCTS
    for image in page.locator("#grid img").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", value=True)
        assert image.evaluate("image => image.naturalWidth") > 0
    page.wait_for_load_state("networkidle")
    session.detach()
    return int(sum(received))


def test_a_page_of_24_results_takes_300_kb_and_the_second_visit_10(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    url = f"{address}/?product=0&limit={PRODUCTS}"
    first = visit(page, url)
    page.goto("about:blank")
    second = visit(page, url)
    context.close()
    assert 50_000 < first < 300_000
    assert second < 10_000
