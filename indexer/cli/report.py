"""The command `report`."""

from dataclasses import asdict

import click
from rich.console import Group
from rich.table import Table

from indexer.cli.app import App, Output, reading
from indexer.events import EventStore, Report
from indexer.events import report as make_report


@click.command()
@click.option(
    "--days", type=click.IntRange(1), default=30, show_default=True, help="Period in days."
)
@click.option(
    "--below",
    type=click.FloatRange(-1, 1),
    default=0.75,
    show_default=True,
    help="A best score below this is no good match; the right value depends on the model, the"
    " default is for fashion-2.",
)
@reading
def report(app: App, days: int, below: float) -> Output:
    """Show statistics of the searches and events that the service has recorded.

    Clicks by rank, products never shown, searches without a good match.
    """
    store = EventStore(app.settings.storage.data_dir)
    try:
        made = make_report(store, app.catalog(), app.collection, days=days, below=below)
    finally:
        store.close()
    return Output(
        {"collection": app.collection, **asdict(made)}, Group(_summary(made), _ranks(made))
    )


def _summary(made: Report) -> Table:
    rank = made.mean_reciprocal_rank
    examples = f" ({', '.join(made.never_shown_examples)}, …)" if made.never_shown else ""
    rows = {
        "searches": ", ".join(f"{count} by {kind}" for kind, count in made.queries.items()),
        "events": ", ".join(f"{count} {action}" for action, count in made.actions.items()),
        "mean reciprocal rank of clicks": "no clicks" if rank is None else f"{rank:.3f}",
        f"searches without a match of {made.below}": str(made.without_good_match),
        "products never shown": f"{made.never_shown}{examples}",
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def _ranks(made: Report) -> Table:
    table = Table("rank", "shown", "clicked", "rate", box=None)
    for rank in made.ranks:
        rate = f"{rank.clicked / rank.shown:.1%}"
        table.add_row(str(rank.rank), str(rank.shown), str(rank.clicked), rate)
    return table
