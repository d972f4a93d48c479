"""Searching with a part of the photo."""

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.service.static.chromium import (
    answer,
    answering,
    choose,
    offer_everything,
    products,
    results,
    sent,
)


@pytest.fixture
def searched(page: Page, photo: Path) -> Page:
    page.route("**/v1/search", lambda route: route.continue_())  # else forms cannot be seen
    choose(page, photo)
    results(page)
    return page


def corner(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=f"{name} corner")


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drags over the photo, between points given as fractions of its sides."""
    area = page.locator("#stage").bounding_box()
    assert area
    (x1, y1), (x2, y2) = (
        (area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in (start, end)
    )
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move((x1 + x2) / 2, (y1 + y2) / 2)
    page.mouse.move(x2, y2)
    page.mouse.up()


def box_of(fields: dict[str, list[str]]) -> list[float]:
    return [float(side) for side in fields["box"][0].split(",")]


def test_a_box_drawn_on_the_photo_is_searched(searched: Page) -> None:
    with searched.expect_request("**/v1/search") as request:
        drag(searched, (0.75, 0.8), (0.25, 0.3))
    assert box_of(sent(request.value)) == pytest.approx([0.25, 0.3, 0.75, 0.8], abs=0.02)
    results(searched)
    expect(corner(searched, "Top left")).to_be_visible()


def test_a_box_can_be_moved_and_sized_with_the_mouse(searched: Page) -> None:
    drag(searched, (0.2, 0.2), (0.6, 0.6))
    results(searched)
    with searched.expect_request("**/v1/search") as moved:
        drag(searched, (0.4, 0.4), (0.9, 0.5))
    assert box_of(sent(moved.value)) == pytest.approx([0.6, 0.3, 1, 0.7], abs=0.02)
    results(searched)
    with searched.expect_request("**/v1/search") as sized:
        drag(searched, (0.97, 0.67), (0.87, 0.87))
    assert box_of(sent(sized.value)) == pytest.approx([0.6, 0.3, 0.9, 0.9], abs=0.02)


def test_a_slip_of_the_hand_draws_no_box(searched: Page) -> None:
    drag(searched, (0.5, 0.5), (0.52, 0.52))
    expect(searched.locator("#crop")).to_be_hidden()
    expect(searched.get_by_role("button", name="Crop")).to_be_visible()


def test_the_keyboard_alone_draws_a_box_and_takes_it_away(searched: Page) -> None:
    whole = products(searched)
    with searched.expect_request("**/v1/search") as started:
        searched.get_by_role("button", name="Crop").press("Enter")
    assert box_of(sent(started.value)) == [0.15, 0.15, 0.85, 0.85]
    results(searched)
    expect(corner(searched, "Top left")).to_be_focused()
    with searched.expect_request("**/v1/search") as moved:
        for key in ("ArrowRight", "ArrowDown", "Shift+ArrowDown"):
            searched.keyboard.press(key)
    assert box_of(sent(moved.value)) == [0.16, 0.26, 0.85, 0.85]
    expect(corner(searched, "Top left")).to_have_accessible_name(
        "Top left corner, at 16 % across and 26 % down: arrow keys move it"
    )
    searched.keyboard.press("Escape")
    expect(searched.locator("#crop")).to_be_hidden()
    expect(searched.get_by_role("button", name="Crop")).to_be_focused()
    assert products(searched) == whole


def test_back_returns_to_the_whole_photo(searched: Page) -> None:
    drag(searched, (0.2, 0.2), (0.8, 0.8))
    results(searched)
    searched.go_back()
    expect(searched.locator("#crop")).to_be_hidden()


def test_the_service_finds_the_product_and_the_page_shows_where(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    tab.route("**/v1/search", answering(200, answer("a", box=[0.1, 0.2, 0.5, 0.9])))
    choose(tab, photo)
    results(tab)
    with tab.expect_request("**/v1/search") as request:
        tab.get_by_role("button", name="Find the product").click()
    assert sent(request.value)["box"] == ["auto"]
    expect(corner(tab, "Bottom right")).to_have_accessible_name(
        "Bottom right corner, at 50 % across and 90 % down: arrow keys move it"
    )
    tab.get_by_role("button", name="Whole photo").click()
    results(tab)
    expect(tab.locator("#stage")).to_be_visible()


def test_no_product_may_stand_out(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    tab.route("**/v1/search", answering(200, answer("a", box=None)))
    choose(tab, photo)
    results(tab)
    tab.get_by_role("button", name="Find the product").click()
    expect(tab.get_by_role("status")).to_contain_text("no product stands out")
    expect(tab.locator("#crop")).to_be_hidden()


def test_another_photo_has_no_box(searched: Page, photo: Path) -> None:
    drag(searched, (0.2, 0.2), (0.8, 0.8))
    results(searched)
    with searched.expect_request("**/v1/search") as request:
        choose(searched, photo)
    assert "box" not in sent(request.value)
    expect(searched.locator("#crop")).to_be_hidden()
