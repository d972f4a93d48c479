"""Explaining, comparing, copying; and what the page does when it is refused."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from indexer.access.keys import Keys
from tests.conftest import Store
from tests.processes import gunicorn
from tests.service.static.chromium import (
    HEAT,
    answer,
    answering,
    choose,
    offer_everything,
    open_developers,
    parameters,
    png,
    problem,
    products,
    readiness,
    results,
    sent,
)


@pytest.fixture
def two(tab: Page) -> Page:
    """The page of a service with two collections; the second one is made up."""
    tab.route("**/readyz", answering(200, readiness({"name": "default"}, {"name": "bags"})))
    tab.goto("/")
    return tab


def test_why_shows_both_photos_with_heat_over_them(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    tab.route("**/v1/explain", answering(200, HEAT))
    choose(tab, photo)
    second = products(tab)[1]
    with tab.expect_request("**/v1/explain") as request:
        tab.get_by_role("button", name="Why ").nth(1).click()
    assert sent(request.value)["result"] == [second]
    dialog = tab.get_by_role("dialog")
    expect(dialog.locator("img")).to_have_count(2)
    expect(dialog.locator("canvas")).to_have_count(2)
    expect(dialog.get_by_role("status")).to_contain_text("contribute more to the score")
    dialog.get_by_label("Show heat map").uncheck()
    expect(dialog.locator("canvas").first).to_have_css("opacity", "0")
    tab.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(tab.get_by_role("button", name="Why ").nth(1)).to_be_focused()


def test_why_of_a_product_names_it(tab: Page) -> None:
    offer_everything(tab)
    tab.route("**/v1/explain", answering(200, HEAT))
    tab.goto("/?product=hue%2F07")
    first = products(tab)[0]
    with tab.expect_request("**/v1/explain") as request:
        tab.get_by_role("button", name="Why ").first.click()
    asked = {"product_id": "hue/07", "result": first, "collection": "default"}
    assert request.value.post_data_json == asked
    expect(tab.get_by_role("dialog").locator("canvas")).to_have_count(2)


def test_why_says_what_went_wrong(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    refusal = problem(409, "fingerprint_mismatch", "vectors of another model")
    tab.route("**/v1/explain", answering(409, refusal))
    choose(tab, photo)
    results(tab)
    tab.get_by_role("button", name="Why ").first.click()
    expect(tab.get_by_role("dialog")).to_contain_text("vectors of another model")


def test_two_collections_are_compared_side_by_side(two: Page, photo: Path) -> None:
    def serve(route: Route) -> None:
        if sent(route.request).get("collection") == ["bags"]:
            answering(200, answer("tote", "clutch"))(route)
        else:
            route.continue_()

    two.route("**/v1/search", serve)
    choose(two, photo)
    alone = products(two)
    open_developers(two)
    two.get_by_label("Compare with").select_option("bags")
    there = two.locator("#other-grid a")
    expect(there).to_have_count(2)
    assert products(two) == alone
    assert parameters(two)["compare"] == ["bags"]
    two.get_by_label("Compare with").select_option("none")
    expect(there).to_have_count(0)
    expect(two.locator("#other-column")).to_be_hidden()


def test_a_comparison_marks_what_both_columns_have(two: Page) -> None:
    two.route("**/similar*collection=default*", answering(200, answer("a", "b", "c")))
    two.route("**/similar*collection=bags*", answering(200, answer("c", "x")))
    two.goto("/?product=hue%2F07&compare=bags")
    results(two)
    expect(two.locator("#grid li").nth(2)).to_contain_text("№ 1 in bags")
    expect(two.get_by_label("Compare with")).to_be_visible()
    expect(two.locator("#other-grid li").first).to_contain_text("№ 3 in default")
    expect(two.get_by_role("status")).to_contain_text("1 of them are in both columns")
    two.locator("#other-grid a").nth(1).click()
    assert parameters(two).items() >= {"product": ["x"], "collection": ["bags"]}.items()
    assert parameters(two)["compare"] == ["default"]


def test_a_column_that_is_refused_leaves_the_other(two: Page) -> None:
    refusal = problem(404, "unknown_product", "there is no product 'hue/07' in this collection")
    two.route("**/similar*collection=bags*", answering(404, refusal))
    two.goto("/?product=hue%2F07&compare=bags")
    expect(results(two)).to_have_count(24)
    expect(two.locator("#other-column")).to_contain_text("there is no product 'hue/07'")


@pytest.mark.parametrize("name", ["photo.png", """it's; "a,b" $HOME.png"""])
def test_the_copied_command_finds_the_same_by_photo(page: Page, tmp_path: Path, name: str) -> None:
    photo = tmp_path / name
    photo.write_bytes(png("firebrick"))
    choose(page, photo)
    page.get_by_role("button", name="Crop").click()
    results(page)
    assert _run(page, tmp_path) == products(page)


def test_the_copied_command_finds_the_same_by_product(tab: Page, tmp_path: Path) -> None:
    tab.goto("/?product=hue%2F07&min_score=0.2&limit=12")
    results(tab)
    assert _run(tab, tmp_path) == products(tab)


