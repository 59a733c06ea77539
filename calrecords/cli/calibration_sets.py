"""`calrecords calibrations`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options, rules_option
from calrecords.cli.output import print_json, say


@click.command(epilog=exit_codes.EPILOG)
@click.argument("science")
@click.option("--as-of", help="Choose by what was known at this time, UTC.")
@rules_option
@as_json
@connection_options
def calibrations(science: str, as_of: str | None, as_json: bool, **options: Any) -> int:
    """Show every calibration that the frame SCIENCE needs: OK, stale or missing.

    SCIENCE is a path, or the basename of a recorded frame. Exit code 1 if one is missing that
    the rules require.
    """
    with connected(options) as cal:
        found = cal.calibrations_for(science, as_of=as_of)
    if as_json:
        print_json(found.to_dict())
    else:
        say(str(found))
    return exit_codes.OK if found.is_complete else exit_codes.FAILED
