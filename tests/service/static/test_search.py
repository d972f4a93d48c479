"""The search page, in a real browser against a real service."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from tests.service.static.chromium import (
    answering,
    choose,
    drag_file,
    parameters,
    paste_image,
    png,
    press_until,
    products,
    readiness,
    results,
)

PAGE_SIZE = 24  # the catalogue of `live_server` holds more


def test_choosing_a_photo_shows_it_beside_results_with_scores_best_first(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    choose(page, photo)
    expect(results(page)).to_have_count(PAGE_SIZE)
    scores = [float(s) for s in page.locator("#grid .score data").all_inner_texts()]
    assert len(scores) == PAGE_SIZE
    assert scores == sorted(scores, reverse=True)
    expect(page.locator("#subject img")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text(f"{PAGE_SIZE} of ")
    expect(page.locator("#took")).to_contain_text("ms")
    page.screenshot(path=tmp_path / "results.png")


def test_dropping_a_photo_searches_with_it(page: Page, photo: Path) -> None:
    drag_file(page, photo, drop=False)
    expect(page.get_by_text("Drop the photo")).to_be_visible()
    drag_file(page, photo, drop=True)
    expect(results(page)).to_have_count(PAGE_SIZE)
    expect(page.get_by_text("Drop the photo")).to_be_hidden()


def test_pasting_a_photo_searches_with_it(page: Page) -> None:
    paste_image(page, png("navy"))
    expect(results(page)).to_have_count(PAGE_SIZE)


def test_pasting_text_into_the_product_field_is_only_typing(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('boot-1')")
    page.locator("#product").focus()
    page.keyboard.press("Control+V")
    expect(page.locator("#product")).to_have_value("boot-1")
    expect(page.locator("body")).to_have_attribute("data-state", "empty")


def test_clicking_a_result_searches_from_it_and_the_url_says_so(page: Page, photo: Path) -> None:
    choose(page, photo)
    clicked = products(page)[1]
    results(page).nth(1).click()
    expect(page.locator("#subject .id")).to_have_text(clicked)
    assert clicked not in products(page)
    assert parameters(page)["product"] == [clicked]
    assert "collection" in parameters(page)


def test_the_url_of_a_product_search_opens_the_same_search(page: Page, photo: Path) -> None:
    choose(page, photo)
    results(page).first.click()
    expect(page.locator("#subject .id")).to_be_visible()
    seen = products(page)
    page.reload()
    expect(page.locator("#subject .id")).to_be_visible()
    assert products(page) == seen


def test_back_and_forward_return_to_each_search(page: Page, photo: Path) -> None:
    choose(page, photo)
    by_photo = products(page)
    results(page).nth(2).click()
    expect(page.locator("#subject .id")).to_have_text(by_photo[2])
    by_product = products(page)
    page.go_back()
    expect(page.locator("#subject .kind")).to_have_text("Your photo")
    assert products(page) == by_photo
    expect(results(page).nth(2)).to_be_focused()
    page.go_forward()
    expect(page.locator("#subject .id")).to_have_text(by_photo[2])
    assert products(page) == by_product
    page.go_back()
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-state", "empty")


def test_the_keyboard_alone_can_do_all_of_it(page: Page, photo: Path) -> None:
    press_until(page, "Tab", page.locator("#choose"))
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(photo)
    second = results(page).nth(1)
    press_until(page, "Tab", second)
    assert second.evaluate("link => getComputedStyle(link).outlineStyle") == "solid"
    chosen = products(page)[1]
    page.keyboard.press("Enter")
    expect(page.locator("#subject .id")).to_have_text(chosen)
    expect(results(page)).to_have_count(PAGE_SIZE)
    press_until(page, "Tab", page.locator("#more"))
    page.keyboard.press("Enter")
    expect(results(page).nth(PAGE_SIZE)).to_be_focused()


def test_a_text_file_shows_the_words_of_the_error_and_the_page_stays_usable(
    page: Page, photo: Path, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture at all")
    with page.expect_response("**/v1/search") as answer:
        choose(page, text)
    problem = answer.value.json()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(problem["title"])
    expect(alert).to_contain_text(problem["detail"])
    expect(alert.get_by_role("button")).to_be_hidden()
    page.screenshot(path=tmp_path / "error.png")
    choose(page, photo)
    expect(results(page)).to_have_count(PAGE_SIZE)
    expect(alert).to_be_hidden()


def test_an_unknown_product_in_the_url_shows_the_words_of_the_error(tab: Page) -> None:
    with tab.expect_response("**/similar*") as answer:
        tab.goto("/?product=no%2Fsuch%20product")
    assert answer.value.status == 404
    expect(tab.get_by_role("alert")).to_contain_text(answer.value.json()["detail"])


def test_a_product_id_can_be_typed(page: Page, photo: Path) -> None:
    choose(page, photo)
    wanted = products(page)[3]
    page.locator("#product").fill(wanted)
    page.keyboard.press("Enter")
    expect(page.locator("#subject .id")).to_have_text(wanted)
    assert parameters(page)["product"] == [wanted]


def test_show_more_appends_and_the_best_stay_first(page: Page, photo: Path) -> None:
    choose(page, photo)
    first = products(page)
    page.get_by_role("button", name="Show more").click()
    expect(results(page).nth(PAGE_SIZE)).to_be_focused()
    both = products(page)
    assert both[:PAGE_SIZE] == first
    assert len(set(both)) == len(both) > PAGE_SIZE


def test_an_overloaded_service_can_be_asked_again(page: Page, photo: Path) -> None:
    problem: dict[str, object] = {"title": "Busy", "detail": "Too many.", "status": 503}
    page.route("**/v1/search", answering(503, problem))
    choose(page, photo)
    expect(page.get_by_role("alert")).to_contain_text("Busy")
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    expect(results(page)).to_have_count(PAGE_SIZE)


def test_while_the_service_starts_the_page_says_so_and_then_goes_on(tab: Page, photo: Path) -> None:
    tab.route("**/readyz", answering(503, {"status": "starting", "collections": []}))
    tab.goto("/")
    expect(tab.get_by_role("note")).to_contain_text("starting")
    choose(tab, photo)
    expect(tab.locator("body")).to_have_attribute("data-state", "searching")
    tab.unroute("**/readyz")
    expect(results(tab)).to_have_count(PAGE_SIZE)
    expect(tab.locator("#notice")).not_to_contain_text("starting")


def test_a_collection_that_failed_to_start_does_not_keep_the_others_from_being_searched(
    tab: Page, photo: Path
) -> None:
    broken: dict[str, object] = {
        "name": "bags",
        "status": "failed",
        "detail": "its file is damaged",
    }
    states = readiness({"name": "default"}, broken)
    tab.route("**/readyz", answering(503, {**states, "status": "failed"}))
    tab.goto("/")
    choose(tab, photo)
    expect(results(tab)).to_have_count(PAGE_SIZE)
    tab.goto("/?collection=bags")
    expect(tab.get_by_role("note")).to_have_text("This collection is not ready.")
    expect(tab.get_by_text("its file is damaged")).to_be_hidden()
    tab.get_by_text("For developers").click()
    expect(tab.get_by_text("its file is damaged")).to_be_visible()
    expect(tab.locator("#show-curl")).to_be_hidden()
    expect(tab.get_by_role("status")).to_have_text("")


def test_a_collection_without_photo_search_starts_from_a_product(tab: Page) -> None:
    tab.route("**/readyz", answering(200, readiness({"name": "default", "photo_search": False})))
    tab.goto("/")
    expect(tab.get_by_role("note")).to_contain_text("start from a product")
    expect(tab.locator("#choose")).to_be_hidden()
    expect(tab.locator("#product")).to_be_visible()


def test_a_collection_of_another_model_says_so_in_plain_words(tab: Page) -> None:
    state = {
        "name": "default",
        "status": "mismatch",
        "photo_search": False,
        "detail": "made with x",
    }
    tab.route("**/readyz", answering(200, {**readiness(state), "status": "mismatch"}))
    tab.goto("/?product=hue%2F07")
    expect(tab.get_by_role("note")).to_contain_text("indexed with another model")
    expect(tab.locator("#choose")).to_be_hidden()
    expect(results(tab)).to_have_count(PAGE_SIZE)
    expect(tab.get_by_text("made with x")).to_be_hidden()
    tab.get_by_text("For developers").click()
    expect(tab.get_by_text("made with x")).to_be_visible()


def test_untrained_weights_are_told(tab: Page) -> None:
    tab.route("**/readyz", answering(200, readiness({"name": "default", "trained": False})))
    tab.goto("/")
    expect(tab.get_by_role("note")).to_contain_text("untrained")


def test_a_photo_is_searched_again_in_the_collection_that_is_chosen(tab: Page, photo: Path) -> None:
    tab.route("**/readyz", answering(200, readiness({"name": "bags"}, {"name": "default"})))
    tab.goto("/")
    expect(tab.get_by_label("Collection")).to_have_value("default")
    choose(tab, photo)
    results(tab)
    with tab.expect_request("**/v1/search") as request:
        tab.get_by_label("Collection").select_option("bags")
    assert b'name="collection"\r\n\r\nbags' in (request.value.post_data_buffer or b"")
    assert parameters(tab)["collection"] == ["bags"]


def test_one_collection_needs_no_chooser(tab: Page) -> None:
    tab.route("**/readyz", answering(200, readiness({"name": "default"})))
    tab.goto("/")
    expect(tab.get_by_role("status")).to_contain_text("9 products")
    expect(tab.get_by_label("Collection")).to_be_hidden()


def test_a_result_shows_its_attributes_as_text_and_a_missing_picture_as_words(
    page: Page, photo: Path
) -> None:
    attributes = {"title": "<b>Boot</b>", "brand": "Acme", "price": 49.5, "regular_price": 60}
    result = {
        "product_id": "a/b",
        "score": 0.91234,
        "image_url": None,
        "attributes": {**attributes, "currency": "EUR", "in_stock": False},
    }
    answer = {"collection": "default", "total": 1, "took_ms": {"search": 0.4}, "results": [result]}
    page.route("**/v1/search", answering(200, answer))
    choose(page, photo)
    card = results(page).locator("xpath=..")
    for text in ("<b>Boot</b>", "Acme", "€49.50", "€60.00", "Out of stock", "0.912", "No picture"):
        expect(card).to_contain_text(text)
    expect(results(page)).to_have_accessible_name("More like <b>Boot</b>")
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_pictures_have_words_and_a_size_so_that_nothing_jumps(page: Page, photo: Path) -> None:
    choose(page, photo)
    pictures = results(page).locator("img")
    expect(pictures.first).to_be_visible()
    for name in ("alt", "width", "height"):
        assert all(picture.get_attribute(name) for picture in pictures.all())
    assert {picture.get_attribute("loading") for picture in pictures.all()} == {"lazy"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_two_columns_and_no_sideways_scrolling(
    page: Page, photo: Path, scheme: str, tmp_path: Path
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 390, "height": 844})
    choose(page, photo)
    tops = [link.bounding_box() for link in results(page).all()[:3]]
    rows = [box["y"] for box in tops if box]
    assert rows[0] == rows[1] < rows[2]
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.screenshot(path=tmp_path / f"phone-{scheme}.png")


def test_the_page_runs_under_a_strict_policy_and_no_request_leaves_the_origin(
    tab: Page, photo: Path, live_server: str
) -> None:
    complaints: list[str] = []
    requested: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requested.append(request.url))
    response: Response | None = tab.goto("/")
    choose(tab, photo)
    results(tab).first.click()
    expect(tab.locator("#subject .id")).to_be_visible()
    results(tab)
    tab.wait_for_load_state("networkidle")
    assert complaints == []
    assert [url for url in requested if not url.startswith((live_server, "blob:"))] == []
    policy = (response.header_value("content-security-policy") if response else None) or ""
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
