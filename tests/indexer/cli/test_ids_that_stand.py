"""No product is removed whose id still stands in the feed, whatever else is wrong with its row."""

import pytest

from tests.indexer.cli.conftest import Shop, grey

PHOTO = "photos/0-red.png"
NAMES = [f"P{number}" for number in range(10)]
LONG = "x" * (1 << 20)

Feed = tuple[str, str, str, str]  # ending, head, row with {} for the id, foot

CSV: Feed = (".csv", "id,image_link,title,price\n", f"{{}},{PHOTO},Boot,5.00 EUR\n", "")
ID_SECOND: Feed = (".csv", "title,id,image_link,price\n", f"Boot,{{}},{PHOTO},5.00 EUR\n", "")
PHOTO_LAST: Feed = (".csv", "title,id,brand,image_link\n", f"Boot,{{}},Acme,{PHOTO}\n", "")
JSON: Feed = (".jsonl", "", f'{{{{"id": "{{}}", "image_link": "{PHOTO}"}}}}\n', "")
NS = 'xmlns:g="http://base.google.com/ns/1.0"'
FIELDS = f"<g:id>{{0}}</g:id><g:image_link>{PHOTO}</g:image_link>"
RSS: Feed = (".xml", f"<rss {NS}><channel>\n", f"<item>{FIELDS}</item>\n", "</channel></rss>")


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """A shop with the products P0 to P9 and one that no feed has."""
    shop.run("add", shop.feed({name: grey(number) for number, name in enumerate(NAMES)}))
    shop.photo(PHOTO, "red")
    shop.run("add", shop.feed({"gone": "red"}, "gone.csv"))
    return shop


def synchronised(shop: Shop, feed: Feed, bad: str, *options: str) -> tuple[int, set[str]]:
    """The exit code for a feed with `bad` in place of the row of P3, and what is left."""
    ending, head, row, foot = feed
    rows = [bad if name == "P3" else row.format(name) for name in NAMES]
    path = shop.folder / f"damaged{ending}"
    path.write_bytes((head + "".join(rows) + foot).encode("utf-8", "surrogateescape"))
    ran = shop.run("sync", path, "--allow-mass-removal", *options)
    return ran.code, set(shop.products())


@pytest.mark.parametrize(
    ("feed", "bad"),
    [
        (JSON, '{"id": "P3" "brand": {"id": "77"}, "image_link": "a.png"}\n'),
        (JSON, '{"id": "P3" "product_id": "G77", "image_link": "a.png"}\n'),
        (JSON, """{'id': "P3', "shop": {"id": 3}, "image_link": "a.png"}\n"""),
        (JSON, '{id: "P3", "image_link": "a.png", "brand": {"id": "9"}}\n'),
        (JSON, '{"id": "P3, "image_link": "a.png"}\n'),
        (JSON, """{"id": 'P3', "image_link": "a.png"}\n"""),
        (JSON, '{"id": "\\u00503", "image_link": "a.png",, "brand": {"id": "9"}}\n'),
        (JSON, f'{{"title": "{LONG}", "id": "P3", "image_link": "a.png"}}\n'),
        (JSON, '{"id": "P3\udcff", "image_link": "a.png"}\n'),
        (ID_SECOND, f"Boots, red,P3,{PHOTO}\n"),
        (ID_SECOND, f"Boots, red,P3,{PHOTO},5.00 EUR\n"),
        (PHOTO_LAST, "Boots, red,P3,Acme\n"),
        (PHOTO_LAST, f"Boots, red,P3,{PHOTO}\n"),
        (CSV, f"P3,{PHOTO},{LONG},5.00 EUR\n"),
        (CSV, f"P3,{PHOTO},{'x' * 200_000},5.00 EUR\n"),
        (CSV, f"P3\udcff,{PHOTO},Boot,5.00 EUR\n"),
        (CSV, f"P3\0,{PHOTO},Boot,5.00 EUR\n"),
        (CSV, f'"P3"x,{PHOTO},Boot,5.00 EUR\n'),
        (CSV, "P3\n"),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, str) else "",
)
@pytest.mark.parametrize("options", [(), ("--remove-despite-rejects",)])
def test_a_product_is_kept_whose_id_stands_in_a_broken_row(
    stocked: Shop, feed: Feed, bad: str, options: tuple[str, ...]
) -> None:
    code, left = synchronised(stocked, feed, bad, *options)
    assert set(NAMES) - left == set()
    assert code == (0 if bad.endswith(f"red,P3,{PHOTO}\n") and feed is PHOTO_LAST else 3)
    if options:
        assert "gone" not in left


