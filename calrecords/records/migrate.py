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
from calrecords.records.engine import as_writer, make_engine
from calrecords.records.faults import our_errors
from calrecords.records.models import Base, Frame
from calrecords.records.urls import shown

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""Revision of the schema that this version of calrecords reads and writes."""

PUT_A_BACKUP = "put a backup in its place, or name another: CALRECORDS_DB_URL=sqlite:///FILE"

_STATEMENT_TIMEOUT_S = 6 * 3600.0
"""A migration may rebuild a large table in one statement."""

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
    """Return the revision of the schema that a database has; None where it has none.

    Raises
    ------
    SchemaError
        If it says that it has several.
    """
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    text = sa.text("SELECT version_num FROM alembic_version ORDER BY version_num")
    found = [str(revision) for revision in connection.scalars(text)]
    if len(found) > 1:
        msg = (
            f"{shown(connection.engine.url)} says that it has the schemas {', '.join(found)} at "
            f"once; {PUT_A_BACKUP}"
        )
        raise SchemaError(msg)
    return found[0] if found else None


def is_new(connection: Connection) -> bool:
    """Return whether nothing was ever made in a database."""
    return not sa.inspect(connection).get_table_names()


def is_empty(connection: Connection) -> bool:
    """Return whether a database holds no table, but for Alembic's empty one."""
    return not set(sa.inspect(connection).get_table_names()) - {"alembic_version"}


def check(connection: Connection, *, head: str = HEAD) -> None:
    """Make sure that a database has the schema that this version needs.

    Raises
    ------
    SchemaError
        If it is older, newer or another one; the message ends with what to type.
    """
    revision = current(connection)
    if revision == head:
        return
    place = shown(connection.engine.url)
    if revision in known_revisions():
        msg = f"{place} has schema {revision}, older than {head}; run: calrecords db upgrade"
    elif is_empty(connection):
        msg = f"{place} has no records schema yet; run: calrecords db upgrade"
    elif revision is None or not sa.inspect(connection).has_table(Frame.__tablename__):
        msg = (
            f"{place} holds tables that are not calrecords'; name another database: "
            "CALRECORDS_DB_URL=sqlite:///FILE"
        )
    else:
        msg = (
            f"{place} has schema {revision}, which this calrecords does not know; "
            "run: pip install --upgrade calrecords"
        )
    raise SchemaError(msg)


def check_tables(connection: Connection) -> None:
    """Make sure that a database at head has every table and column that belongs to it.

    Raises
    ------
    SchemaError
        If one is missing, which no upgrade brings back.
    """
    found = {
        name: {column["name"] for column in columns}
        for (_, name), columns in sa.inspect(connection).get_multi_columns().items()
    }
    missing = [
        table.name if table.name not in found else f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name not in found.get(table.name, ())
    ]
    if missing:
        msg = (
            f"{shown(connection.engine.url)} lacks {', '.join(dict.fromkeys(missing))}; "
            f"{PUT_A_BACKUP}"
        )
        raise SchemaError(msg)


def known_revisions(scripts: Path | None = None) -> tuple[str, ...]:
    """Return every revision from the first to the newest."""
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory.from_config(_config(scripts=scripts))
    return tuple(script.revision for script in directory.walk_revisions())[::-1]


def upgrade(url: URL, revision: str = "head", *, scripts: Path | None = None) -> None:
    """Bring a database to a schema; all of it, or nothing.

    Parameters
    ----------
    url : URL
        The database.
    revision : str, optional
        The schema's revision; the newest by default.
    scripts : Path, optional
        The folder of the migrations; by default `script_location`.

    Raises
    ------
    SchemaError
        If the database holds another software's tables or a newer schema, or there is no such
        revision after its own.
    """
    from alembic import command

    with migrating(url) as connection:
        found = current(connection)
        if found not in known_revisions(scripts) and not (found is None and is_empty(connection)):
            check(connection)
        with _known_revision(f"upgrade to {revision!r}"):
            command.upgrade(_config(connection, scripts), revision)


def downgrade(url: URL, revision: str) -> None:
    """Take a database back to an earlier schema; ``base`` leaves no table of ours.

    Raises
    ------
    SchemaError
        If there is no such revision before the database's own.
    """
    from alembic import command

    with migrating(url) as connection, _known_revision(f"downgrade to {revision!r}"):
        command.downgrade(_config(connection), revision)


@contextmanager
def _known_revision(what: str) -> Iterator[None]:
    from alembic.util import CommandError

    try:
        yield
    except CommandError as error:
        msg = f"cannot {what}: {error}; known are: {', '.join(known_revisions())}"
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
    engine = make_engine(url, answer_timeout_s=_STATEMENT_TIMEOUT_S)
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
                msg = (
                    f"the migration would leave {len(broken)} rows that refer to nothing, and is "
                    "undone; look for them with: PRAGMA foreign_key_check"
                )
                raise SchemaError(msg)
    finally:
        engine.dispose()


def _config(connection: Connection | None = None, scripts: Path | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(scripts or script_location()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
