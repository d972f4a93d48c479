"""What is told of rows that cannot be used: counts, causes, and the file of `--rejected`."""

import csv
import json
from pathlib import Path

import pytest

from tests.indexer.cli.conftest import Shop


def test_bad_rows_are_told_by_line_and_reason_and_the_rest_goes_in(shop: Shop) -> None:
    feed = shop.feed({"a": "red", "b": "navy", "c": "green"})
    (shop.folder / "photos/1-navy.png").write_bytes(b"no photo at all")
    with feed.open("a", encoding="utf-8") as stream:
        stream.write("d,photos/nothing.png,gone,1\n,photos/0-red.png,no id,1\n")
    ran = shop.run("add", feed, "--json")
    assert (ran.code, ran.json["added"], ran.json["rejected"]) == (3, 2, 3)
    rejected = {(each["line"], each["product_id"]) for each in ran.json["rejections"]}
    assert rejected == {(3, "b"), (5, "d"), (6, None)}
    assert all(each["reason"] and each["source"] == str(feed) for each in ran.json["rejections"])
    assert set(shop.products()) == {"a", "c"}


@pytest.mark.parametrize(
    "content", [b"root:x:0:0:secret", b"\xff\xd8\xff\xe0 secret", b"%PDF secret"]
)
def test_a_reason_quotes_neither_the_file_that_a_row_names_nor_where_it_is(
    shop: Shop, content: bytes
) -> None:
    (shop.folder / "secret.txt").write_bytes(content)
    path = shop.folder / "feed.csv"
    path.write_text("id,image_link\na,secret.txt\nb,nothing.txt\nc,.\n")
    ran = shop.run("add", "feed.csv", "--json")
    assert (ran.code, ran.json["rejected"]) == (3, 3)
    reasons = [each["reason"] for each in ran.json["rejections"]]
    assert [reason.split(":")[0] for reason in reasons] == ["secret.txt", "nothing.txt", "."]
    for told in (*reasons, ran.err):
        assert str(shop.folder) not in told
        assert "root" not in told
        assert content[:8].hex(" ") not in told


def test_reasons_are_printed_whole_whatever_they_contain(shop: Shop) -> None:
    path = shop.folder / "odd [b] :shoe: feed.csv"
    path.write_text("id,image_link\n[/b]x[red],a-rather-long-[/name]-of-a-photo.png\n")
    ran = shop.run("add", path)
    assert ran.code == 3
    (line,) = [line for line in ran.err.splitlines() if line.startswith("rejected:")]
    assert str(path) in line
    assert "[/b]x[red]" in line
    assert "a-rather-long-[/name]-of-a-photo.png" in line


@pytest.mark.parametrize(
    "bad", ["b,,blank photo,1", "b,x.png,a, comma,1", 'b,"x.png" y,quote,1', 'b,"x.png,quote,1']
)
def test_a_bad_row_that_names_its_id_keeps_its_product_and_no_other(shop: Shop, bad: str) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(9)} | {"b": "navy"}))
    feed = shop.feed({f"p{number}": "red" for number in range(8)})
    with feed.open("a") as stream:
        stream.write(bad + "\n")
    for options in (["--dry-run"], []):
        ran = shop.run("sync", feed, "--json", *options)
        assert (ran.code, ran.json["removed"], ran.json["rejected"]) == (3, 1, 1)
        assert ran.json["rejections"][0]["product_id"] == "b"
    assert set(shop.products()) == {*(f"p{number}" for number in range(8)), "b"}


def test_a_bad_row_without_an_id_keeps_all_products_unless_they_shall_go(shop: Shop) -> None:
    shop.run("add", shop.feed({f"p{number}": "red" for number in range(10)}))
    feed = shop.feed({f"p{number}": "red" for number in range(9)} | {"": "navy"})
    for options in (["--dry-run"], []):
        ran = shop.run("sync", feed, *options)
        assert ran.code == 3
        assert "not removed: 1 product missing" in ran.out
        assert "the id of 1 rejected row is unknown (line 11)" in ran.out
        assert "--remove-despite-rejects" in ran.out
    assert len(shop.products()) == 10
    told = shop.run("sync", feed, "--json").json
    assert (told["removed"], told["not_removed"]) == (0, 1)
    ran = shop.run("sync", feed, "--remove-despite-rejects", "--json")
    assert (ran.code, ran.json["removed"], ran.json["not_removed"]) == (3, 1, 0)
    assert "p9" not in shop.products()


def test_each_bad_row_counts_once_and_each_cause_is_told_once(shop: Shop) -> None:
    rows = [f"r{n},gone/{n}.png,x,1,more/{n}.png" for n in range(30)]
    rows += [f"q{n},photos/0-red.png,x,none{n}," for n in range(12)]
    shop.feed({"a": "red"})
    path = shop.folder / "feed.csv"
    header = "id,image_link,title,price,additional_image_link"
    path.write_text("\n".join([header, *rows, ""]))
    ran = shop.run("add", path, "--json")
    assert ran.json["rejected"] == len(ran.json["rejections"]) == 42
    assert ran.json["rejections"][0]["reason"].count("gone/0.png") == 1
    assert "more/0.png" in ran.json["rejections"][0]["reason"]
    told = [line for line in ran.err.splitlines() if line.startswith("rejected:")]
    assert len(told) == 2
    assert f"30 rows of {path}: cannot be read: No such file" in told[0]
    assert told[0].endswith("(lines 2, 3, 4, 5, 6, ...)")
    assert f"12 rows of {path}: for example price cannot be read; received 'none0'" in told[1]


