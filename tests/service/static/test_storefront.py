"""The code of docs/javascript.md, in a browser, on a page of another origin."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from indexer.access.keys import Keys
from indexer.events import EventStore
from tests.conftest import ROOT, Store
from tests.processes import gunicorn, wait_for
from tests.service.static.chromium import answering, problem
from tests.service.static.shop import serving


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("storefront"))
    store.add(store.row("shoe/red", "red", title="<b>Red</b> shoe"), store.row("shoe/navy", "navy"))
    store.catalog.close()
    return store


@pytest.fixture(scope="module")
def shop(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a shop that has the page of the document, for a service that runs."""
    blocks = dict(
        re.findall(r"```(html|js)\n(.*?)```", (ROOT / "docs/javascript.md").read_text(), re.DOTALL)
    )
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["search", "events"], "shop")
    folder = tmp_path_factory.mktemp("shop")
    with serving(folder) as address:
        settings = {"IMAGE_SEARCH_ACCESS_CORS_ORIGINS": address}
        with gunicorn(data_dir, folder / "log", "tests.processes:fake_app()", settings) as service:
            code = blocks["js"].replace("https://search.shop.example", service.url)
            assert '"…"' in code
            (folder / "search-by-photo.js").write_text(code.replace('"…"', f'"{key}"'))
            (folder / "index.html").write_text(
                f"<!doctype html><title>Shop</title>{blocks['html']}"
            )
            (folder / "products").mkdir()
            (folder / "products" / "shoe").mkdir()
            yield address


@pytest.fixture
def page(browser: Browser, shop: str) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(shop)
    yield page
    context.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """As a phone takes them: large, and on its side."""
    path = tmp_path / "photo.jpg"
    upright = Image.Exif()
    upright[0x0112] = 6
    Image.new("RGB", (3000, 1500), "red").save(path, exif=upright)
    return path


def test_a_photo_is_made_smaller_searched_and_a_click_is_reported(
    page: Page, photo: Path, store: Store
) -> None:
    sent: list[bytes] = []

    def look(route: Route) -> None:
        sent.append(route.request.post_data_buffer or b"")
        route.continue_()

    page.route("**/v1/search", look)
    page.get_by_label("Search by photo").set_input_files(photo)
    links = page.locator("#products a")
    expect(links).to_have_text(["<b>Red</b> shoe", "shoe/navy"])
    expect(page.get_by_role("status")).to_have_text("2 products look like your photo.")
    expect(links.first.locator("img")).to_have_js_property("naturalWidth", 32)
    form = sent[-1]
    with Image.open(io.BytesIO(form[form.index(b"\xff\xd8") :])) as received:
        assert (received.size, received.format) == ((512, 1024), "JPEG")
        assert not received.getexif()
    links.nth(1).click()
    page.wait_for_url("**/products/shoe%2Fnavy")
    events = EventStore(store.catalog.folder.parent)
    wait_for(lambda: events.select("SELECT * FROM events"), "the event", 10)
    assert "shoe/navy" in str(events.select("SELECT * FROM events"))
    events.close()


def test_what_is_no_photo_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.get_by_label("Search by photo").set_input_files(text)
    expect(page.get_by_role("status")).to_contain_text("image")
    expect(page.locator("#products li")).to_have_count(0)


def test_a_busy_service_is_asked_again(page: Page, photo: Path) -> None:
    busy = problem(503, "overloaded", "too many")
    headers = {"Retry-After": "1", "Access-Control-Allow-Origin": "*"}
    page.route("**/v1/search", answering(503, busy, headers), times=1)
    page.get_by_label("Search by photo").set_input_files(photo)
    expect(page.locator("#products a")).to_have_count(2)
