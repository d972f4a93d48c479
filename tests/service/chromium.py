"""A real browser for the tests of the search page, and the gestures of its users."""

import base64
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

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
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


def png(colour: str) -> bytes:
    """A small picture of one colour, as PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (96, 96), colour).save(buffer, "PNG")
    return buffer.getvalue()


def drag_file(page: Page, file: Path, *, drop: bool) -> None:
    """Drags a file from outside to the middle of the page, as the operating system would."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", *(("drop",) if drop else ())):
        event = {"type": kind, "x": 300, "y": 300, "data": data}
        session.send("Input.dispatchDragEvent", event)
    session.detach()


def paste_image(page: Page, picture: bytes) -> None:
    """Puts a PNG on the clipboard and presses Ctrl-V. The page must come from localhost."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (encoded) => {
          const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
          const blob = new Blob([bytes], { type: "image/png" });
          await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        }""",
        base64.b64encode(picture).decode(),
    )
    page.keyboard.press("Control+V")


def choose(page: Page, file: Path) -> None:
    """Chooses a file as the photo, by mouse."""
    with page.expect_file_chooser() as chooser:
        page.locator("#choose").click()
    chooser.value.set_files(file)


def press_until(page: Page, key: str, target: Locator) -> None:
    """Presses a key until the target has the focus."""
    for _ in range(60):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} never reached {target}")


def answering(status: int, body: dict[str, object]) -> Callable[[Route], None]:
    """A route that gives this answer: for states that a test's service is not in."""
    kind = "application/json" if status == 200 else "application/problem+json"
    return lambda route: route.fulfill(status=status, json=body, content_type=kind)