def test_no_more_causes_are_told_than_fit_on_a_screen(shop: Shop) -> None:
    path = shop.folder / "feed.jsonl"
    path.write_text("".join(f'{{"id": "{n}", "c{chr(97 + n)}": {{}}}}\n' for n in range(12)))
    path.write_text(
        "".join(
            f'{{"id": "{n}", "image_link": "a.png", "c{chr(97 + n)}": 1e999}}\n' for n in range(12)
        )
    )
    ran = shop.run("add", path)
    told = [line for line in ran.err.splitlines() if line.startswith("rejected:")]
    assert len(told) == 11
    assert told[-1] == "rejected: 2 rows for 2 other reasons"
    assert "--rejected FILE writes all rejected rows, --verbose prints them" in ran.err
    every = shop.run("add", path, "--verbose").err.splitlines()
    assert sum(line.startswith("rejected:") for line in every) == 12


def test_warnings_are_told_and_are_no_rejections(shop: Shop) -> None:
    shop.feed({"a": "red"})
    path = shop.folder / "feed.csv"
    rows = ["a,photos/0-red.png,5,9,in stock", "b,photos/0-red.png,5,,soon"]
    path.write_text("\n".join(["id,image_link,price,sale_price,availability", *rows, ""]))
    for options in (["--dry-run"], []):
        ran = shop.run("add" if not options else "sync", path, "--json", *options)
        assert (ran.code, ran.json["rejected"], ran.json["added"]) == (0, 0, 2)
        told = [(each["line"], each["product_id"]) for each in ran.json["warnings"]]
        assert told == [(2, "a"), (3, "b")]
        assert ran.err.count("warning: ") == 2


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_rejected_rows_are_written_as_they_were_with_line_and_reason(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    with feed.open("a") as stream:
        stream.write('b,gone.png,"x, y",1\nc,photos/0-red.png,z,free\nd,photos/0-red.png,e, f,1\n')
    out = shop.folder / "bad.csv"
    assert shop.run("add", feed, "--rejected", out).code == 3
    header, *rows = read(out)
    assert header == ["source", "line", "reason", "id", "image_link", "title", "price"]
    assert [row[:2] for row in rows] == [[str(feed), "3"], [str(feed), "4"], [str(feed), "5"]]
    assert "gone.png: cannot be read" in rows[0][2]
    assert [row[3:] for row in rows] == [
        ["b", "gone.png", "x, y", "1"],
        ["c", "photos/0-red.png", "z", "free"],
        ["d", "photos/0-red.png", "e", " f", "1"],
    ]


def test_rejected_rows_that_were_corrected_can_be_added(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    with feed.open("a") as stream:
        stream.write("b,photos/0-red.png,x,free\n")
    out = shop.folder / "bad.csv"
    shop.run("add", feed, "--rejected", out)
    out.write_text(out.read_text().replace(",free", ",5.00 EUR"))
    assert shop.run("add", out, "--json").json["added"] == 1
    assert shop.products()["b"].attributes == {"title": "x", "price": 5.0, "currency": "EUR"}


def test_rejected_rows_are_never_written_over_the_feed(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    with feed.open("a") as stream:
        stream.write("b,photos/0-red.png,x,free\n")
    before = feed.read_bytes()
    link = shop.folder / "link.csv"
    link.symlink_to(feed)
    for out in (feed, link):
        for command in ("add", "sync"):
            ran = shop.run(command, feed, "--rejected", out)
            assert (ran.code, feed.read_bytes()) == (2, before)
            assert "would be overwritten" in ran.err
    assert not (shop.folder / "data").exists()


def test_a_file_of_rejected_rows_that_cannot_be_written_is_told_before_the_work(shop: Shop) -> None:
    ran = shop.run("add", shop.feed({"a": "red"}), "--rejected", shop.folder / "gone" / "bad.csv")
    assert ran.code == 2
    assert "--rejected: cannot write" in ran.err
    assert not (shop.folder / "data").exists()


def test_rejected_rows_in_another_folder_find_their_photos(shop: Shop) -> None:
    feed = shop.feed({"a": "red"})
    with feed.open("a") as stream:
        stream.write("b,photos/0-red.png,x,free\n")
    out = shop.folder / "elsewhere" / "bad.csv"
    out.parent.mkdir()
    shop.run("add", feed, "--rejected", out)
    out.write_text(out.read_text().replace(",free", ",5.00 EUR"))
    assert shop.run("add", out, "--json").json["added"] == 1


def test_rejected_rows_of_other_formats_are_written_with_their_columns(shop: Shop) -> None:
    path = shop.folder / "feed.jsonl"
    lines = [
        json.dumps({"id": "a", "image_link": "gone.png", "size": 42, "new": True}),
        json.dumps({"id": "b", "title": "\ud800", "additional_image_link": ["x", "y"]}),
        "no JSON",
    ]
    path.write_text("\n".join(lines) + "\n")
    out = shop.folder / "bad.csv"
    assert shop.run("add", path, "--rejected", out).code == 3
    header, *rows = read(out)
    assert header[3:] == ["id", "image_link", "size", "new", "title", "additional_image_link"]
    assert [row[3:] for row in rows] == [
        ["a", "gone.png", "42", "true", "", ""],
        ["b", "", "", "", "?", "x,y"],
        ["", "", "", "", "", "", "no JSON"],
    ]


def test_rejected_photos_of_a_folder_are_written_with_their_ids(shop: Shop) -> None:
    (shop.folder / "stock").mkdir()
    (shop.folder / "stock/boot.heic").touch()
    out = shop.folder / "bad.csv"
    assert shop.run("add", shop.folder / "stock", "--rejected", out).code == 3
    header, row = read(out)
    assert (header[3:], row[3:]) == (["id"], ["boot"])
