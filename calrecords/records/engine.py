"""How a records database is opened: SQLite by default, PostgreSQL in production.

Writers announce themselves before they read. SQLite's stock driver begins a transaction
only at the first write, and so loses read-modify-write updates silently or fails late with
"database is locked"; here every transaction begins explicitly, and a writer's begins with
``BEGIN IMMEDIATE``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine, make_url

from calrecords.errors import (
    ConfigurationError,
    DuplicateRecordError,
    RecordError,
    RecordsUnavailableError,
    SchemaError,
)

BUSY_TIMEOUT_S = 30.0
"""Seconds that a writer waits for another one before `RecordsUnavailableError`."""

CONNECT_TIMEOUT_S = 10
WAL_IS_SAFE_FROM = (3, 51, 3)
"""SQLite's write-ahead log can corrupt a database in versions before this one."""

_WRITER = "calrecords_writer"
_POSTGRESQL_MISSING = frozenset({"42P01", "42703"})
_SQLITE_MISSING = ("no such table", "no such column")


def database_url(database: str | Path) -> URL:
    """Return the URL of a records database, given as a URL or as a SQLite file.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read, or names a database that calrecords does not support.
    """
    if isinstance(database, Path) or "://" not in database:
        return URL.create("sqlite", database=str(Path(database).expanduser().absolute()))
    try:
        url = make_url(database)
    except exc.ArgumentError:
        msg = "CALRECORDS_DB_URL cannot be read; write sqlite:///FILE or postgresql://HOST/NAME"
        raise ConfigurationError(msg) from None
    kind = url.get_backend_name()
    if kind in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        msg = f"records live in SQLite or PostgreSQL, not in {kind}; change CALRECORDS_DB_URL"
        raise ConfigurationError(msg)
    if url.database in {None, "", ":memory:"}:
        msg = "records in memory would be lost; name a file: sqlite:///FILE"
        raise ConfigurationError(msg)
    return url


def shown(url: URL) -> str:
    """Return a database URL as it may be shown: without password and options."""
    return url.set(query={}).render_as_string(hide_password=True)


def make_engine(url: URL) -> Engine:
    """Return an engine on a records database; nothing is opened until it is used.

    Raises
    ------
    ConfigurationError
        If the driver of the database is not installed.
    """
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url, connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        return sa.create_engine(
            url,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c timezone=UTC"},
        )
    except ModuleNotFoundError as error:
        msg = "PostgreSQL needs a driver; install it with: pip install 'calrecords[postgres]'"
        raise ConfigurationError(msg) from error


def as_writer(engine: Engine) -> Engine:
    """Return a view of an engine whose transactions may write."""
    return engine.execution_options(**{_WRITER: True})


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    if sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITER, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def our_errors(url: URL) -> Iterator[None]:
    """Turn the database library's errors into ours.

    Raises
    ------
    RecordsUnavailableError
        If the database cannot be reached, or stays locked.
    DuplicateRecordError
        If another row has this identity.
    SchemaError
        If a table or a column is missing, or the file is no database.
    RecordError
        If the database refuses for another reason, for example because it is read-only.
    """
    try:
        yield
    except exc.IntegrityError as error:
        msg = f"the records refuse a second row with this identity: {error.orig}"
        raise DuplicateRecordError(msg) from None
    except exc.DBAPIError as error:
        raise _translated(error, shown(url)) from None
    except exc.TimeoutError:
        msg = "all database connections are in use; try again, or use fewer threads"
        raise RecordsUnavailableError(msg) from None


def _translated(error: exc.DBAPIError, place: str) -> RecordError:
    reason = str(error.orig).strip().partition("\n")[0]
    missing = getattr(error.orig, "sqlstate", None) in _POSTGRESQL_MISSING
    if missing or reason.startswith(_SQLITE_MISSING):
        return SchemaError(f"{place}: {reason}; run: calrecords db upgrade")
    if "file is not a database" in reason or "malformed" in reason:
        return SchemaError(f"{place} is no SQLite database, or a damaged one: {reason}")
    if "readonly" in reason or "read-only" in reason:
        return RecordError(f"{place} cannot be written: {reason}")
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return RecordsUnavailableError(f"cannot use the records at {place}: {reason}")
    return RecordError(f"the records at {place} refused: {reason}")
