"""The search page of a real service, open in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.service.static.chromium import png


@pytest.fixture(scope="session")
def context(browser: Browser, live_server: str) -> Iterator[BrowserContext]:
    """What the tabs of all tests share, which is little: making one takes as long as a test."""
    context = browser.new_context(viewport={"width": 1280, "height": 860}, base_url=live_server)
    context.set_default_timeout(10_000)
    context.new_page()  # without a tab, the window is closed and opened again for each test
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Page]:
    """An empty tab: for what has to be set up before a page is opened."""
    tab = context.new_page()
    # Playwright turns its file chooser on with the first listener, and does not wait for it.
    tab.on("filechooser", lambda _: None)
    yield tab
    tab.close()


@pytest.fixture
def page(tab: Page) -> Page:
    """The search page, open in a tab of its own."""
    tab.goto("/")
    return tab


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(png("firebrick"))
    return path
