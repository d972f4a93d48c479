"""What the page does when products change, or when a change of the search fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import Store
from tests.processes import FAKE, ask, gunicorn, wait_for
from tests.service.static.chromium import (
    answer,
    answering,
    choose,
    open_developers,
    parameters,
    problem,
    products,
    results,
    sent,
)

NOTICE = "Products have changed, so the list was loaded again."


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """A service over 40 products, and its catalogue; one has an id that no path can name."""
    store = Store(tmp_path / "changing")
    shades = [store.row(f"shade-{n:02}", (240 - 2 * n, 30 + 2 * n, 40)) for n in range(40)]
    store.add(*shades, store.row("..", "navy", title="Two dots"))
    with gunicorn(store.catalog.folder.parent, tmp_path / "log", FAKE) as service:
        yield service.url, store
    store.catalog.close()


def test_after_products_changed_the_list_is_loaded_again_and_shows_each_product_once(
    tab: Page, photo: Path, changing: tuple[str, Store]
) -> None:
    address, store = changing
    tab.goto(f"{address}/?limit=12")
    choose(tab, photo)
    before = products(tab)
    expect(tab.get_by_text(NOTICE)).to_be_hidden()
    store.add(store.row("new", "firebrick"))
    wait_for(lambda: ask(address, "/readyz").json["collections"][0]["products"] == 42, "it", 10)
    tab.get_by_role("button", name="Show more").click()
    expect(results(tab)).to_have_count(24)
    after = products(tab)
    assert after[0] == "new"
    assert after[1:13] == before
    assert len(set(after)) == 24
    expect(tab.get_by_text(NOTICE)).to_be_in_viewport()
    expect(results(tab).nth(12)).to_be_focused()
    expect(tab.locator("#status")).to_contain_text("24 of 42 products")
    tab.get_by_role("button", name="Show more").click()
    expect(results(tab)).to_have_count(36)
    assert products(tab)[:24] == after
    expect(tab.get_by_text(NOTICE)).to_be_hidden()


def test_a_long_list_is_loaded_again_in_pages_of_one_state(tab: Page, photo: Path) -> None:
    asked: list[tuple[int, int]] = []
    tab.route("**/openapi.json", answering(200, {"paths": {}}))  # so that nothing else is asked

    def serve(route: Route) -> None:
        form = sent(route.request)
        limit, offset = int(form["limit"][0]), int(form.get("offset", ["0"])[0])
        asked.append((offset, limit))
        # Changes before the second page, and again while the list is loaded again.
        seq = 1 if len(asked) == 1 else 2 if len(asked) < 4 else 3
        ids = [f"{seq}-{place}" for place in range(offset, offset + limit)]
        found = answer(*ids, seq=seq, total=900)
        answering(200, found)(route)

    tab.route("**/v1/search", serve)
    tab.goto("/?limit=150")
    choose(tab, photo)
    results(tab)
    tab.get_by_role("button", name="Show more").click()
    expect(results(tab)).to_have_count(300)
    assert asked[1:] == [(150, 150), (0, 200), (200, 100), (0, 200), (200, 100)]
    assert products(tab) == [f"3-{place}" for place in range(300)]


def test_a_product_that_comes_twice_is_shown_once(tab: Page, photo: Path) -> None:
    pages = [answer("a", "b", seq=1, total=5), answer("b", "c", seq=1, total=5)]
    tab.route("**/openapi.json", answering(200, {"paths": {}}))  # so that nothing else is asked
    tab.route("**/v1/search", lambda route: answering(200, pages.pop(0))(route))
    tab.goto("/")
    choose(tab, photo)
    assert products(tab) == ["a", "b"]
    tab.get_by_role("button", name="Show more").click()
    expect(results(tab)).to_have_count(3)
    assert products(tab) == ["a", "b", "c"]


def test_a_change_that_fails_leaves_the_results_and_can_be_tried_again(
    page: Page, photo: Path
) -> None:
    choose(page, photo)
    before, address = products(page), page.url
    acme = page.get_by_role("button", name="Acme 24")
    expect(acme).to_be_visible()
    page.route("**/v1/search", answering(503, problem(503, "overloaded", "too many searches")))
    acme.click()
    expect(page.get_by_role("alert").first).to_contain_text("too many searches")
    assert (products(page), page.url) == (before, address)
    expect(acme).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#chips li")).to_have_count(0)
    page.locator("#price-to").fill("60")
    page.keyboard.press("Tab")
    expect(page.locator("#price-to")).to_have_value("")
    assert (products(page), page.url) == (before, address)
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#chips .chip")).to_have_text(["price<=60"])
    expect(page.get_by_role("status")).to_contain_text("of 41 products")
    assert parameters(page)["filter"] == ["price<=60"]
    page.go_back()
    expect(page).to_have_url(address)
    assert products(page) == before


def test_a_product_whose_id_no_path_can_name_is_opened_from_a_link(
    tab: Page, changing: tuple[str, Store]
) -> None:
    address, _ = changing
    tab.goto(f"{address}/?product=..&limit=12")
    expect(results(tab)).to_have_count(12)
    expect(tab.locator("#subject .id")).to_have_text("..")
    expect(tab.locator("#subject .title")).to_have_text("Two dots")
    expect(tab.locator("#subject img")).to_be_visible()
    assert ".." not in products(tab)
    open_developers(tab)
    tab.get_by_role("button", name="Copy as curl").click()
    expect(tab.get_by_role("dialog")).to_contain_text('"more_like":[".."]')
