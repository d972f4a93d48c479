"""RSS and Atom with Merchant columns."""

from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import (
    Rejection,
    read_feed,
)
from tests.indexer.feeds.reading import RSS, rows_of, write

ATOM = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">{}</feed>'


def test_rss_items_are_products(tmp_path: Path) -> None:
    item = """
    <item><title>Plain</title><g:title> Boots &amp; <![CDATA[<more>]]></g:title>
      <g:id>7</g:id><link>https://shop/7</link><g:price>15.00 USD</g:price>
      <g:image_link>https://x/a,b.jpg</g:image_link>
      <g:additional_image_link>https://x/c.jpg</g:additional_image_link>
      <g:additional_image_link>https://x/d.jpg</g:additional_image_link>
      <g:shipping><g:country>US</g:country><g:price>5 USD</g:price></g:shipping>
      <g:brand/>
    </item>"""
    (row,) = rows_of(write(tmp_path / "f.xml", RSS.format(item)))
    assert (row.product_id, row.line) == ("7", 2)
    assert row.attributes == {
        "title": "Boots & <more>",
        "link": "https://shop/7",
        "price": 15.0,
        "currency": "USD",
    }
    assert [image.uri[-7:] for image in row.images] == ["a,b.jpg", "x/c.jpg", "x/d.jpg"]


def test_atom_entries_are_products(tmp_path: Path) -> None:
    entry = '<entry><id>urn:1</id><link href="https://shop/7"/><g:id>7</g:id>{}</entry>'.format(
        "<g:image_link>a.jpg</g:image_link>"
    )
    (row,) = rows_of(write(tmp_path / "f.xml", ATOM.format(entry)))
    assert (row.product_id, row.attributes) == ("7", {"link": "https://shop/7"})


def test_a_bad_item_costs_only_itself(tmp_path: Path) -> None:
    good = "<item><g:id>{}</g:id><g:image_link>a.jpg</g:image_link></item>\n"
    long = "<item><g:id>9</g:id><g:title>" + "x" * 2_000_000 + "</g:title></item>\n"
    items = "\n" + good.format(1) + "<item><g:id>2</g:id></item>\n" + long + good.format(3)
    rows = list(read_feed(write(tmp_path / "f.xml", RSS.format(items))))
    assert [row.line for row in rows] == [2, 3, 4, 5]
    assert [row.reason[:20] for row in rows if isinstance(row, Rejection)] == [
        "image_link is missin",
        "the item is longer t",
    ]


LAUGHS = "<!DOCTYPE rss [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>" + RSS.format(
    "<item>&b;</item>"
)
OUTSIDE = "<!DOCTYPE rss [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + RSS.format(
    "<item>&x;</item>"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "must have no <!DOCTYPE>"),
        (OUTSIDE, "must have no <!DOCTYPE>"),
        ('<!DOCTYPE rss SYSTEM "http://x/rss.dtd">' + RSS, "must have no <!DOCTYPE>"),
        (RSS.format("<item>&nbsp;</item>"), "undefined entity"),
        ("<html></html>", "expected an RSS or Atom feed; received <html>"),
        (RSS[:-3], "not well-formed"),
        ("", "no element found"),
        ('<?xml version="1.0" encoding="nonsense"?><rss/>', "not well-formed"),
        ('<rss a="' + "x" * 3_000_000 + '"/>', "a tag is longer than"),
    ],
)
def test_xml_that_is_no_feed_or_an_attack_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(FeedError, match=reason):
        list(read_feed(write(tmp_path / "f.xml", text)))
