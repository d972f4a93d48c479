"""What a query with options must answer, written plainly: dictionaries, lists and float64."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from indexer.search import SearchParameters

Attributes = dict[str, Any]
Shop = dict[str, tuple[Attributes, list[np.ndarray]]]  # product id -> attributes, unit vectors
WINDOW = 50


@dataclass(frozen=True)
class Condition:
    """A condition before it is written down."""

    field: str
    operator: str
    values: tuple[str, ...]
    negated: bool = False

    def text(self) -> str:
        values = ",".join(map(_quoted, self.values))
        return f"{'!' if self.negated else ''}{self.field}{self.operator}{values}"

    def met_by(self, attributes: Attributes) -> bool:
        own = attributes.get(self.field)
        found = own is not None and any(
            _meets(one, self.operator, value) for one in _members(own) for value in self.values
        )
        return found != self.negated


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"') else value


def _members(value: Any) -> list[Any]:
    if isinstance(value, str) and value.startswith("["):
        return list(json.loads(value))
    return [value]


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _meets(own: Any, operator: str, value: str) -> bool:
    if operator == ":":
        if isinstance(own, bool):
            return value.casefold() == str(own).casefold()
        if isinstance(own, str):
            return own.casefold() == value.casefold()
        return own is not None and _number(value) == float(own)
    number = _number(own)
    bound = float(value)
    return (
        number is not None
        and {
            "<": number < bound,
            "<=": number <= bound,
            ">": number > bound,
            ">=": number >= bound,
        }[operator]
    )


def _same(value: Any) -> object:
    """Equal for what a filter takes for equal."""
    return str(value).casefold() if isinstance(value, bool | str) else float(value)


@dataclass
class Expected:
    """A row of the ranking."""

    product_id: str
    score: float
    boost: float = 0.0
    photo: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass
class Query:
    """Conditions and boosts before they are written down, and all other parameters."""

    conditions: Sequence[Condition] = ()
    boosts: Sequence[tuple[Condition, float]] = ()
    rest: dict[str, Any] = field(default_factory=dict)

    def parameters(self, **page: int) -> SearchParameters:
        boosts = [f"{condition.text()}^{weight}" for condition, weight in self.boosts]
        filters = [condition.text() for condition in self.conditions]
        return SearchParameters(filter=filters, boost=boosts, **self.rest, **page)


def answer(
    shop: Shop, product_id: str | None, query: Query
) -> tuple[list[Expected], int, dict[str, dict[object, int]]]:
    """The whole ranking, the total and the facets."""
    vectors = _aim(shop, product_id, query)
    hidden = {product_id, *query.rest.get("more_like", ()), *query.rest.get("less_like", ())}
    floor = query.rest.get("min_score")
    rows = []
    for name, (attributes, photos) in shop.items():
        if name in hidden or not all(c.met_by(attributes) for c in query.conditions):
            continue
        scores = [max(round(float(photo @ vector), 12) for vector in vectors) for photo in photos]
        best = int(np.argmax(scores))
        boost = sum(weight for c, weight in query.boosts if c.met_by(attributes))
        if floor is None or scores[best] >= floor:
            rows.append(Expected(name, scores[best], boost, photos[best]))
    rows.sort(key=lambda row: (-(row.score + row.boost), row.product_id))
    facets = {name: _facet(shop, rows, name) for name in query.rest.get("facets", ())}
    if group := query.rest.get("group_by"):
        rows = _grouped(shop, rows, group)
    total = len(rows)
    if threshold := query.rest.get("dedup"):
        rows = _without_duplicates(rows, threshold)
    if turns := query.rest.get("diversify"):
        rows = _in_turns(shop, rows, *turns.split(":"))
    return rows, total, facets


def _without_duplicates(rows: list[Expected], threshold: float) -> list[Expected]:
    kept: list[Expected] = []
    for row in rows:
        if all(float(row.photo @ other.photo) < threshold for other in kept):
            kept.append(row)
    return kept


def _aim(shop: Shop, product_id: str | None, query: Query) -> list[np.ndarray]:
    more, less = query.rest.get("more_like", ()), query.rest.get("less_like", ())
    own = [] if product_id is None else list(shop[product_id][1])
    if not more and not less:
        return own
    wanted = own + [_unit(np.mean(shop[name][1], axis=0)) for name in more]
    direction = np.mean(wanted, axis=0)
    if less:
        unwanted = [_unit(np.mean(shop[name][1], axis=0)) for name in less]
        direction = direction - 0.5 * np.mean(unwanted, axis=0)
    return [_unit(direction)]


def _unit(vector: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vector / np.linalg.norm(vector)
    return unit


def _first(shop: Shop, row: Expected, name: str) -> object:
    value = shop[row.product_id][0].get(name)
    return None if value is None else _same(_members(value)[0])


def _grouped(shop: Shop, rows: list[Expected], name: str) -> list[Expected]:
    seen: set[object] = set()
    kept = []
    for row in rows:
        group = _first(shop, row, name)
        if group is None or group not in seen:
            kept.append(row)
        seen.add(group)
    return kept


def _in_turns(shop: Shop, rows: list[Expected], name: str, most: str = "1") -> list[Expected]:
    arranged = []
    for start in range(0, len(rows), WINDOW):
        before: Counter[object] = Counter()
        turns = []
        for at, row in enumerate(rows[start : start + WINDOW]):
            value = _first(shop, row, name)
            turns.append((0 if value is None else before[value] // int(most), at, row))
            before[value] += 1
        arranged += [row for _, _, row in sorted(turns, key=lambda turn: turn[:2])]
    return arranged


def _facet(shop: Shop, rows: list[Expected], name: str) -> dict[object, int]:
    counts: Counter[object] = Counter()
    for row in rows:
        value = shop[row.product_id][0].get(name)
        if value is not None:
            counts.update({_same(member) for member in _members(value)})
    return dict(counts)
