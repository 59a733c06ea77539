"""`calrecords override`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.judging import author, md5
from calrecords.cli.options import as_json, connected, connection_options, rules_option
from calrecords.cli.output import print_json, say, show_table
from calrecords.cli.querying import named


@click.group(epilog=exit_codes.EPILOG)
def override() -> None:
    """Force a calibration, for a target or for a camera in a period."""


@override.command("set", epilog=exit_codes.EPILOG)
@click.argument("caltype")
@click.argument("frame")
@click.option("--reason", required=True, help="Why.")
@click.option("--target", help="The one target it is for: a basename or a path.")
@click.option("--site", help="With --camera: the camera whose targets it is for.")
@click.option("--camera", help="With --site: the camera whose targets it is for.")
@click.option("--after", "applies_after", help="First dateobs of a target, UTC; by default open.")
@click.option("--until", "applies_until", help="First dateobs that is too late; by default open.")
@author
@md5
@rules_option
@as_json
@connection_options
def set_override(
    caltype: str,
    frame: str,
    reason: str,
    target: str | None,
    site: str | None,
    camera: str | None,
    applies_after: str | None,
    applies_until: str | None,
    author: str | None,
    md5: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Take FRAME, a frame ID or a basename, wherever CALTYPE is asked for.

    CALTYPE is one that the rules in use know; for one of other rules, name them by --rules.
    """
    with connected(options) as cal:
        made = cal.set_override(
            caltype,
            cal.recorded(named(frame), md5=md5),
            reason=reason,
            target=target,
            site=site,
            camera=camera,
            applies_after=applies_after,
            applies_until=applies_until,
            author=author,
        )
    if as_json:
        print_json(made)
    else:
        subject = made.target or f"{made.site} {made.camera}"
        say(f"override {made.id}: {made.filename} is the {made.caltype} of {subject}")
    return exit_codes.OK


@override.command("list", epilog=exit_codes.EPILOG)
@click.option("--all", "withdrawn", is_flag=True, help="List those that were withdrawn too.")
@as_json
@connection_options
def list_overrides(withdrawn: bool, as_json: bool, **options: Any) -> int:
    """List the overrides that hold, oldest first."""
    with connected(options) as cal:
        table = cal.overrides(withdrawn=withdrawn)
    show_table(table, hidden=() if withdrawn else _OF_WITHDRAWN, as_json=as_json)
    return exit_codes.OK


_OF_WITHDRAWN = ("withdrawn_at", "withdrawn_by", "withdrawn_reason", "md5")


@override.command("withdraw", epilog=exit_codes.EPILOG)
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Why.")
@author
@as_json
@connection_options
def withdraw_override(
    number: int, reason: str, author: str | None, as_json: bool, **options: Any
) -> int:
    """Let override NUMBER hold no longer; it stays in the history."""
    with connected(options) as cal:
        withdrawn = cal.withdraw_override(number, reason=reason, author=author)
    if as_json:
        print_json(withdrawn)
    else:
        say(f"override {withdrawn.id}: withdrawn")
    return exit_codes.OK
