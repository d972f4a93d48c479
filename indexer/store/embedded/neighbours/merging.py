"""Applies changes of a catalogue to the lists of a table."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from indexer.store.embedded.neighbours.table import Table


class Entry(NamedTuple):
    """A product in a list; entries sort in the order of the ranking."""

    negated_score: float
    product_id: str
    image_id: int


def entries_of(table: Table, number: int) -> list[Entry]:
    """Returns the list of a product."""
    photos, places = table.photos, table.places_of(number)
    return list(
        map(
            Entry,
            (-table.scores[number, : len(places)]).tolist(),
            photos.product_ids[photos.owners[places]].tolist(),
            photos.ids[places].tolist(),
        )
    )


def merged(
    entries: list[Entry], dropped: Collection[str], new: Iterable[Entry], *, complete: bool
) -> list[Entry]:
    """Removes and inserts products; ends the list where the ranking is no longer certain.

    All other products rank below the last entry of the list, so the result ends there, unless
    the list is complete.

    Args:
        entries: the list.
        dropped: products to leave out.
        new: images of products that are not in the list, or dropped.
        complete: whether there are no other products.
    """
    kept = [entry for entry in entries if entry.product_id not in dropped]
    best: dict[str, Entry] = {}
    for entry in sorted([*kept, *new]):
        if not complete and entry[:2] > entries[-1][:2]:
            break
        best.setdefault(entry.product_id, entry)
    return list(best.values())
