"""The rating page: judging by keys, saving, resuming, and what it does when it is refused."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, Route, expect

from indexer.access.keys import Keys
from tests.browser import require_accessible
from tests.conftest import Store
from tests.processes import gunicorn
from tests.service.static.chromium import answering, png, problem, readiness

CANDIDATES = "**/v1/ratings/candidates"
RATINGS = "**/v1/ratings"


@pytest.fixture
def rate(tab: Page, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The form, filled in for a rater who has not judged before."""
    tab.goto("/rate")
    tab.evaluate("localStorage.clear()")
    tab.get_by_label("Your name or initials").fill(re.sub(r"\W", "", request.node.name)[-40:])
    tab.get_by_label("Number of products").fill("3")
    yield tab
    tab.evaluate("localStorage.clear()")


def start(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#rating")).to_be_focused()


def place(page: Page) -> Locator:
    return page.locator("#place")


def at_query(page: Page, number: int) -> None:
    """Waits for a query; until it is there, keys do nothing."""
    expect(page.locator("#progress-text")).to_have_text(f"Query {number} of 3")


def grades(page: Page) -> list[str]:
    """What the thumbnails say, of each result."""
    labels = [str(each.get_attribute("aria-label")) for each in page.locator("#strip button").all()]
    return [label.partition(": ")[2] for label in labels]


def sent_in(request: Request) -> list[dict[str, Any]]:
    """The judgements of a request."""
    document: dict[str, list[dict[str, Any]]] = json.loads(request.post_data or "")
    return document["ratings"]


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_text("Saved")


def test_a_query_is_judged_with_the_keyboard_alone(rate: Page) -> None:
    rate.get_by_label("Your name or initials").press("Enter")
    expect(place(rate)).to_have_text("Result 1 of 10")
    expect(rate.locator("#rating")).to_be_focused()
    for number, key in enumerate("1231231231", start=2):
        rate.keyboard.press(key)
        if number <= 10:
            expect(place(rate)).to_have_text(f"Result {number} of 10")
    at_query(rate, 2)
    saved(rate)
    rate.keyboard.press("p")
    at_query(rate, 1)
    assert grades(rate) == [*(["match", "similar", "wrong"] * 3), "match"]


def test_arrows_skip_and_undo(rate: Page) -> None:
    start(rate)
    for key in ("1", "ArrowLeft", "3", "s", "ArrowRight", "2"):
        rate.keyboard.press(key)
    assert grades(rate)[:6] == [
        "wrong",
        "not rated",
        "not rated",
        "similar",
        "not rated",
        "not rated",
    ]
    expect(place(rate)).to_have_text("Result 5 of 10")
    for expected in (["wrong"], ["match"], ["not rated"]):
        rate.keyboard.press("u")
        expect(rate.get_by_role("status").last).to_contain_text("Undone.")
        assert grades(rate)[:1] == expected
        assert grades(rate)[3] == "not rated"
    expect(rate.get_by_role("button", name="Undo")).to_be_disabled()
    saved(rate)
    rate.reload()
    start(rate)
    assert set(grades(rate)) == {"not rated"}


def test_buttons_and_pictures_do_the_same_by_touch(rate: Page) -> None:
    start(rate)
    rate.get_by_role("button", name="Similar", exact=True).click()
    rate.get_by_role("button", name="Result 5: not rated").click()
    rate.get_by_role("button", name="Match", exact=True).click()
    expect(place(rate)).to_have_text("Result 6 of 10")
    assert [grades(rate)[0], grades(rate)[4]] == ["similar", "match"]
    for number in (2, 3):
        rate.get_by_role("button", name="Next query").click()
        at_query(rate, number)
    rate.get_by_role("button", name="Next query").click()
    expect(rate.get_by_role("heading", name="All queries are done")).to_be_visible()
    rate.get_by_role("button", name="Previous query").click()
    at_query(rate, 3)


def test_a_rater_goes_on_where_the_last_visit_stopped(rate: Page) -> None:
    start(rate)
    rate.keyboard.press("n")
    at_query(rate, 2)
    for key in "123":
        rate.keyboard.press(key)
    expect(place(rate)).to_have_text("Result 4 of 10")
    saved(rate)
    title = rate.locator("#query-title").inner_text()
    rate.goto("/rate" + rate.evaluate("location.search"))
    expect(rate.get_by_label("Number of products")).to_have_value("3")
    expect(rate.get_by_label("Your name or initials")).not_to_have_value("")
    start(rate)
    at_query(rate, 2)
    expect(rate.locator("#query-title")).to_have_text(title)
    expect(place(rate)).to_have_text("Result 4 of 10")
    assert grades(rate)[:4] == ["match", "similar", "wrong", "not rated"]


def test_on_another_machine_a_rater_gets_what_is_not_judged_yet(rate: Page) -> None:
    start(rate)
    for _ in range(10):
        rate.keyboard.press("1")
    at_query(rate, 2)
    rate.keyboard.press("1")
    rate.keyboard.press("1")
    expect(place(rate)).to_have_text("Result 3 of 10")
    saved(rate)
    rater = rate.evaluate("localStorage.getItem('rater')")
    rate.evaluate("localStorage.clear()")
    rate.goto("/rate?queries=3")
    rate.get_by_label("Your name or initials").fill(rater.upper())
    start(rate)
    at_query(rate, 2)
    expect(place(rate)).to_have_text("Result 3 of 10")


def test_photos_are_queries_too(rate: Page, tmp_path: Path) -> None:
    for colour in ("teal", "gold"):
        (tmp_path / f"{colour}.png").write_bytes(png(colour))
    rate.get_by_label("My photos").check()
    rate.get_by_label("Photos", exact=True).set_input_files(
        [tmp_path / "teal.png", tmp_path / "gold.png"]
    )
    start(rate)
    expect(rate.locator("#progress-text")).to_have_text("Query 1 of 2")
    expect(rate.get_by_alt_text("Query: teal.png")).to_have_js_property("naturalWidth", 96)
    with rate.expect_request(RATINGS) as request:
        rate.keyboard.press("1")
    (sent,) = sent_in(request.value)
    assert len(sent["query_photo"]) == 64
    assert sent["query_product_id"] is None


def test_a_photo_that_cannot_be_used_is_named_and_left_out(rate: Page, tmp_path: Path) -> None:
    (tmp_path / "cut.png").write_bytes(png("teal")[:-40])
    (tmp_path / "gold.png").write_bytes(png("gold"))
    rate.get_by_label("My photos").check()
    photos = [tmp_path / "cut.png", tmp_path / "gold.png"]
    rate.get_by_label("Photos", exact=True).set_input_files(photos)
    start(rate)
    expect(rate.locator("#progress-text")).to_have_text("Query 2 of 2")
    expect(rate.locator("#notice")).to_contain_text("cut.png was left out")


def test_whoever_finished_is_shown_what_is_new(rate: Page) -> None:
    start(rate)
    for number in (2, 3):
        rate.keyboard.press("n")
        at_query(rate, number)
    rate.keyboard.press("n")
    expect(rate.get_by_role("heading", name="All queries are done")).to_be_visible()
    rate.goto("/rate" + rate.evaluate("location.search"))
    start(rate)
    at_query(rate, 1)


def test_two_collections_are_judged_without_a_word_of_which_is_which(tab: Page) -> None:
    tab.route("**/readyz", answering(200, readiness({"name": "default"}, {"name": "bags"})))
    sent: list[Request] = []

    def serve(route: Route) -> None:
        sent.append(route.request)
        answering(200, _pool("a", "b"))(route)

    tab.route("**/v1/ratings/queries*", answering(200, {"queries": [{"product_id": "q"}]}))
    tab.route(CANDIDATES, serve)
    tab.goto("/rate?compare=bags&depth=7&seed=5")
    tab.get_by_label("Your name or initials").fill("ab")
    expect(tab.get_by_label("Compare with")).to_have_value("bags")
    start(tab)
    asked = {"rater": "ab", "collection": "default", "compare": "bags", "depth": 7}
    assert sent[0].post_data_json == {**asked, "product_id": "q"}
    shown = tab.locator("#rating").evaluate("element => element.outerHTML")
    assert "bags" not in shown
    assert "default" not in shown


def _pool(*product_ids: str, photos: int = 1) -> dict[str, Any]:
    def product(product_id: str) -> dict[str, Any]:
        urls = ["/static/icon.svg"] * photos
        return {"product_id": product_id, "title": None, "image_urls": urls}

    candidates = [{**product(each), "grade": None} for each in product_ids]
    return {
        "query_product_id": "q",
        "query_photo": None,
        "query": product("q"),
        "candidates": candidates,
    }


def test_what_could_not_be_saved_is_sent_again_in_its_order(rate: Page) -> None:
    start(rate)
    rate.route(RATINGS, lambda route: route.abort())
    rate.keyboard.press("1")
    expect(rate.locator("#saved")).to_contain_text("Not saved yet: 1")
    rate.keyboard.press("2")
    rate.keyboard.press("ArrowLeft")
    rate.keyboard.press("3")
    rate.unroute(RATINGS)
    with rate.expect_request(RATINGS) as request:
        pass
    assert [each["grade"] for each in sent_in(request.value)] == ["match", "similar", "wrong"]
    saved(rate)


def test_results_that_do_not_come_are_asked_for_again(rate: Page) -> None:
    start(rate)
    busy = problem(503, "overloaded", "too many searches at once")
    rate.wait_for_load_state("networkidle")  # the next query is requested in advance
    rate.route(CANDIDATES, answering(503, busy))
    rate.keyboard.press("n")
    at_query(rate, 2)
    rate.keyboard.press("n")
    expect(rate.get_by_role("alert")).to_contain_text("too many searches at once")
    at_query(rate, 2)
    rate.unroute(CANDIDATES)
    rate.get_by_role("button", name="Try again").click()
    at_query(rate, 3)


def test_a_query_that_was_removed_meanwhile_is_passed_over(rate: Page) -> None:
    removed = answering(404, problem(404, "unknown_product", "there is no such product"))
    first = True

    def serve(route: Route) -> None:
        nonlocal first
        (removed if first else Route.continue_)(route)
        first = False

    rate.route(CANDIDATES, serve)
    start(rate)
    at_query(rate, 2)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, Keys]]:
    """A service that takes keys: its address, and the keys."""
    store = Store(tmp_path / "guarded")
    store.add(*(store.row(colour, colour) for colour in ("red", "navy", "green")))
    store.catalog.close()
    data_dir = store.catalog.folder.parent
    keys = Keys(data_dir)
    keys.create(["admin"], "operator")
    with gunicorn(data_dir, tmp_path / "log", "tests.processes:fake_app()") as service:
        yield service.url, keys


