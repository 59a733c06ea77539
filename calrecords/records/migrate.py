"""Which schema a records database has, and how it gets the one that this version needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection

from calrecords.errors import SchemaError
from calrecords.records.engine import as_writer, make_engine, our_errors, shown

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""Revision of the schema that this version of calrecords reads and writes."""

_PACKAGE = Path(__file__).parents[1]


def script_location() -> Path:
    """Return the folder of the migrations: the packaged one, else the checkout's.

    Raises
    ------
    SchemaError
        If this installation has neither.
    """
    for folder in (_PACKAGE / "_migrations", _PACKAGE.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    msg = "this installation of calrecords lacks its migrations; install it anew"
    raise SchemaError(msg)


def current(connection: Connection) -> str | None:
    """Return the revision of the schema that a database has; None where it has none."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)


def is_empty(connection: Connection) -> bool:
    """Return whether a database holds no table, but for Alembic's empty one."""
    return not set(sa.inspect(connection).get_table_names()) - {"alembic_version"}


def check(connection: Connection) -> None:
    """Make sure that a database has the schema that this version needs.

    Raises
    ------
    SchemaError
        If it is older, newer or another one; the message ends with what to type.
    """
    place = shown(connection.engine.url)
    revision = current(connection)
    if revision == HEAD:
        return
    if revision is None and not is_empty(connection):
        msg = f"{place} holds tables that are not calrecords'; name another database"
    elif revision is None:
        msg = f"{place} has no records schema yet; run: calrecords db upgrade"
    elif revision in known_revisions():
        msg = f"{place} has schema {revision}, older than {HEAD}; run: calrecords db upgrade"
    else:
        msg = (
            f"{place} has schema {revision}, which this calrecords does not know; "
            "run: pip install --upgrade calrecords"
        )
    raise SchemaError(msg)


def known_revisions() -> tuple[str, ...]:
    """Return every revision from the first to the newest."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in scripts.walk_revisions())[::-1]


def upgrade(url: URL, revision: str = "head") -> None:
    """Bring a database to a schema; all of it, or nothing.

    Raises
    ------
    SchemaError
        If the database holds another software's tables, or a newer schema.
    """
    from alembic import command

    with migrating(url) as connection:
        found = current(connection)
        if found is None and not is_empty(connection):
            check(connection)
        if found is not None and found not in known_revisions():
            check(connection)
        command.upgrade(_config(connection), revision)


def downgrade(url: URL, revision: str) -> None:
    """Take a database back to an earlier schema; ``base`` leaves no table of ours.

    Raises
    ------
    SchemaError
        If there is no such revision before the database's own.
    """
    from alembic import command
    from alembic.util import CommandError

    with migrating(url) as connection:
        try:
            command.downgrade(_config(connection), revision)
        except CommandError as error:
            msg = (
                f"cannot downgrade to {revision!r}: {error}; known: {', '.join(known_revisions())}"
            )
            raise SchemaError(msg) from None


@contextmanager
def migrating(url: URL) -> Iterator[Connection]:
    """Open one transaction for a migration: it lands whole, or not at all.

    In SQLite foreign keys are off meanwhile, since a table that is rebuilt would take the
    rows that refer to it along, and are checked before the commit.

    Raises
    ------
    SchemaError
        If the migration left a row that refers to nothing.
    """
    engine = make_engine(url)
    on_sqlite = url.get_backend_name() == "sqlite"
    if on_sqlite:
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA foreign_keys = OFF"))
    try:
        with our_errors(url), as_writer(engine).begin() as connection:
            if not on_sqlite:
                connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('calrecords'))"))
            yield connection
            if on_sqlite and (
                broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            ):
                msg = f"the migration would leave {len(broken)} rows that refer to nothing"
                raise SchemaError(msg)
    finally:
        engine.dispose()


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
