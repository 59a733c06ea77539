"""`calrecords audit` and `calrecords repair`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import print_json, say

if TYPE_CHECKING:
    from calrecords.workflows.audit_report import AuditReport
    from calrecords.workflows.repair_report import Repair

_PARTS = ("journal", "archive", "store", "objects", "cache")


@click.command(epilog=exit_codes.EPILOG)
@click.option("--full", is_flag=True, help="Read every byte of store and cache, not only sizes.")
@click.option("--for", "time_limit", help="Stop after a while, such as 30m; go on the next time.")
@click.option("--site", help="Only frames of this site.")
@click.option("--camera", help="Only frames of this camera.")
@click.option("--obstype", help="Only frames of this observation type.")
@click.option("--since", help="Only frames observed at this time, UTC, or later.")
@click.option("--until", help="Only frames observed before this time, UTC.")
@click.option(
    "--ours",
    is_flag=True,
    help="All that is in the scope is ours: what the records do not know is a fault.",
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(_PARTS),
    help="Only this comparison; may be repeated.",
)
@click.option("--grace", default="1h", show_default=True, help="Leave alone what is younger.")
@click.option("--workers", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--new", "anew", is_flag=True, help="Begin anew, even if another is unfinished.")
@as_json
@connection_options
def audit(full: bool, parts: Sequence[str], as_json: bool, **options: Any) -> int:
    """Compare records, archive, file store and cache both ways, and list every fault.

    Nothing is changed. Others may ingest meanwhile. An audit that was stopped goes on where it
    was when the same is asked again. Frames and files that nothing here knows of are only
    counted, since archives and stores are shared; --ours says that they are faults.
    """
    with connected(options) as cal, _status() as tell:
        report = cal.audit(
            depth="full" if full else "quick",
            parts=parts or None,
            progress=lambda part, count: tell(f"{part}: {count}"),
            **options,
        )
    if as_json:
        print_json(report.to_dict())
    else:
        say(str(report))
    return _code_of_audit(report)


@click.command(epilog=exit_codes.EPILOG)
@click.argument("number", type=int, required=False, metavar="[AUDIT]")
@click.option("--apply", is_flag=True, help="Do it; else only the plan is shown.")
@click.option("--force", is_flag=True, help="Do it even if more than 1 % is at fault.")
@click.option("--only", multiple=True, metavar="KIND", help="Only this kind; may be repeated.")
@as_json
@connection_options
def repair(
    number: int | None,
    apply: bool,
    force: bool,
    only: Sequence[str],
    as_json: bool,
    **options: Any,
) -> int:
    """Show how the faults that AUDIT found would be mended, or mend them; by default the newest.

    Each fault is looked at again before anything is changed. What nobody refers to is deleted
    only if two audits at least a day apart have both seen it.
    """
    with connected(options) as cal, _status() as tell:
        done = cal.repair(
            number,
            apply=apply,
            force=force,
            only=only or None,
            progress=lambda action: tell(f"{action.finding.name}: {action.state}"),
        )
    if as_json:
        print_json(done.to_dict())
    else:
        say(str(done))
    return _code_of_repair(done)


def _code_of_audit(report: AuditReport) -> int:
    from calrecords.workflows.audit_report import PartState

    if report.findings:
        return exit_codes.AT_FAULT
    if any(part.state is PartState.REFUSED for part in report.parts):
        return exit_codes.CONFIGURATION
    is_whole = report.is_finished and report.is_decided
    return exit_codes.OK if is_whole else exit_codes.TRY_LATER


def _code_of_repair(done: Repair) -> int:
    from calrecords.workflows.repair_report import RepairState

    if not done.is_applied:
        return exit_codes.OK
    codes = (
        (RepairState.FAILED, exit_codes.FAILED),
        (RepairState.TRY_LATER, exit_codes.TRY_LATER),
        (RepairState.LEFT, exit_codes.AT_FAULT),
    )
    return next((code for state, code in codes if state in done.counts), exit_codes.OK)


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Show on the terminal what is being done; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("") as shown:
        yield lambda text: shown.update(escape(text))