def _run(page: Page, folder: Path) -> list[str]:
    """Copies the search as a command and runs it: the products that it finds."""
    if shutil.which("curl") is None:
        pytest.skip("no curl on PATH")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_developers(page)
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("Escape")
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=True)
    return [result["product_id"] for result in json.loads(done.stdout)["results"]]


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A service that takes keys: its address, and a key."""
    store = Store(tmp_path / "guarded")
    store.add(store.row("red", "red"), store.row("navy", "navy"))
    store.catalog.close()
    data_dir = store.catalog.folder.parent
    _, key = Keys(data_dir).create(["search"], "page")
    with gunicorn(data_dir, tmp_path / "log", "tests.processes:fake_app()") as service:
        yield service.url, key


def test_a_service_that_takes_keys_is_given_one(
    tab: Page, photo: Path, guarded: tuple[str, str]
) -> None:
    address, key = guarded
    tab.goto(address)
    choose(tab, photo)
    expect(tab.get_by_role("alert")).to_contain_text("Enter your API key below.")
    expect(tab.get_by_role("alert")).not_to_contain_text("Bearer")
    expect(tab.get_by_label("API key")).to_be_focused()
    tab.keyboard.type("not-a.key")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("not valid")
    tab.get_by_label("Another API key").fill(key)
    tab.keyboard.press("Enter")
    assert products(tab) == ["red", "navy"]
    results(tab).nth(1).click()
    expect(tab.locator("#subject .id")).to_have_text("navy")
    tab.reload()
    expect(tab.locator("#subject .id")).to_have_text("navy")
    expect(results(tab).locator("img")).to_have_js_property("complete", True)
    open_developers(tab)
    tab.get_by_role("button", name="Copy as curl").click()
    command = tab.get_by_role("dialog").inner_text()
    assert "Bearer $KEY" in command
    assert key not in command


def test_what_is_for_developers_is_out_of_the_way_of_shoppers(two: Page, photo: Path) -> None:
    choose(two, photo)
    results(two)
    tools = [two.get_by_label("Compare with"), two.locator("#took"), two.locator("#show-curl")]
    for tool in tools:
        expect(tool).to_be_hidden()
    two.get_by_text("For developers").click()
    for tool in tools:
        expect(tool).to_be_visible()


def test_nothing_covers_the_picture_of_a_result(tab: Page, photo: Path) -> None:
    offer_everything(tab)
    choose(tab, photo)
    results(tab)
    covering = tab.evaluate(
        """() => [...document.querySelectorAll("#grid .card")].slice(0, 4).filter((card) => {
          const { left, right, top, bottom } = card.querySelector("a").getBoundingClientRect();
          return [...card.children].some((part) => {
            const own = part.getBoundingClientRect();
            const beside = own.left >= right || own.right <= left;
            return part.localName !== "a" && !beside && own.top < bottom && own.bottom > top;
          });
        }).length"""
    )
    assert covering == 0
    expect(tab.get_by_role("button", name="Why ").first).to_be_visible()


def test_what_a_click_on_a_picture_does_is_said_below_it(page: Page, photo: Path) -> None:
    choose(page, photo)
    results(page).first.hover()
    places = page.evaluate(
        """() => {
          const link = document.querySelector("#grid .card a");
          const label = getComputedStyle(link, "::after");
          const facts = link.nextElementSibling.getBoundingClientRect();
          const picture = link.getBoundingClientRect();
          const bottom = picture.top + parseFloat(label.top) + parseFloat(label.height);
          return [label.content, parseFloat(label.top), picture.height, bottom, facts.top];
        }"""
    )
    content, top, picture, bottom, facts = places
    assert content == '"More like this"'
    assert top >= picture
    assert bottom <= facts


def test_a_problem_is_headed_by_what_it_is_and_not_by_a_phrase_of_http(tab: Page) -> None:
    tab.goto("/?product=nothing")
    expect(tab.get_by_role("alert").first.locator("strong")).to_have_text("Unknown product")


def test_a_busy_service_is_asked_again_when_it_wants_to_be(page: Page, photo: Path) -> None:
    refusal = problem(503, "overloaded", "too many searches at once")
    page.route("**/v1/search", answering(503, refusal, {"Retry-After": "1"}))
    choose(page, photo)
    expect(page.get_by_role("alert")).to_contain_text("again in 1 s")
    page.unroute("**/v1/search")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_have_attribute("aria-disabled", "true")
    expect(again).to_have_attribute("aria-disabled", "false")
    again.click()
    expect(results(page)).to_have_count(24)


def test_addresses_that_are_no_pictures_are_not_followed(page: Page, photo: Path) -> None:
    page.evaluate("window.harmed = false")
    found = answer("a")
    found["results"][0]["image_url"] = "javascript:window.harmed = true"
    found["results"][0]["product_id"] = 'javascript:alert(1)//"><img src=x onerror=harmed=1>'
    page.route("**/v1/search", answering(200, found))
    choose(page, photo)
    expect(results(page)).to_contain_text("No picture")
    assert str(results(page).get_attribute("href")).startswith("?product=javascript%3A")
    assert page.locator("#grid img").count() == 0
    assert page.evaluate("window.harmed") is False
