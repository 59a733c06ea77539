"""`calrecords query` and `calrecords show`."""

from __future__ import annotations

from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json, connected, connection_options
from calrecords.cli.output import describe_frame, plain, print_json, say, show_table


@click.command(epilog=exit_codes.EPILOG)
@click.option("--obstype", help="Observation type, for example BIAS.")
@click.option("--site", help="Code of the site.")
@click.option("--camera", help="The detector unit, for example kb70.")
@click.option("--instrument", help="Name of the instrument.")
@click.option("--filter", help="The bandpass element.")
@click.option("--binning", help="For example 2x2.")
@click.option("--configuration-mode", help="Readout mode of the camera.")
@click.option("--telescope", help="Code of the telescope.")
@click.option("--object", help="The sky object.")
@click.option("--proposal", help="Identifier of the proposal.")
@click.option("--pipeline-name", help="Software that made it.")
@click.option("--pipeline-version", help="Version of that software.")
@click.option("--basename", help="File name without extension.")
@click.option("--master/--individual", "is_master", default=None, help="Masters or individuals.")
@click.option("--reduction-level", type=int, help="0 is raw.")
@click.option(
    "--verdict", type=click.Choice(["good", "bad", "unknown"]), help="What somebody said of it."
)
@click.option("--dayobs", help="The night, YYYYMMDD.")
@click.option("--start", help="Earliest dateobs, UTC.")
@click.option("--end", help="Dateobs before this, UTC.")
@click.option("--all-versions", is_flag=True, help="List older versions too.")
@click.option("--limit", "row_limit", default=1000, show_default=True, help="Rows; -1 for all.")
@as_json
@connection_options
def query(row_limit: int, as_json: bool, **options: Any) -> int:
    """List recorded frames, newest observation first."""
    with connected(options) as cal:
        table = cal.query(row_limit=row_limit, **options)
    show_table(table, hidden=_WIDE, as_json=as_json)
    return exit_codes.OK


_WIDE = (
    *("instrument", "telescope", "configuration_mode", "ccd_measured_temperature", "created"),
    *("public_date", "object", "proposal", "pipeline_name", "pipeline_version", "md5"),
)


@click.command(epilog=exit_codes.EPILOG)
@click.argument("frame")
@click.option("--versions", is_flag=True, help="Show every version, newest first.")
@as_json
@connection_options
def show(frame: str, versions: bool, as_json: bool, **options: Any) -> int:
    """Show all that is recorded of FRAME, a frame ID or a basename."""
    with connected(options) as cal:
        found = cal.versions(named(frame)) if versions else [cal.recorded(named(frame))]
    described = [describe_frame(one) for one in found]
    if as_json:
        print_json(described if versions else described[0])
        return exit_codes.OK
    for one in described:
        version = one.pop("version")
        for name, value in {**one, **version}.items():
            say(f"{name:20} {'' if value is None else plain(value)}")
        say()
    return exit_codes.OK


def named(frame: str) -> str | int:
    """Return a frame ID where the word is a number, else the basename that it is."""
    return int(frame) if frame.isdecimal() else frame
