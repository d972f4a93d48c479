"""The output of a run over a feed: counts, rejected rows and warnings."""

import re
from collections.abc import Sequence, Sized
from dataclasses import replace
from typing import Any

from indexer.cli.app import Output
from indexer.cli.errors import DONE, FAILED, SOME_REJECTED
from indexer.feeds import RejectedFile, Rejection, RowWarning, by_row
from indexer.ingest.report import HostDown, Report

_SAMPLES = 10
_CAUSES = 10  # printed on stderr
_ROWS = 5  # named for each cause
_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|[0-9][0-9.,]*")  # values, which are not part of a cause

_Row = Rejection | RowWarning


def output(report: Report, rejected: RejectedFile | None, *, dry_run: bool = False) -> Output:
    """Returns the output of a command, and writes rejected rows to the file `rejected`, if given.

    Raises:
        ImageSearchError: the file cannot be written.
    """
    rows = by_row(report.rejected)
    counts = {
        "added": len(report.added),
        "updated": len(report.updated),
        "removed": len(report.removed),
        "unchanged": report.unchanged,
        "rejected": len(rows),
        "embedded": report.embedded,
    }
    summary = ", ".join(f"{count} {what}" for what, count in counts.items())
    document: dict[str, Any] = {"dry_run": dry_run, **counts}
    down = report.hosts_down.values()
    document |= {
        "not_removed": len(report.not_removed),
        "rejections": list(map(_fields, rows)),
        "warnings": list(map(_fields, report.warnings)),
        "hosts_down": [
            {
                "host": each.host,
                "reason": each.reason,
                "photos": each.photos,
                "kept": each.kept,
                "cached": each.cached,
            }
            for each in down
        ],
    }
    lines = [f"dry run: {summary}" if dry_run else summary]
    if dry_run:
        samples = _samples(report)
        document |= {"refused": report.refused, "samples": samples}
        lines += [
            f"{name.replace('_', ' ')}: {', '.join(ids)}" for name, ids in samples.items() if ids
        ]
    lines += [*map(_host_line, down), *_removal_lines(report, rows)]
    if rejected is not None:
        rejected.write(rows)
    hint = "" if rejected else "--rejected FILE writes all rejected rows, --verbose prints them"
    by_host = {each for host in down for each in host.rejected}  # one line for each host
    others = by_row(each for each in report.rejected if each not in by_host)
    notes = [*_summarised("rejected", others, hint), *_summarised("warning", report.warnings, "")]
    code = FAILED if report.refused else SOME_REJECTED if rows or report.not_removed else DONE
    return Output(document, "\n".join(lines), code, notes, _all(rows, report.warnings))


def with_rejections(output: Output, rejected: Sequence[Rejection]) -> Output:
    """Adds the rejected rows of a feed: to the document, to stderr, and to the exit code 0."""
    rows = by_row(rejected)
    return replace(
        output,
        document={**output.document, "rejections": list(map(_fields, rows))},
        code=output.code or (SOME_REJECTED if rows else DONE),
        notes=[*output.notes, *_summarised("rejected", rows, "")],
        details=[*output.notes, *_all(rows, ())],
    )


def _samples(report: Report) -> dict[str, list[str]]:
    names = ("added", "updated", "removed", "not_removed")
    return {name: getattr(report, name)[:_SAMPLES] for name in names}


def _host_line(down: HostDown) -> str:
    counts = f"photos not read: {down.photos}, kept as stored: {down.kept}"
    if down.cached:
        counts += f", from the cache: {down.cached}"
    return f"photo server {down.host}: {counts}; {down.reason}"


def _removal_lines(report: Report, rows: Sequence[Rejection]) -> list[str]:
    lines = []
    if report.not_removed:
        unknown = [row for row in rows if row.product_id is None]
        lines.append(
            f"not removed: {_counted(report.not_removed, 'product')} missing in the feed, because"
            f" the id of {_counted(unknown, 'rejected row')} is unknown ({_places(unknown)}):"
            " correct the feed, or pass --remove-despite-rejects"
        )
    if report.refused:
        lines.append(f"sync would refuse this: {report.refused}")
    return lines


def _counted(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _fields(row: _Row) -> dict[str, object]:
    return {
        "source": row.source,
        "line": row.line,
        "product_id": row.product_id,
        "reason": row.reason,
    }


def _summarised(what: str, rows: Sequence[_Row], hint: str) -> list[str]:
    """Returns a line for each of the most frequent causes, one for all others, and the hint."""
    causes: dict[tuple[str, str], list[_Row]] = {}
    for row in rows:
        causes.setdefault((row.source, _VARYING.sub("#", _cause(row))), []).append(row)
    groups = sorted(causes.values(), key=len, reverse=True)
    lines = [_group_line(what, group) for group in groups[:_CAUSES]]
    if left := groups[_CAUSES:]:
        lines.append(f"{what}: {sum(map(len, left))} rows for {len(left)} other reasons")
    if hint and (left or any(len(group) > _ROWS for group in groups)):
        lines.append(hint)
    return lines


def _all(rejected: Sequence[Rejection], warnings: Sequence[RowWarning]) -> list[str]:
    """Returns a line for each row."""
    return [
        *(_row_line("rejected", row) for row in rejected),
        *(_row_line("warning", row) for row in warnings),
    ]


def _row_line(what: str, row: _Row) -> str:
    line = "" if row.line is None else f", line {row.line}"
    product = "" if row.product_id is None else f", product {row.product_id!r}"
    return f"{what}: {row.source}{line}{product}: {row.reason}"


def _group_line(what: str, rows: Sequence[_Row]) -> str:
    first = rows[0]
    if len(rows) == 1:
        return _row_line(what, first)
    same = len({_cause(row) for row in rows}) == 1
    example = "" if same else "for example "
    return f"{what}: {len(rows)} rows of {first.source}: {example}{_cause(first)} ({_places(rows)})"


def _cause(row: _Row) -> str:
    return row.cause or row.reason if isinstance(row, Rejection) else row.reason


def _places(rows: Sequence[_Row]) -> str:
    """Returns the line numbers of the first rows, or their products if there are no lines."""
    lines = [str(row.line) for row in rows if row.line is not None]
    names = lines or [repr(row.product_id) for row in rows if row.product_id is not None]
    if not names:
        return "without an id"
    more = ", ..." if len(rows) > _ROWS else ""
    noun = f"{'line' if lines else 'product'}{'' if len(names) == 1 else 's'}"
    return f"{noun} {', '.join(names[:_ROWS])}{more}"
