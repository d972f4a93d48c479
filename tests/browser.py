"""A real browser for tests of pages, and the check that axe-core makes of them.

The fixture `browser` in tests/conftest.py opens one for all tests of a process.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_chromium() -> str | None:
    """The path of a Chromium on PATH, None if there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A headless browser, closed at the end."""
    # Playwright starts it in a coroutine, where --fast cannot skip the test.
    sys.audit("subprocess.Popen", executable, ARGUMENTS, None, None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


def require_accessible(page: Page) -> None:
    """Fails if axe-core finds a fault by day, by night or on a phone, or if a phone has to scroll.

    The page must be open in the state to check.
    """
    page.evaluate(AXE_SCRIPT)
    page.emulate_media(color_scheme="light")
    _require_no_fault(page, {"rules": {"target-size": {"enabled": True}}})
    page.emulate_media(color_scheme="dark")
    _require_no_fault(page, {"runOnly": ["color-contrast"]})
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme="light")
    _require_no_fault(page, {"runOnly": ["color-contrast", "target-size"]})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def _require_no_fault(page: Page, options: dict[str, object]) -> None:
    # Details of the rules that a page keeps take as long as finding out that it does.
    faults = AxeResults(page.evaluate("axe.run", {**options, "resultTypes": ["violations"]}))
    assert faults.violations_count == 0, faults.generate_report()
