"""Google Merchant XML feeds: RSS 2.0 and Atom.

Uses expat directly: it streams, reports line numbers, and allows a document type declaration
to be rejected before it defines entities, which entity attacks (billion laughs, external files)
depend on.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.parsers import expat

from indexer.errors import FeedError
from indexer.feeds.lines import MAX_ROW
from indexer.feeds.rows import BadRecord, Record
from indexer.feeds.xml_errors import describe

_CHUNK = 1 << 16  # bytes
_MAX_TAG = 1 << 20  # bytes; expat holds a tag with its attributes in memory
_ROOTS = {"rss", "feed", "RDF"}
_ITEMS = {"item", "entry"}
_IDS = {"id", "product_id"}
_G_ID = re.compile(rb"<g:id[\s>]")
_MAX_ITEM = 16 * MAX_ROW  # characters
_SHORT = 4_096  # characters of a text that may be an id
_RANK = {"g": 0, "": 1}  # <g:title>, written for shopping, takes precedence over <title>


class _Items:
    """Handlers of expat that append each product to `done` at its end tag.

    Each child of an item is a cell, repeated ones included. A child with children (g:shipping,
    g:tax) is a group and is no cell.

    Args:
        path: of the feed.
        parser: reports to the object.
        has_g_ids: whether some items have a <g:id>, so that the <id> of an Atom entry is not the
            product id.
    """

    def __init__(self, path: Path, parser: expat.XMLParserType, *, has_g_ids: bool) -> None:
        self.done: list[Record | BadRecord] = []
        self._path = path
        self._parser = parser
        self._has_g_ids = has_g_ids
        self._own_id_depth = 0  # where the feed may have an <id> itself; 0: it had
        self._depth = 0
        self._item_depth = 0  # 0: outside of any item
        self._start_line = 0
        self._size = 0
        self._cells: list[tuple[int, str, str]] = []  # rank, name, text
        self._groups: list[str] = []  # text inside of groups
        self._text: list[str] | None = None  # of a cell, or of an id outside of any item
        self._text_size = 0
        self._link = ""
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters

    def _refuse_doctype(self, *_: object) -> None:
        raise FeedError(f"{self._path}: a feed must have no <!DOCTYPE>; remove it")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition(":")[2]
        if self._depth == 1:
            self._start_feed(tag, name)
        if name in _ITEMS:
            if self._item_depth:  # the outer one lacks its end tag; the inner one may be complete
                self._reject(f"another <{tag:.20}> begins inside the item")
            elif self._text is not None:
                self._reject_outside()
            self._begin()
        elif not self._item_depth:
            self._start_outside(tag, name)
        elif self._depth == self._item_depth + 1:
            self._text, self._text_size = [], 0
            self._link = attributes.get("href", "")  # Atom: <link href="...">
        else:
            self._text = None

    def _start_feed(self, tag: str, name: str) -> None:
        if name not in _ROOTS:
            raise FeedError(f"{self._path}: expected an RSS or Atom feed; received <{tag:.80}>")
        self._own_id_depth = 2 if name == "feed" else 3

    def _start_outside(self, tag: str, name: str) -> None:
        if name not in _IDS:
            return
        if self._depth == self._own_id_depth and not tag.startswith("g:"):
            self._own_id_depth = 0
        else:  # of an item whose start tag is misspelled
            self._start_line = self._parser.CurrentLineNumber
            self._size, self._text, self._text_size = 0, [], 0

    def _begin(self) -> None:
        self._item_depth = self._depth
        self._start_line = self._parser.CurrentLineNumber
        self._size, self._cells, self._groups, self._text = 0, [], [], None

    def _reject(self, reason: str) -> None:
        cells = [cell[1:] for cell in self._cells]
        text = "\n".join((*(text for _, text in cells), "".join(self._groups)))
        self.done.append(BadRecord(self._start_line, reason, None, text, cells))

    def _reject_outside(self) -> None:
        reason = "id outside of any <item> or <entry>; is a tag misspelled?"
        text = "".join(self._text or ())
        self.done.append(BadRecord(self._start_line, reason, None, text))
        self._text = None

    def _characters(self, text: str) -> None:
        if not self._item_depth and self._text is None:
            return
        self._size += len(text)
        self._text_size += len(text)
        if self._size > _MAX_ITEM:
            raise FeedError(
                f"{self._path}: the item in line {self._start_line} is longer than {_MAX_ITEM:,}"
                " characters; is an end tag missing?"
            )
        # Of an item that is too long, short texts are still kept: one of them may be the id.
        if self._size <= MAX_ROW or self._text_size <= _SHORT:
            (self._groups if self._text is None else self._text).append(text)

    def _end(self, tag: str) -> None:
        if self._item_depth and self._depth == self._item_depth + 1:
            if self._text is not None:
                prefix, _, name = tag.rpartition(":")
                text = "".join(self._text) or self._link
                self._size += len(tag) + len(self._link)
                if self._size <= MAX_ROW or len(text) <= _SHORT:
                    self._cells.append((_RANK.get(prefix, 2), name, text))
            self._text = None
        elif not self._item_depth and self._text is not None:
            self._reject_outside()
        elif self._depth == self._item_depth:
            self._finish(tag)
        elif self._item_depth:
            self._groups.append("\n")
        self._depth -= 1

    def _finish(self, tag: str) -> None:
        if self._size > MAX_ROW:
            self._reject(f"the item is longer than {MAX_ROW:,} characters")
        else:
            atom = tag.rpartition(":")[2] == "entry"
            ranked = sorted(self._cells, key=lambda cell: cell[0])
            cells = _with_best_id(ranked, needs_g=self._has_g_ids and atom)
            self.done.append(Record(self._start_line, cells, raw_text="".join(self._groups)))
        self._cells = []
        self._item_depth = 0


def _with_best_id(
    ranked: Sequence[tuple[int, str, str]], *, needs_g: bool
) -> list[tuple[str, str]]:
    """Returns the cells without ids of lower rank, such as Atom's <id> next to <g:id>."""
    best = min((rank for rank, name, text in ranked if name == "id" and text.strip()), default=0)
    best = 0 if needs_g else best
    return [(name, text) for rank, name, text in ranked if name != "id" or rank <= best]


def read_merchant_xml(path: Path) -> Iterator[Record | BadRecord]:
    """Reads the items of an RSS feed or the entries of an Atom feed.

    Raises:
        FeedError: the file is neither, is not well-formed (possibly found only after some items
            were read), or has a document type declaration.
    """
    parser = expat.ParserCreate()
    items = _Items(path, parser, has_g_ids=_has_g_ids(path))
    fed = 0
    with path.open("rb") as stream:
        final = False
        while not final:
            chunk = stream.read(_CHUNK)
            final = not chunk
            fed += len(chunk)
            try:
                parser.Parse(chunk, final)
            except (expat.ExpatError, LookupError, ValueError) as error:
                raise FeedError(describe(path, parser, error)) from error
            yield from items.done
            items.done.clear()
            if fed - max(parser.CurrentByteIndex, 0) > _MAX_TAG:
                raise FeedError(f"{path}: a tag is longer than {_MAX_TAG} bytes")


def _has_g_ids(path: Path) -> bool:
    before = b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if _G_ID.search(before + chunk):
                return True
            before = chunk[-len("<g:id ") :]
    return False
