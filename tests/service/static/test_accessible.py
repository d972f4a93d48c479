"""No state of the page has a fault that axe-core finds; focus and width are fine too."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import require_accessible
from tests.service.static.chromium import (
    HEAT,
    answer,
    answering,
    choose,
    offer_everything,
    open_developers,
    problem,
    readiness,
    results,
)

FACETS = {
    "color": [{"value": f"colour {number}", "count": number} for number in range(9, 0, -1)],
    "in_stock": [{"value": True, "count": 3}],
}


@pytest.fixture
def able(tab: Page) -> Page:
    """The page of a service that can do everything."""
    tab.emulate_media(reduced_motion="reduce")
    tab.route("**/readyz", answering(200, readiness({"name": "default"}, {"name": "bags"})))
    tab.route("**/v1/search", answering(200, answer("a", "b", "bare", facets=FACETS, total=9)))
    tab.route("**/v1/explain", answering(200, HEAT))
    offer_everything(tab)
    return tab


def start(page: Page, _: Path) -> None:
    expect(page.get_by_role("status")).to_contain_text("products to search in")


def found(page: Page, photo: Path) -> None:
    choose(page, photo)
    results(page)


def cropped(page: Page, photo: Path) -> None:
    found(page, photo)
    page.locator("#start-box").click()
    results(page)


def refined(page: Page, photo: Path) -> None:
    found(page, photo)
    if not page.locator("#refine[open]").count():
        page.locator("#refine > summary").click()
    page.get_by_text("2 more").click()
    page.get_by_role("button", name="colour 9").click()
    page.locator("#filter").fill("price<=50")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_count(3)


def mistyped(page: Page, photo: Path) -> None:
    found(page, photo)
    page.route("**/v1/search", answering(400, problem(400, "bad_filter", "no such attribute")))
    page.locator("#filter").fill("colr:red")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-refusal")).to_be_visible()


def explained(page: Page, photo: Path) -> None:
    found(page, photo)
    page.get_by_role("button", name="Why ").first.click()
    expect(page.get_by_role("dialog").locator("canvas")).to_have_count(2)


def compared(page: Page, photo: Path) -> None:
    found(page, photo)
    open_developers(page)
    page.get_by_label("Compare with").select_option("bags")
    expect(page.locator("#other-grid li")).to_have_count(3)


def copied(page: Page, photo: Path) -> None:
    found(page, photo)
    open_developers(page)
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def refused(page: Page, photo: Path) -> None:
    page.route("**/v1/search", answering(503, problem(503, "overloaded", "try again in 2 s")))
    choose(page, photo)
    expect(page.get_by_role("alert")).to_be_visible()


def locked(page: Page, photo: Path) -> None:
    page.route("**/v1/search", answering(401, problem(401, "unauthorized", "send a key")))
    choose(page, photo)
    expect(page.get_by_label("API key")).to_be_visible()


def reloaded(page: Page, photo: Path) -> None:
    found(page, photo)
    page.route("**/v1/search", answering(200, answer("b", "a", seq=2)))
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_text("Products have changed")).to_be_visible()


def unready(page: Page, _: Path) -> None:
    states = readiness({"name": "default", "status": "failed", "detail": "its file is damaged"})
    page.route("**/readyz", answering(503, {**states, "status": "failed"}))
    page.goto("/")
    page.get_by_text("For developers").click()
    expect(page.get_by_text("its file is damaged")).to_be_visible()


def by_product(page: Page, _: Path) -> None:
    page.goto("/?product=hue%2F07")
    results(page)


STATES = (
    start,
    found,
    cropped,
    refined,
    mistyped,
    explained,
    compared,
    copied,
    refused,
    locked,
    reloaded,
    unready,
    by_product,
)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_no_fault_by_day_by_night_and_on_a_phone(
    able: Page, photo: Path, state: Callable[[Page, Path], None]
) -> None:
    state(able, photo)
    require_accessible(able)


def test_the_first_tab_leads_to_the_results(tab: Page) -> None:
    tab.goto("/?product=hue%2F07")
    results(tab)
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the results")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.locator("#results-title")).to_be_focused()


def test_every_control_shows_that_it_has_the_focus(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    choose(tab, photo)
    results(tab)
    tab.evaluate("document.getElementById('developers').open = true")
    seen = set()
    for _ in range(90):
        tab.keyboard.press("Tab")
        focused = tab.evaluate(
            """() => {
              const style = getComputedStyle(document.activeElement);
              return [document.activeElement.id, style.outlineStyle, style.outlineWidth];
            }"""
        )
        seen.add(focused[0])
        assert focused[1:] == ["solid", "3px"], focused
        if focused[0] == "show-curl":
            break
    assert {"filter", "min-score", "limit", "product", "show-curl"} <= seen
