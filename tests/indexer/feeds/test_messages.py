"""What is said of feeds that cannot be read: what stands there, and what to do."""

import gzip
from pathlib import Path

import pytest

from indexer.errors import FeedError
from indexer.feeds import FeedRow, Rejection, read_feed

TEXT = "id,image_link,title\n1,a.jpg,Boot\n2,b.jpg,Shoe\n"


def message_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(FeedError) as raised:
        list(read_feed(path))
    return str(raised.value)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xml"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (gzip.compress(TEXT.encode(), mtime=0), "compressed with gzip; unpack it"),
        (b"PK\x03\x04\x14\0", "an Excel workbook"),
        (b"PAR1\x15", "a Parquet file; rename it to .parquet"),
    ],
)
def test_a_file_of_another_kind_is_told_by_what_it_seems_to_be(
    tmp_path: Path, suffix: str, content: bytes, kind: str
) -> None:
    assert f"seems to be {kind}" in message_of(tmp_path / f"f{suffix}", content).replace(
        "a ZIP archive or ", ""
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_told(tmp_path: Path, encoding: str) -> None:
    told = message_of(tmp_path / "f.csv", TEXT.encode(encoding))
    assert "seems to be UTF-16 without a byte order mark; save it as UTF-8" in told


@pytest.mark.parametrize(
    ("items", "found", "advice"),
    [
        ("<item><title>Salt & pepper</title></item>", "Salt & pepper", "write & as &amp;"),
        ("<item><title>a</titel></item>", "a</titel>", "close each tag by its name"),
        ("<item><title>a&nbsp;b</title></item>", "a&nbsp;b", "&#160;"),
        ("<item><title>cut", "<title>cut", "truncated; export it again"),
    ],
)
def test_xml_that_is_not_well_formed_is_told_with_what_stands_there_and_what_to_do(
    tmp_path: Path, items: str, found: str, advice: str
) -> None:
    end = "" if items.endswith("cut") else "</channel></rss>"
    told = message_of(tmp_path / "f.xml", f"<rss><channel>\n{items}{end}".encode())
    assert "line 2, column" in told
    assert found in told
    assert advice in told


def test_a_line_that_is_too_long_is_not_the_end_of_the_feed(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text(TEXT + f"3,c.jpg,{'x' * (1 << 20)}\n4,d.jpg,Clog\n")
    rows = list(read_feed(path))
    (bad,) = (row for row in rows if isinstance(row, Rejection))
    assert "longer than 1,048,576 characters" in bad.reason
    assert "ends" not in bad.reason


WORDS = "id,image_link,title\n1,a.jpg,Stiefel\n2,b.jpg,Schürze\n3,c.jpg,Größe 38\n"


@pytest.mark.parametrize("suffix", [".csv", ".txt", ".jsonl"])
def test_another_encoding_is_told_in_one_line(tmp_path: Path, suffix: str) -> None:
    told = message_of(tmp_path / f"f{suffix}", WORDS.encode("cp1252"))
    assert "line 3 reads 'Schürze' in Windows-1252: save the file as UTF-8" in told
    assert "iconv -f WINDOWS-1252 -t UTF-8" in told
    assert "\n" not in told


def test_damaged_rows_of_a_feed_in_utf_8_are_rejected_alone(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    damaged = WORDS.replace("a.jpg", "\udcff") + "4,\udcfe,Hut\n"
    path.write_bytes(damaged.encode(errors="surrogateescape"))
    rejected = [row.line for row in read_feed(path) if isinstance(row, Rejection)]
    assert rejected == [2, 5]


@pytest.mark.parametrize("first", ['"sep=;"', "sep=;;;", "SEP=; "])
def test_a_line_of_excel_that_another_program_saved_is_understood(
    tmp_path: Path, first: str
) -> None:
    path = tmp_path / "f.csv"
    path.write_text(f"{first}\n" + TEXT.replace(",", ";"))
    assert [row.product_id for row in read_feed(path)] == ["1", "2"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", ";|\t^")
def test_a_first_line_that_names_the_separator_is_understood(
    tmp_path: Path, mark: str, delimiter: str
) -> None:
    path = tmp_path / "f.csv"
    text = f"{mark}sep={delimiter}\r\n" + TEXT.replace(",", delimiter)
    path.write_text(text, encoding="utf-8", newline="")
    rows = [row for row in read_feed(path) if isinstance(row, FeedRow)]
    assert [(row.product_id, row.line) for row in rows] == [("1", 3), ("2", 4)]


def test_an_atom_entry_may_have_the_same_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "f.xml"
    entry = "<entry><id>7</id><g:id>7</g:id><g:image_link>a.jpg</g:image_link></entry>"
    path.write_text(f'<feed xmlns:g="http://base.google.com/ns/1.0">{entry}</feed>')
    assert [row.product_id for row in read_feed(path)] == ["7"]
