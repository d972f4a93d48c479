"""The gestures of the users of the search page."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Request, Route, expect

# An explanation of a result.
HEAT = {
    "score": 0.9,
    "query": {"image_url": "/static/icon.svg", "box": [0, 0, 0.5, 1], "rows": [[0, 1], [0.5, 0]]},
    "result": {"image_url": "/static/icon.svg", "box": None, "rows": [[1, 0], [0, 0.2]]},
}


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


def open_developers(page: Page) -> None:
    """Opens the section for developers, once something was searched."""
    results(page)
    if not page.locator("#developers[open]").count():
        page.locator("#developers > summary").click()


def results(page: Page) -> Locator:
    """The links of the results, once there are any."""
    expect(page.locator("body")).to_have_attribute("data-state", "answered")
    return page.locator("#grid a[data-product]")


def products(page: Page) -> list[str]:
    """The ids of the results, in their order."""
    return [str(link.get_attribute("data-product")) for link in results(page).all()]


def parameters(page: Page) -> dict[str, list[str]]:
    """Those of the page's address."""
    return parse_qs(urlsplit(page.url).query)


def sent(request: Request) -> dict[str, list[str]]:
    """The parameters of a search, from its form or its address."""
    form = (request.post_data_buffer or b"").decode("latin-1")
    fields = re.findall(r'name="(\w+)"\r\n\r\n(.*?)\r\n--', form, re.DOTALL)
    found = parse_qs(urlsplit(request.url).query)
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def answering(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Callable[[Route], None]:
    """A route that gives this answer: for states that a test's service is not in."""
    kind = "application/json" if status == 200 else "application/problem+json"
    named = {"Content-Type": kind, **(headers or {})}
    return lambda route: route.fulfill(status=status, json=body, headers=named)


def problem(status: int, code: str, detail: str) -> dict[str, Any]:
    """A problem document."""
    return {"title": code, "status": status, "detail": detail, "code": code}


def readiness(*collections: dict[str, object]) -> dict[str, object]:
    """What `/readyz` says of these collections."""
    defaults = {"status": "ready", "products": 9, "trained": True, "photo_search": True}
    return {"status": "ready", "collections": [{**defaults, **each} for each in collections]}


def answer(*product_ids: str, **more: Any) -> dict[str, Any]:
    """An answer to a search, with these products."""
    return {
        "query_id": "0" * 32,
        "collection": "default",
        "total": len(product_ids),
        "took_ms": {"search": 0.4},
        "results": [_result(id, 0.9 - 0.1 * place) for place, id in enumerate(product_ids)],
        **more,
    }


def _result(product_id: str, score: float) -> dict[str, Any]:
    attributes = {"title": f"Shoe {product_id}", "brand": "Acme", "color": "red", "price": 49.5}
    picture = "data:," if product_id == "bare" else "/static/icon.svg"
    return {
        "product_id": product_id,
        "score": score,
        "image_url": picture,
        "attributes": attributes,
    }


def offer_everything(page: Page) -> None:
    """Makes the service describe itself as one that can do all that the page knows of."""
    names = ("filter", "facets", "boost", "dedup", "diversify")
    taken = [*({"name": name} for name in names), {"name": "box", "description": "or auto"}]
    search = {"post": {"parameters": taken}}
    document = {"paths": {"/v1/search": search, "/v1/explain": {}}}
    page.route("**/openapi.json", answering(200, document))
    page.goto("/")