def test_a_service_that_takes_keys_is_given_one_for_rating(
    tab: Page, guarded: tuple[str, Keys]
) -> None:
    address, keys = guarded
    tab.goto(f"{address}/rate")
    tab.get_by_label("Your name or initials").fill("ab")
    tab.get_by_role("button", name="Start").click()
    expect(tab.get_by_label("API key")).to_be_focused()
    tab.keyboard.type(keys.create(["search"], "")[1])
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("alert")).to_contain_text("does not allow rating")
    tab.get_by_label("Another API key").fill(keys.create(["rate"], "")[1])
    tab.keyboard.press("Enter")
    expect(place(tab)).to_have_text("Result 1 of 2")
    tab.keyboard.press("1")
    tab.keyboard.press("2")
    at_query(tab, 2)
    saved(tab)


def asking(page: Page) -> None:
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.get_by_text("More settings").click()


def rating(page: Page) -> None:
    page.route(CANDIDATES, answering(200, _pool("a", "b", "c", photos=3)))
    start(page)
    for key in "12":
        page.keyboard.press(key)
    page.get_by_text("What the grades mean").click()


def refused(page: Page) -> None:
    page.route(CANDIDATES, answering(401, problem(401, "unauthorized", "send a key")))
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_label("API key")).to_be_visible()


def unsaved(page: Page) -> None:
    start(page)
    page.route(RATINGS, lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator("#saved")).to_contain_text("Not saved yet")


def finished(page: Page) -> None:
    start(page)
    for number in (2, 3):
        page.keyboard.press("n")
        at_query(page, number)
    page.keyboard.press("n")
    expect(page.locator("#finished")).to_be_focused()


@pytest.mark.parametrize(
    "state", [asking, rating, refused, unsaved, finished], ids=lambda state: state.__name__
)
def test_axe_finds_no_fault_by_day_by_night_and_on_a_phone(
    rate: Page, state: Callable[[Page], None]
) -> None:
    rate.emulate_media(reduced_motion="reduce")
    state(rate)
    require_accessible(rate)
    rate.route(RATINGS, answering(200, {}))  # a page with unsaved judgements asks before it closes
