"""The commands `show` and `list`."""

import pytest

from tests.indexer.cli.conftest import COLOURS, Shop


def test_a_product_is_shown_with_its_attributes_and_photos(stocked: Shop) -> None:
    document = stocked.run("show", "a/b [/c]", "--json").json
    stored = stocked.products()["a/b [/c]"]
    assert document["attributes"] == stored.attributes
    (image,) = stored.images
    assert document["images"] == [
        {
            "image_id": image.image_id,
            "image": image.uri,
            "location": image.location,
            "content_hash": image.content_hash,
        }
    ]
    shown = stocked.run("show", "a/b [/c]").out
    assert all(text in shown for text in ("a/b [/c]!", "EUR", image.location))


def test_an_unknown_product_is_named(stocked: Shop) -> None:
    ran = stocked.run("show", "puce", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "unknown_product")
    assert "'puce'" in ran.err


@pytest.mark.parametrize("conditions", [(), ("--filter", "price:5")])
def test_pages_of_a_list_have_every_product_once(
    stocked: Shop, conditions: tuple[str, ...]
) -> None:
    seen: list[str] = []
    after: tuple[str, ...] = ()
    while True:
        page = stocked.run("list", *conditions, "-k", 3, *after, "--json").json
        assert page["total"] == len(COLOURS)
        seen += [each["product_id"] for each in page["products"]]
        if page["next"] is None:
            break
        after = ("--after", page["next"])
    assert seen == sorted(COLOURS)


def test_a_list_is_of_products_that_meet_all_conditions(stocked: Shop) -> None:
    conditions = ("--filter", "title:red!,navy!", "--filter", "!title:red!")
    listed = stocked.run("list", *conditions, "--json").json
    assert [each["product_id"] for each in listed["products"]] == ["navy"]
    ran = stocked.run("list", "--filter", "colour:red")
    assert (ran.code, "no product has an attribute 'colour'" in ran.err) == (2, True)


def test_a_page_says_that_there_is_more_and_how_to_see_it(stocked: Shop) -> None:
    ran = stocked.run("list", "-k", 2)
    assert "2 of 4 products; --after 'crimson' lists more" in ran.err
    assert "navy" not in ran.out
    assert stocked.run("list").err == ""


def test_listed_ids_are_what_remove_reads(stocked: Shop) -> None:
    ids = stocked.run("list", "--ids", "--filter", "!title:red!").out
    assert ids.splitlines() == ["a/b [/c]", "crimson", "navy"]
    file = stocked.folder / "ids.txt"
    file.write_text(ids, encoding="utf-8")
    assert stocked.run("remove", "--from", file).code == 0
    assert list(stocked.products()) == ["red"]


def test_a_piped_table_is_not_cut_even_if_the_environment_asks_for_colours(shop: Shop) -> None:
    name = "a long name " * 20
    assert shop.run("add", shop.feed({name.strip(): "red"})).code == 0
    ran = shop.run("list", FORCE_COLOR="1", COLUMNS="40", TERM="xterm")
    assert name.strip() in ran.out
