"""`calrecords config`: settings, and where they come from."""

from __future__ import annotations

import os

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json
from calrecords.cli.output import print_json, print_table, say
from calrecords.workflows.ocs_variables import refused_in
from calrecords.workflows.settings import Settings


@click.group(epilog=exit_codes.EPILOG)
def config() -> None:
    """Show settings and where they come from."""


@config.command(epilog=exit_codes.EPILOG)
@click.option("--config", type=click.Path(dir_okay=False), help="A TOML file with settings.")
@as_json
def show(config: str | None, as_json: bool) -> int:
    """Print each setting, its value and its source; secrets are masked.

    Variables of the OCS ingester that are set and have no effect are named, with the reason.
    """
    settings = Settings({"config": config})
    rows = [
        {
            "name": value.setting.name,
            "variable": value.setting.variable,
            "value": value.shown(),
            "source": value.source,
            "meaning": value.setting.meaning,
        }
        for value in settings.values()
    ]
    for variable, why in refused_in(os.environ).items():
        say(f"{variable} is set, and has no effect: {why}", err=True)
    if as_json:
        print_json(rows)
        return exit_codes.OK
    print_table(
        ["variable", "source", "value"],
        [[row["variable"], row["source"], row["value"]] for row in rows],
    )
    return exit_codes.OK
