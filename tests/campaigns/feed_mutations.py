"""Feeds as they come when something went wrong: cells, quotes, rows, encodings, cut files."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from random import Random
from xml.sax.saxutils import escape

Row = dict[str, str]
Write = Callable[[Sequence[Row]], str]

_NS = 'xmlns:g="http://base.google.com/ns/1.0"'
_JUNK = (
    *("", " ", "free", "-1", "1e999", "NaN", "1.299 EUR", "x" * 20_000, "\x00", "\u202e"),
    *('"', '""', ",", "a\nb", "a\r\nb", "'", "&", "<b>", "]]>", "\\", "{}", "null", "\ufeff"),
)
_ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1", "cp1252", "utf-7")


def delimited(delimiter: str) -> Write:
    def write(rows: Sequence[Row]) -> str:
        stream = io.StringIO()
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return stream.getvalue()

    return write


def json_lines(rows: Sequence[Row]) -> str:
    return "".join(json.dumps(_nested(row), ensure_ascii=False) + "\n" for row in rows)


def _nested(row: Row) -> dict[str, object]:
    """The row with its brand as an object that has an id, too."""
    return {name: {"id": text} if name == "brand" else text for name, text in row.items()}


def xml(rows: Sequence[Row]) -> str:
    items = (
        "<item>"
        + "".join(f"<g:{name}>{escape(text)}</g:{name}>" for name, text in row.items())
        + "</item>\n"
        for row in rows
    )
    return f'<?xml version="1.0"?>\n<rss {_NS}><channel>\n{"".join(items)}</channel></rss>\n'


# What the format is made of: the places where a change does the most.
MARKS = {".csv": ',"\n', ".tsv": '\t"\n', ".jsonl": '{}",:\n\\', ".xml": "<>/&:"}


def mutated(random: Random, rows: Sequence[Row], write: Write, marks: str) -> bytes:
    """The feed of the rows after one to three changes of one kind or several."""
    changed = [dict(row) for row in rows]
    for _ in range(random.choice((0, 0, 1, 2))):
        random.choice(_OF_ROWS)(random, changed)
    text = write(changed)
    # Most changes of its text leave no XML, and such a feed is refused whole.
    for _ in range(random.choice((0, 0, 0, 1) if "<" in marks else (0, 1, 1, 2))):
        text = random.choice(_OF_TEXT)(random, text, marks)
    if random.random() < 0.15:
        return text.encode(random.choice(_ENCODINGS), "replace")
    data = text.encode()
    return random.choice(_OF_BYTES)(random, data) if random.random() < 0.3 else data


def change_rows(random: Random, rows: list[Row]) -> None:
    """One change of whole rows or cells, in place."""
    random.choice(_OF_ROWS)(random, rows)


def cut_or_flipped(random: Random, data: bytes) -> bytes:
    """The bytes with some of them changed or gone."""
    return random.choice(_OF_BYTES)(random, data)


def _junk(random: Random, rows: list[Row]) -> None:
    row = random.choice(rows)
    row[random.choice(list(row))] = random.choice(_JUNK)


def _junk_everywhere(random: Random, rows: list[Row]) -> None:
    name, value = random.choice(list(rows[0])), random.choice(_JUNK)
    for row in rows:
        row[name] = value


def _delete(random: Random, rows: list[Row]) -> None:
    if len(rows) > 1:
        del rows[random.randrange(len(rows))]


def _double(random: Random, rows: list[Row]) -> None:
    rows.insert(random.randrange(len(rows)), dict(random.choice(rows)))


def _shuffle(random: Random, rows: list[Row]) -> None:
    random.shuffle(rows)


def _insert(random: Random, text: str, marks: str) -> str:
    at = _place(random, text, marks) + random.randrange(2)
    return text[:at] + random.choice(marks) + text[at:]


def _drop(random: Random, text: str, marks: str) -> str:
    at = _place(random, text, marks)
    return text[:at] + text[at + 1 :]


def _replace(random: Random, text: str, marks: str) -> str:
    at = _place(random, text, marks)
    new: str = random.choice((*marks, "x", "é", "\r", "\u2028"))
    return text[:at] + new + text[at + 1 :]


def _bracket(random: Random, text: str, marks: str) -> str:
    """The same mark in two places: a quote that opens in one row and closes in another."""
    mark = random.choice(marks)
    first, second = sorted((_place(random, text, marks), _place(random, text, marks)))
    return text[: first + 1] + mark + text[first + 1 : second] + mark + text[second:]


def _cut(random: Random, text: str, _: str) -> str:
    return text[: random.randrange(len(text))]


def _lose_part(random: Random, text: str, _: str) -> str:
    start = random.randrange(len(text))
    return text[:start] + text[start + random.choice((1, 5, 40, 300)) :]


def _move_lines(random: Random, text: str, _: str) -> str:
    lines = text.splitlines(keepends=True)
    line = lines.pop(random.randrange(len(lines)))
    lines.insert(random.randrange(len(lines) + 1), line)
    return "".join(lines)


def _break_lines(random: Random, text: str, _: str) -> str:
    ends: tuple[str, ...] = ("\r\n", "\r", "\n\n", " \n", "")
    return text.replace("\n", random.choice(ends))


def _place(random: Random, text: str, marks: str) -> int:
    """Mostly where a mark is."""
    places: list[int] = [at for at, character in enumerate(text) if character in marks]
    return (
        random.choice(places) if places and random.random() < 0.7 else random.randrange(len(text))
    )


def _flip(random: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 30))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut_bytes(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data))]


def _bad_bytes(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data))
    return data[:at] + random.choice((b"\xff", b"\xc3", b"\x00", b"\xed\xa0\x80")) + data[at:]


def _shift(random: Random, text: str, marks: str) -> str:
    """A mark inside of one line, and mostly one less behind it: the cells between are shifted."""
    lines = text.splitlines(keepends=True)
    number = random.randrange(len(lines))
    line, mark = lines[number], marks[0]
    at = random.randrange(len(line))
    start, end = line[:at], line[at:]
    if random.random() < 0.7:
        before, _, last = end.rpartition(mark)
        end = before + ("\n" if random.random() < 0.5 else last)
    lines[number] = f"{start}{mark}{end}"
    return "".join(lines)


def _misspell(random: Random, text: str, _: str) -> str:
    """The name of the id or of the item, in one row or in all."""
    old, new = random.choice(
        (
            ("id>", "idd>"),
            ('"id"', '"idd"'),
            ("item>", "itme>"),
            ('"id": ', '"id" '),
            ("'id", '"id'),
        )
    )
    places = [match.start() for match in re.finditer(re.escape(old), text)]
    if not places:
        return text
    at = random.choice(places)
    end = text.find("\n", at)
    return text[:at] + text[at:end].replace(old, new) + text[end:]


def _cut_last(random: Random, text: str, _: str) -> str:
    """The feed ends in its last cells, or a few rows before."""
    lines = text.splitlines(keepends=True)
    kept = "".join(lines[: len(lines) - random.choice((0, 0, 1, 3))])
    return kept[: max(len(kept) - random.randint(1, 8), 1)]


_OF_ROWS = (_junk, _junk, _junk_everywhere, _delete, _double, _shuffle)
_OF_TEXT = (
    *(_insert, _drop, _replace, _bracket, _cut, _lose_part, _move_lines, _break_lines),
    *(_shift, _shift, _misspell, _misspell, _cut_last),
)
_OF_BYTES = (_flip, _cut_bytes, _bad_bytes)
