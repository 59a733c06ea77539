"""`calrecords db`: the schema of the records database."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import click

from calrecords.cli import exit_codes
from calrecords.cli.options import as_json
from calrecords.cli.output import print_json, say
from calrecords.records import RecordDatabase
from calrecords.workflows.settings import Settings

_place = click.option("--db", help="Records database: a SQLite file, or a URL.")
_config = click.option("--config", type=click.Path(dir_okay=False), help="A TOML settings file.")


@click.group(epilog=exit_codes.EPILOG)
def db() -> None:
    """Look after the records database."""


def _database(db: str | None, config: str | None) -> RecordDatabase:
    return RecordDatabase(Settings({"db_url": db, "config": config})["db_url"])


def _report(database: RecordDatabase, *, as_json: bool) -> int:
    from calrecords.records.migrate import HEAD

    revision = database.revision()
    document = {"database": database.place, "revision": revision, "needed": HEAD}
    if as_json:
        print_json(document)
    else:
        say(f"{database.place}: schema {revision or 'none'}, needed {HEAD}")
    return exit_codes.OK


@db.command(epilog=exit_codes.EPILOG)
@click.option("--revision", default="head", show_default=True, help="Schema to go up to.")
@_place
@_config
@as_json
def upgrade(db: str | None, config: str | None, revision: str, as_json: bool) -> int:
    """Bring the schema up to what this version needs.

    All of it lands, or nothing.
    """
    with closing(_database(db, config)) as database:
        database.upgrade(revision)
        return _report(database, as_json=as_json)


@db.command(epilog=exit_codes.EPILOG)
@click.argument("revision")
@click.confirmation_option(prompt="Records that the older schema cannot hold are lost. Go on?")
@_place
@_config
@as_json
def downgrade(db: str | None, config: str | None, revision: str, as_json: bool) -> int:
    """Take the schema back to REVISION; `base` removes every record."""
    with closing(_database(db, config)) as database:
        database.downgrade(revision)
        return _report(database, as_json=as_json)


@db.command(epilog=exit_codes.EPILOG)
@_place
@_config
@as_json
def current(as_json: bool, **options: Any) -> int:
    """Show which schema the database has, and which one is needed."""
    with closing(_database(options["db"], options["config"])) as database:
        return _report(database, as_json=as_json)


@db.command(epilog=exit_codes.EPILOG)
@_place
@_config
@as_json
def check(as_json: bool, **options: Any) -> int:
    """Fail unless the database can be used as it is."""
    with closing(_database(options["db"], options["config"])) as database:
        database.check_tables()
        return _report(database, as_json=as_json)