@pytest.mark.parametrize("bad", ['{"id": "P3" "brand": {"id": "77"}}\n', '{"id": "P3\n'])
def test_a_line_of_json_that_is_not_sure_of_its_id_keeps_all_products(
    stocked: Shop, bad: str
) -> None:
    assert synchronised(stocked, JSON, bad) == (3, {*NAMES, "gone"})


def test_a_broken_row_keeps_no_product_whose_id_is_part_of_a_longer_word(stocked: Shop) -> None:
    bad = f'P3,"{PHOTO},gone2 begone,5.00 EUR\n'
    assert "gone" not in synchronised(stocked, CSV, bad)[1]


def test_an_id_with_a_delimiter_left_over_in_its_quotes_keeps_the_product(stocked: Shop) -> None:
    for _ in range(2):
        assert "P3" in synchronised(stocked, CSV, f'"P3,",{PHOTO},Boot,5.00 EUR\n')[1]


def test_an_id_joined_to_another_cell_by_a_quote_keeps_its_product(shop: Shop) -> None:
    shop.run("add", shop.feed({'IN""CH-3': "red", "gone": "navy"}))
    path = shop.folder / "joined.csv"
    path.write_text('price,image_link,id\nred,.png,blue"IN""CH-3"\n')
    options = ("--allow-mass-removal", "--remove-despite-rejects")
    assert shop.run("sync", path, *options).code == 3
    assert set(shop.products()) == {'IN"CH-3'}


def test_an_id_in_latin_1_keeps_its_product_however_the_run_is_forced(shop: Shop) -> None:
    shop.run("add", shop.feed({"Größe 3": "red", "gone": "navy"}))
    path = shop.folder / "latin.csv"
    path.write_bytes((CSV[1] + CSV[2].format("Größe 3")).encode("latin-1"))
    options = ("--allow-mass-removal", "--remove-despite-rejects")
    assert shop.run("sync", path, *options).code == 3
    assert set(shop.products()) == {"Größe 3"}


def test_a_second_row_of_an_id_keeps_the_products_of_its_cells(stocked: Shop) -> None:
    path = stocked.folder / "header.csv"
    rows = [f"group,{PHOTO},{name}\n" for name in NAMES]
    path.write_text("product_id,image_link,idd\n" + "".join(rows))
    assert stocked.run("sync", path, "--allow-mass-removal").code == 3
    assert set(stocked.products()) == {*NAMES, "group"}


def test_a_line_too_long_to_look_into_refuses_the_feed(stocked: Shop) -> None:
    bad = f'{{"title": "{LONG * 17}", "id": "P3"}}\n'
    assert synchronised(stocked, JSON, bad, "--remove-despite-rejects") == (1, {*NAMES, "gone"})


def test_a_feed_that_may_be_cut_in_its_last_row_is_warned_of_if_it_removes_anything(
    stocked: Shop,
) -> None:
    last = f"P9,{PHOTO},Boot,1"
    path = stocked.folder / "cut.csv"
    path.write_text(CSV[1] + "".join(CSV[2].format(name) for name in NAMES[:9]) + last)
    for options in (["--dry-run"], []):
        assert (
            "the feed ends in this row without a line break"
            in stocked.run("sync", path, *options).err
        )
    assert set(stocked.products()) == set(NAMES)


