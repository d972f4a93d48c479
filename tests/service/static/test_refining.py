"""Narrowing a search: conditions, counted values, a price, a lowest score."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from tests.processes import ask
from tests.service.static.chromium import (
    answer,
    answering,
    choose,
    offer_everything,
    parameters,
    products,
    results,
    sent,
)

COLOURS = [{"value": "red", "count": 7}, {"value": "sky, light", "count": 2}]


@pytest.fixture
def counted(tab: Page, photo: Path) -> Page:
    """A search by photo whose answer counts colours."""
    offer_everything(tab)
    found = answer("a", "b", facets={"color": COLOURS, "in_stock": [{"value": True, "count": 9}]})
    tab.route("**/v1/search", answering(200, found))
    choose(tab, photo)
    results(tab)
    return tab


def test_clicking_a_counted_value_narrows_and_clicking_it_again_widens(counted: Page) -> None:
    red = counted.get_by_role("button", name="red 7")
    with counted.expect_request("**/v1/search") as request:
        red.press("Enter")
    assert sent(request.value)["filter"] == ["color:red"]
    expect(counted).to_have_url(re.compile(r"[?&]filter=color%3Ared(&|$)"))
    expect(red).to_have_attribute("aria-pressed", "true")
    expect(red).to_be_focused()
    with counted.expect_request("**/v1/search") as request:
        counted.get_by_role("button", name="sky, light 2").click()
    assert sent(request.value)["filter"] == ['color:red,"sky, light"']
    with counted.expect_request("**/v1/search") as request:
        red.click()
    assert sent(request.value)["filter"] == ['color:"sky, light"']


def test_a_typed_condition_becomes_a_chip_that_takes_it_away(counted: Page) -> None:
    counted.locator("#filter").fill("price<=50")
    with counted.expect_request("**/v1/search") as request:
        counted.keyboard.press("Enter")
    assert sent(request.value)["filter"] == ["price<=50"]
    expect(counted.locator("#price-to")).to_have_value("50")
    with counted.expect_request("**/v1/search") as request:
        counted.get_by_role("button", name="Remove the filter price<=50").click()
    assert "filter" not in sent(request.value)
    expect(counted.locator("#chips li")).to_have_count(0)


def test_a_price_range_is_two_conditions(counted: Page) -> None:
    counted.locator("#price-from").fill("10")
    counted.locator("#price-to").fill("49.90")
    with counted.expect_request("**/v1/search") as request:
        counted.keyboard.press("Tab")
    assert sent(request.value)["filter"] == ["price>=10", "price<=49.90"]
    expect(counted.locator("#chips li")).to_have_count(3)
    counted.get_by_role("button", name="Clear all").click()
    expect(counted.locator("#chips li")).to_have_count(0)


def test_the_order_can_be_changed_and_is_in_the_address(counted: Page) -> None:
    counted.locator("#boost").fill("brand:acme^0.2")
    counted.keyboard.press("Tab")
    counted.get_by_label("Interleave by").select_option("color")
    with counted.expect_request(lambda request: "dedup" in sent(request)) as request:
        counted.get_by_label("Hide near-identical photos").check()
    wanted = {"boost": ["brand:acme^0.2"], "diversify": ["color"], "dedup": ["true"]}
    assert wanted.items() <= sent(request.value).items()
    results(counted)
    assert wanted.items() <= parameters(counted).items()
    counted.go_back()
    expect(counted.get_by_label("Hide near-identical photos")).not_to_be_checked()
    expect(counted.get_by_label("Interleave by")).to_have_value("color")


def test_a_field_is_marked_for_what_is_refused_only(counted: Page) -> None:
    counted.locator("#filter").fill("price<=50")
    with counted.expect_request("**/v1/search"):
        counted.keyboard.press("Enter")
    expect(counted.locator("#filter")).to_have_value("")
    counted.keyboard.press("Tab")
    counted.locator("#product").fill("a")
    counted.locator("#product").fill("")
    counted.keyboard.press("Tab")
    assert counted.locator(":user-invalid").count() == 0


def test_a_refused_condition_is_named_as_on_the_page(page: Page, photo: Path) -> None:
    choose(page, photo)
    results(page)
    page.locator("#filter").fill("a:" + 3000 * "b")
    page.keyboard.press("Enter")
    expect(page.locator("#filter-refusal")).to_contain_text("Condition: received 'a:bbb")


@pytest.mark.parametrize("field", ["#filter", "#boost"])
def test_what_is_mistyped_is_refused_beside_its_field_and_the_results_stay(
    page: Page, photo: Path, field: str
) -> None:
    choose(page, photo)
    before, address = products(page), page.url
    page.locator(field).fill("colr:red")
    page.keyboard.press("Enter")
    refusal = page.locator(f"{field}-refusal")
    expect(refusal).to_contain_text("no product has an attribute 'colr'")
    expect(refusal).to_be_in_viewport()
    expect(page.locator(field)).to_have_attribute("aria-invalid", "true")
    expect(page.locator(field)).to_have_value("colr:red")
    expect(page.locator("#problem")).to_be_hidden()
    assert (products(page), page.url) == (before, address)
    expect(page.locator("#chips li")).to_have_count(0)
    page.locator(field).fill("brand:acme")
    expect(refusal).to_have_text("")
    page.keyboard.press("Enter")
    expect(page.locator(field)).not_to_have_attribute("aria-invalid", "true")
    expect(page).not_to_have_url(address)
    assert products(page) != before
    page.go_back()
    expect(page).to_have_url(address)
    assert products(page) == before


def test_a_condition_in_a_link_that_is_refused_says_why_and_can_be_taken_away(tab: Page) -> None:
    tab.goto("/?product=hue%2F07&filter=colr%3Ared")
    expect(tab.get_by_role("alert").first).to_contain_text("no product has an attribute 'colr'")
    tab.get_by_role("button", name="Remove the filter").click()
    results(tab)


def test_on_a_phone_open_refinements_leave_the_results_in_sight(page: Page, photo: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.reload()
    choose(page, photo)
    results(page)
    panel = page.locator("#refine")
    panel.locator("summary").first.click()
    page.get_by_role("button", name="Acme 24").click()
    expect(page.get_by_role("status")).to_contain_text("of 24 products")
    first, sheet = results(page).first.bounding_box(), panel.bounding_box()
    assert first is not None
    assert sheet is not None
    assert first["y"] >= 0
    assert first["y"] + first["height"] <= sheet["y"] < 800
    assert sheet["y"] + sheet["height"] <= 800
    panel.locator("summary").first.click()
    expect(page.get_by_role("button", name="Acme 24")).to_be_hidden()
    expect(results(page).first).to_be_in_viewport()


def test_a_link_opens_the_search_with_its_conditions(tab: Page) -> None:
    tab.goto("/?product=hue%2F07&filter=color%3Ared&filter=price%3C%3D50&min_score=0.5&limit=12")
    tab.route("**/similar*", answering(200, answer("a")))
    with tab.expect_request("**/similar*") as request:
        tab.reload()
    wanted = {"filter": ["color:red", "price<=50"], "min_score": ["0.5"], "limit": ["12"]}
    assert wanted.items() <= sent(request.value).items()
    expect(tab.locator("#chips .chip")).to_have_text(["color:red", "price<=50"])


def test_the_lowest_score_leaves_out_what_is_less_alike(page: Page, photo: Path) -> None:
    choose(page, photo)
    results(page)
    slider = page.get_by_role("slider", name="Minimum score")
    slider.fill("0.9")
    expect(page.locator("body")).to_have_attribute("data-state", "answered")
    assert parameters(page)["min_score"] == ["0.9"]
    expect(page.locator("#min-score-shown")).to_have_text("0.90")
    scores = [float(score) for score in page.locator("#grid data").all_inner_texts()]
    assert scores
    assert min(scores) >= 0.9
    slider.fill("1")
    expect(page.get_by_role("status")).to_contain_text("No product matches")


def test_the_number_of_results_at_a_time_can_be_chosen(page: Page, photo: Path) -> None:
    choose(page, photo)
    first = products(page)
    page.get_by_label("Results per page").select_option("12")
    expect(results(page)).to_have_count(12)
    assert products(page) == first[:12]
    page.go_back()
    expect(results(page)).to_have_count(24)
    expect(page.get_by_label("Results per page")).to_have_value("24")


def test_what_the_service_cannot_do_is_not_offered(tab: Page, photo: Path) -> None:
    tab.route("**/openapi.json", answering(200, {"paths": {}}))
    tab.goto("/")
    choose(tab, photo)
    results(tab)
    expect(tab.locator("#filtering")).to_be_hidden()
    expect(tab.locator("#find-box")).to_be_hidden()
    expect(tab.locator(".why-button").first).to_be_hidden()


def test_the_counted_values_are_those_of_the_catalogue(
    page: Page, photo: Path, live_server: str
) -> None:
    described = ask(live_server, "/openapi.json").json["paths"]["/v1/search"]["post"]
    if "facets" not in {parameter["name"] for parameter in described["parameters"]}:
        pytest.skip("this service counts no values")
    choose(page, photo)
    acme = page.get_by_role("button", name="Acme 24")
    acme.click()
    expect(page.get_by_role("status")).to_contain_text("of 24 products")
    assert set(page.locator("#grid .brand").all_inner_texts()) == {"Acme"}
    expect(acme).to_have_attribute("aria-pressed", "true")


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool), unique=True, max_size=5))
@example(['a, "b"', "a", '"', ","])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_can_be_taken_into_a_condition_and_out_again(
    page: Page, values: list[str]
) -> None:
    found, left = page.evaluate(
        """async (values) => {
          const { toggled, valuesOf } = await import("/static/search.js");
          const all = values.reduce((filters, value) => toggled(filters, "a", value), ["b:c"]);
          return [valuesOf(all, "a"), values.reduce((f, value) => toggled(f, "a", value), all)];
        }""",
        values,
    )
    assert found == values
    assert left == ["b:c"]
