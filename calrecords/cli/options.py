"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from calrecords.workflows.facade import CalibrationRecords

_F = TypeVar("_F", bound=Callable[..., Any])

_CONNECTION = (
    click.option("--db", help="Records database: a SQLite file, or a URL."),
    click.option("--archive", help="Root URL of the Science Archive; its token is AUTH_TOKEN."),
    click.option("--store", help="File store: a folder, or s3://BUCKET."),
    click.option("--cache", help="Folder of downloaded frames."),
    click.option("--config", type=click.Path(dir_okay=False), help="A TOML file with settings."),
)

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")

rules_option = click.option("--rules", help="Rules that choose: lco, gemini, or a TOML file.")


def connection_options(function: _F) -> _F:
    """Add what `calrecords.connect` takes."""
    for option in reversed(_CONNECTION):
        function = option(function)
    return function


def connected(options: dict[str, Any]) -> CalibrationRecords:
    """Connect with the options of a verb, taking them out of `options`."""
    from calrecords.workflows.connection import connect

    names = ("db", "archive", "store", "cache", "rules", "config")
    return connect(**{name: options.pop(name) for name in names if name in options})
