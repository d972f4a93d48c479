"""A table of results with targets, printed row by row."""

import json
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A result. `most` and `least` are its targets; a row may have none."""

    what: str
    found: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def verdict(self) -> str:
        """`ok` or `below`; empty without a target. nan is below every target."""
        if self.most is None and self.least is None:
            return ""
        low = self.least is None or self.found >= self.least
        high = self.most is None or self.found <= self.most
        return "ok" if low and high else "below"

    @property
    def target(self) -> str:
        """The target as text."""
        bounds = (("<=", self.most), (">=", self.least))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


class Table:
    """A table whose rows are printed as they are added."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def heading(self, text: str) -> None:
        """Prints a heading."""
        print(f"\n{text:<58} {'found':>16} {'target':>12}", flush=True)

    def add(
        self,
        what: str,
        found: float,
        unit: str = "",
        *,
        most: float | None = None,
        least: float | None = None,
    ) -> None:
        """Adds and prints a row."""
        row = Row(what, found, unit, most, least)
        self.rows.append(row)
        value = f"{found:,.{0 if float(found).is_integer() or abs(found) >= 1000 else 2}f} {unit}"
        print(f"{what:<58} {value:>16} {row.target:>12} {row.verdict}", flush=True)

    def write(self, path: Path, **conditions: object) -> None:
        """Writes all rows and the conditions of the run as JSON."""
        document = {
            "machine": platform.platform(),
            **conditions,
            "rows": [{**asdict(row), "verdict": row.verdict} for row in self.rows],
        }
        path.write_text(json.dumps(document, indent=2) + "\n")
