"""`calrecords impact`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.judging import md5
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import print_json, say, show_table, table_rows
from calrecords.cli.querying import named

_HIDDEN = ("rule_before", "rule_after", "used_md5", "before_md5", "after_md5", "recorded_at")


@click.command(epilog=exit_codes.EPILOG)
@click.option("--rules", "edited", help="Edited rules: a TOML file, or a shipped name.")
@click.option(
    "--verdict", type=click.Choice(["good", "bad", "unknown"]), help="A verdict on --frame."
)
@click.option("--frame", help="What the verdict would be on: a frame ID or a basename.")
@md5
@click.option("--unchanged", is_flag=True, help="List the uses that stay as they are, too.")
@as_json
@connection_options
def impact(
    edited: str | None,
    verdict: str | None,
    frame: str | None,
    md5: str | None,
    unchanged: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Show which recorded uses an edit would change, before it is applied.

    The edit is either --rules, or --verdict with --frame. What would be chosen now is what the
    rules of CALRECORDS_RULES, or of the --config, choose. Nothing is written, and the exit code
    is 0 whether or not anything would change.
    """
    if (edited is None) == (verdict is None) or (verdict is None) != (frame is None):
        msg = "say what is edited: --rules FILE, or --verdict bad --frame FRAME"
        raise click.UsageError(msg)
    if md5 is not None and frame is None:
        msg = "--md5 names a version of --frame"
        raise click.UsageError(msg)
    with connected(options) as cal:
        marked = None if frame is None else cal.recorded(named(frame), md5=md5)
        table = cal.impact(rules=edited, verdict=verdict, frame=marked, unchanged=unchanged)
    if as_json:
        print_json({**table.meta, "rows": table_rows(table)})
        return exit_codes.OK
    say(table.meta["summary"])
    if len(table):
        say()
        show_table(table, hidden=_HIDDEN, as_json=False)
    return exit_codes.OK
