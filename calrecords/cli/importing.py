"""`calrecords import`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import plain, print_json, say
from calrecords.records.importing_reports import PROBLEMS_KEPT, ImportReport, RowProblem


@click.command("import", epilog=exit_codes.EPILOG)
@click.argument("source", metavar="FILE|URL")
@click.option(
    "--format",
    "written",
    type=click.Choice(["jsonl", "csv", "banzai"]),
    help="How the file is written; by default as its name says.",
)
@click.option(
    "--known-from",
    metavar="TIME|created",
    help="From when on frames count as known, for selections as of an earlier time: a time, "
    "UTC, or when each file was made. By default from now on.",
)
@click.option("--author", default="import", show_default=True, help="Who marks frames.")
@click.option("--dry-run", is_flag=True, help="Write nothing, and say what would be recorded.")
@click.option(
    "--problems",
    "problems_kept",
    type=click.IntRange(min=0),
    default=PROBLEMS_KEPT,
    show_default=True,
    help="How many refused rows, and how many conflicts, are listed.",
)
@as_json
@connection_options
def import_(
    source: str, written: str | None, known_from: str | None, as_json: bool, **options: Any
) -> int:
    """Record the frames that FILE or a BANZAI database at URL lists, without moving any file.

    FILE holds one JSON object a line, or is CSV whose first line names the columns; or it is
    the SQLite file of BANZAI. What is recorded stays as it is, and importing again changes
    nothing. The exit code is 1 if a row is refused, or contradicts what is recorded.
    """
    asked = {name: options.pop(name) for name in ("author", "dry_run", "problems_kept")}
    with connected(options) as cal:
        report = cal.import_records(source, format=written, known_from=known_from, **asked)
    if as_json:
        print_json({**plain(report), "rows": report.rows})
    else:
        say(str(report))
    _list_problems("refused", report.refused, report.refused_rows)
    _list_problems("in conflict", report.conflicts, report.conflicting_rows)
    return _exit_code(report)


def _list_problems(meaning: str, count: int, problems: tuple[RowProblem, ...]) -> None:
    for problem in problems:
        name = "" if problem.basename is None else f" ({problem.basename})"
        say(f"row {problem.row}{name}: {meaning}: {problem.reason}", err=True)
    if count > len(problems):
        say(f"{count - len(problems)} more rows are {meaning}; see --problems", err=True)


def _exit_code(report: ImportReport) -> int:
    return exit_codes.OK if report.is_clean else exit_codes.FAILED
