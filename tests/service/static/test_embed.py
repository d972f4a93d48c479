"""The widget of docs/embed.md, on a page of another origin with a strict security policy."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from indexer.access.keys import Keys
from indexer.events import EventStore
from tests.browser import require_accessible
from tests.conftest import ROOT, Store
from tests.processes import FAKE, gunicorn, wait_for
from tests.service.static.chromium import answering, png, problem
from tests.service.static.shop import serving

WIDGET = ROOT / "service/static/embed.js"
# As in the document: the widget needs nothing else.
POLICY = "default-src 'none'; script-src {0}; connect-src {0}; img-src {0} blob:"
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("embed"))
    store.add(
        store.row("shoe/red", "red", title="Red shoe", price=49.5, currency="EUR"),
        store.row("nasty", "salmon", title=NASTY),
        store.row("linked", "navy", title="Boot", link="https://elsewhere.example/boot"),
        store.row("script", "green", title="Hat", link="javascript:alert(1)"),
    )
    store.catalog.close()
    return store


@pytest.fixture(scope="module")
def shop(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a shop whose pages have the tag of the document, for a service that runs."""
    (tag,) = re.findall(r"```html\n(.*?)```", (ROOT / "docs/embed.md").read_text(), re.DOTALL)
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["search", "events"], "shop")
    folder = tmp_path_factory.mktemp("shop")
    with serving(folder) as address:
        settings = {"IMAGE_SEARCH_ACCESS_CORS_ORIGINS": address}
        with gunicorn(data_dir, folder / "log", FAKE, settings) as service:
            tag = tag.replace("https://search.shop.example", service.url).replace("…", key)
            assert key in tag
            assert service.url in tag
            page = "<!doctype html><html lang=en><title>Shop</title><main><h1>Shop</h1>{}</main>"
            (folder / "index.html").write_text(page.format(tag))
            linking = tag.replace('data-product-url="/products/{id}"', 'data-button="Foto"')
            (folder / "linking.html").write_text(page.format(linking))
            (folder / "policy").write_text(POLICY.format(service.url))
            yield address


@pytest.fixture
def page(browser: Browser, shop: str) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(10_000)
    page = context.new_page()
    # Playwright turns its file chooser on with the first listener, and does not wait for it.
    page.on("filechooser", lambda _: None)
    refused: list[str] = []
    page.on("console", lambda m: refused.append(m.text) if "Security" in m.text else None)
    page.goto(shop)
    yield page
    context.close()
    assert not refused


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png("red"))
    return path


def search(page: Page, photo: Path) -> None:
    """Chooses a photo with the keyboard."""
    page.get_by_role("button", name="Search by photo").focus()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photo)


def test_it_is_smaller_than_8_kb() -> None:
    assert len(gzip.compress(WIDGET.read_bytes())) < 8 * 1024


def test_a_photo_finds_products_and_a_click_is_reported(
    page: Page, photo: Path, store: Store
) -> None:
    search(page, photo)
    dialog = page.get_by_role("dialog", name="Products that look like your photo")
    expect(dialog.get_by_role("status")).to_have_text("4 products found")
    links = dialog.get_by_role("link")
    expect(links.first).to_have_text("Red shoe€49.50")
    expect(links.nth(1)).to_have_text(NASTY)
    expect(links.first.locator("img")).to_have_js_property("complete", value=True)
    assert links.first.locator("img").evaluate("image => image.naturalWidth") > 0
    expect(dialog.locator("header img")).to_have_js_property("naturalWidth", 96)
    tile = links.first.locator("img").bounding_box()
    assert tile
    assert abs(tile["width"] - tile["height"]) < 1
    links.first.click()
    page.wait_for_url("**/products/shoe%2Fred")
    events = EventStore(store.catalog.folder.parent)
    wait_for(lambda: len(events.select("SELECT * FROM events")) == 1, "the click", 10)
    page.go_back()
    page.evaluate("productSearch.report('cart', 'shoe/red')")
    page.evaluate("productSearch.report('cart', 'never clicked')")
    wait_for(lambda: len(events.select("SELECT * FROM events")) == 2, "the cart", 10)
    assert "cart" in str(events.select("SELECT * FROM events"))
    events.close()


def test_products_are_shown_and_reported_on_any_page(page: Page, photo: Path, store: Store) -> None:
    events = EventStore(store.catalog.folder.parent)
    before = len(events.select("SELECT * FROM events"))
    page.evaluate("document.documentElement.lang = 'en_US'")  # not a language tag
    blocked = "get() { throw new DOMException('denied', 'SecurityError'); }"
    page.evaluate(f"Object.defineProperty(window, 'sessionStorage', {{ {blocked} }})")
    search(page, photo)
    links = page.get_by_role("dialog").get_by_role("link")
    expect(links.first).to_have_text("Red shoe€49.50")
    page.evaluate("productSearch.report('cart', 'shoe/red')")
    links.first.click()
    page.wait_for_url("**/products/shoe%2Fred")
    wait_for(lambda: len(events.select("SELECT * FROM events")) > before, "the click", 10)
    events.close()


def test_the_keyboard_reaches_everything_and_the_focus_returns(page: Page, photo: Path) -> None:
    search(page, photo)
    links = page.get_by_role("dialog").get_by_role("link")
    expect(links).to_have_count(4)
    focused = "document.querySelector('.product-search').shadowRoot.activeElement.textContent"
    assert page.evaluate(focused) == "Products that look like your photo"
    reached = []
    for _ in range(3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focused))
    assert reached == ["Another photo", "Close", "Red shoe€49.50"]
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate(focused) == "Search by photo"


def test_axe_finds_no_fault_in_the_button_or_the_results(page: Page, photo: Path) -> None:
    # The check itself is an inline script, which the policy of the page forbids.
    page.context.new_cdp_session(page).send("Page.setBypassCSP", {"enabled": True})
    page.reload()
    require_accessible(page)
    search(page, photo)
    expect(page.get_by_role("dialog").get_by_role("link")).to_have_count(4)
    require_accessible(page)


def test_links_of_products_are_followed_only_to_pages(page: Page, photo: Path, shop: str) -> None:
    page.goto(f"{shop}/linking.html")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Foto").click()
    chooser.value.set_files(photo)
    items = page.get_by_role("dialog").get_by_role("listitem")
    expect(items).to_have_count(4)
    addresses = {item.inner_text(): item.locator("a").get_attribute("href") for item in items.all()}
    assert addresses["Boot"] == "https://elsewhere.example/boot"
    assert addresses["Hat"] is None


def test_a_busy_service_is_asked_again_and_faults_are_told_in_words(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    headers = {"Retry-After": "1", "Access-Control-Allow-Origin": "*"}
    headers["Access-Control-Expose-Headers"] = "Retry-After"
    busy = answering(503, problem(503, "overloaded", "too many"), headers)
    page.route("**/v1/search", busy, times=1)
    search(page, photo)
    status = page.get_by_role("status")
    expect(status).to_have_text("4 products found")
    for refusal, told in (
        (busy, "Many people are searching. Please try again."),
        (answering(401, problem(401, "unauthorized", "send a key"), headers), "did not work"),
    ):
        page.route("**/v1/search", refusal)
        page.locator("input[type=file]").set_input_files(photo)
        expect(status).to_contain_text(told)
        page.unroute("**/v1/search")
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    page.locator("input[type=file]").set_input_files(text)
    expect(status).to_contain_text("image")
