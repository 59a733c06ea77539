"""`calrecords history`, `record-use`, `uses` and `affected`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.judging import md5
from calrecords.cli.options import as_json, connected, connection_options, rules_option
from calrecords.cli.output import print_json, say, show_table
from calrecords.cli.querying import named


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame")
@as_json
@connection_options
def history(frame: str, as_json: bool, **options: Any) -> int:
    """Show all that happened to the records of FRAME, a frame ID or a basename, oldest first."""
    with connected(options) as cal:
        table = cal.history(named(frame))
    show_table(table, hidden=("md5", "recorded_at", "is_imported"), as_json=as_json)
    return exit_codes.OK


@click.command("record-use", epilog=exit_codes.EPILOG)
@click.argument("target")
@click.argument("frame")
@click.option("--caltype", help="What FRAME was to TARGET, for example BIAS; by default its type.")
@click.option("--created-before", help="What was asked when it was chosen, UTC.")
@click.option("--include-bad", is_flag=True, help="Bad ones were asked for when it was chosen.")
@md5
@rules_option
@as_json
@connection_options
def record_use(
    target: str,
    frame: str,
    caltype: str | None,
    created_before: str | None,
    include_bad: bool,
    md5: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Record that TARGET was reduced with FRAME, a frame ID or a basename.

    TARGET is a path or a basename. Of a file that is there the facts are kept, so that
    `calrecords impact` can choose for it again. To record the same again changes nothing.
    """
    from calrecords.workflows.caltypes import spelled_caltype
    from calrecords.workflows.known_frames import basename_of

    asked: dict[str, Any] = {
        "created_before": created_before,
        "include_bad": include_bad or None,
    }
    with connected(options) as cal:
        used = cal.recorded(named(frame), md5=md5)
        as_what = spelled_caltype(cal.rules, caltype or used.obstype)
        is_new = cal.record_use(target, used, as_what, **asked)
    name = basename_of(target)
    if as_json:
        said = {"target": name, "caltype": as_what, "filename": used.filename}
        print_json({**said, "md5": used.version.md5, "is_new": is_new})
    else:
        already = "" if is_new else ", as is recorded already"
        say(f"{name}: its {as_what} was {used.filename}{already}")
    return exit_codes.OK


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame", required=False)
@click.option("--target", help="Show what this target was made with, in place of FRAME.")
@md5
@as_json
@connection_options
def uses(
    frame: str | None, target: str | None, md5: str | None, as_json: bool, **options: Any
) -> int:
    """Show what was made directly with FRAME, a frame ID or a basename."""
    if (frame is None) == (target is None):
        msg = "name a FRAME that was used, or a --target that it was used for"
        raise click.UsageError(msg)
    if md5 is not None and frame is None:
        msg = "--md5 names a version of FRAME"
        raise click.UsageError(msg)
    with connected(options) as cal:
        used = None if frame is None else cal.recorded(named(frame), md5=md5)
        table = cal.uses(used, target=target)
    show_table(table, hidden=("md5", "rule_version", "as_of", "override"), as_json=as_json)
    return exit_codes.OK


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame")
@md5
@as_json
@connection_options
def affected(frame: str, md5: str | None, as_json: bool, **options: Any) -> int:
    """Show all that was made with FRAME, through masters, down to the targets."""
    with connected(options) as cal:
        table = cal.affected_by(cal.recorded(named(frame), md5=md5))
    show_table(table, as_json=as_json)
    return exit_codes.OK
