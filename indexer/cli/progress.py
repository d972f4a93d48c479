"""Progress bars on stderr, which appear when the work begins: none is left of a refused command.

The work begins with the first call of the function that advances the bar.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from indexer.cli.app import log
from indexer.errors import FeedError

Advance = Callable[[int], None]


@contextmanager
def progress_bar(what: str, total: int, *, transient: bool = False) -> Iterator[Advance]:
    """Shows a bar; the function given to the block advances it.

    Args:
        what: is done.
        total: when it is complete.
        transient: whether the bar is removed at the end; it is then shown in terminals only.
    """
    hidden = transient and not log.is_interactive  # rich would print an empty line
    progress = Progress(console=log, transient=transient, disable=hidden)
    task = progress.add_task(what, total=total)

    def advance(done: int) -> None:
        progress.start()
        progress.advance(task, done)

    with _stopped(progress):
        yield advance


@contextmanager
def counting_bar(what: str, count: Callable[[], int]) -> Iterator[Advance]:
    """Shows a bar with its speed, whose total is counted meanwhile; see `progress_bar`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=log)
    task = progress.add_task(what, total=None, rate="")

    def set_total() -> None:
        with suppress(FeedError):  # reported by the main thread
            progress.update(task, total=count())

    def advance(done: int) -> None:
        progress.start()
        speed = progress.tasks[task].speed
        progress.update(task, advance=done, rate=f"{speed:.0f}/s" if speed else "")

    with _stopped(progress):
        Thread(target=set_total, daemon=True).start()  # counting must not delay the work
        yield advance


@contextmanager
def _stopped(progress: Progress) -> Iterator[None]:
    try:
        yield
    finally:
        if progress.live.is_started:
            progress.stop()