def test_a_feed_without_a_line_break_at_its_end_that_removes_nothing_is_whole(shop: Shop) -> None:
    path = shop.feed({"a": "red", "b": "navy"})
    path.write_text(path.read_text().rstrip("\n"))
    for added in (2, 0):
        ran = shop.run("sync", path, "--json")
        assert (ran.code, ran.json["added"], ran.json["warnings"]) == (0, added, [])


ATOM: Feed = (
    ".xml",
    f'<feed xmlns="http://www.w3.org/2005/Atom" {NS}><id>urn:shop</id>\n',
    f"<entry><id>http://shop/{{0}}</id>{FIELDS}</entry>\n",
    "</feed>",
)
PLAIN: Feed = (".xml", "<rss><channel><id>shop</id>\n", RSS[2].replace("g:", ""), RSS[3])


@pytest.mark.parametrize(
    ("feed", "bad"),
    [
        (RSS, f"<ITEM>{FIELDS}</ITEM>\n"),
        (PLAIN, f"<itme>{FIELDS.replace('g:', '')}</itme>\n"),
        (PLAIN, f"<itme>{FIELDS.replace('g:id', 'product_id')}</itme>\n"),
        (RSS, f"<item><g:product>{FIELDS}</g:product></item>\n"),
        (RSS, f"<item><g:title>{LONG}</g:title>{FIELDS}</item>\n"),
        (RSS, f"<item><g:title>a<b/></g:title>{FIELDS.replace('g:id', 'g:idd')}</item>\n"),
        (ATOM, f"<entry><id>http://shop/3</id>{FIELDS.replace('g:id', 'g:idd')}</entry>\n"),
        (
            ATOM,
            f"<entry><id>http://shop/3</id><g:id/><g:idd>P3</g:idd><g:image_link>{PHOTO}</g:image_link></entry>\n",
        ),
    ],
)
def test_a_product_is_kept_whose_id_stands_in_a_broken_item(
    stocked: Shop, feed: Feed, bad: str
) -> None:
    bad = bad.format("P3")
    assert synchronised(stocked, feed, bad) == (3, {*NAMES, "gone"})
    assert synchronised(stocked, feed, bad, "--remove-despite-rejects") == (3, {*NAMES})


@pytest.mark.parametrize("feed", [RSS, ATOM, PLAIN])
def test_the_id_of_the_feed_itself_is_of_no_product(stocked: Shop, feed: Feed) -> None:
    assert synchronised(stocked, feed, feed[2].format("P3")) == (0, {*NAMES})


@pytest.mark.parametrize("place", [0, 3])
def test_a_row_with_an_alias_of_the_id_that_others_have_is_not_sure_of_its_id(
    stocked: Shop, place: int
) -> None:
    rows = [JSON[2].format(name) for name in NAMES]
    bad = f'{{"idd": "{NAMES[place]}", "product_id": "G77", "image_link": "{PHOTO}"}}\n'
    path = stocked.folder / "alias.jsonl"
    path.write_text("".join((*rows[:place], bad, *rows[place + 1 :])))
    for options, others in (((), {"gone"}), (("--remove-despite-rejects",), set[str]())):
        ran = stocked.run("sync", path, "--allow-mass-removal", *options)
        assert (ran.code, "which other rows have" in ran.err) == (3, True)
        assert set(stocked.products()) - {"G77"} == {*NAMES, *others}


@pytest.mark.parametrize("header", ["product_id,id", "id,product_id"])
def test_beside_a_column_id_no_other_is_the_id(stocked: Shop, header: str) -> None:
    path = stocked.folder / "variants.csv"
    rows = [("G1", name) for name in NAMES if name != "P3"] + [("P77", "")]
    if header.startswith("id"):
        rows = [(name, group) for group, name in rows]
    lines = [f"{first},{second},{PHOTO}\n" for first, second in rows]
    path.write_text(f"{header},image_link\n" + "".join(lines))
    ran = stocked.run("sync", path, "--json")
    assert (ran.code, ran.json["added"], ran.json["not_removed"]) == (3, 0, 2)
    assert "id is missing" in ran.err
