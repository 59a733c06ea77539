"""How a records database is opened: SQLite by default, PostgreSQL in production.

Writers announce themselves before they read. SQLite's stock driver begins a transaction
only at the first write, and so loses read-modify-write updates silently or fails late with
"database is locked"; here every transaction begins explicitly, and a writer's begins with
``BEGIN IMMEDIATE``.
"""

from __future__ import annotations

import logging
import sqlite3
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, Engine

from calrecords.errors import ConfigurationError
from calrecords.records.urls import HOW_TO_WRITE

log = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 30
"""Seconds that a writer waits for another one before `RecordsUnavailableError`."""

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 300.0
"""Seconds that a server may take for one statement; none of ours takes nearly as long."""

_NOTICE_AFTER_S = 30
"""A server that has gone without a word is asked for a sign of life after so many seconds."""

_SESSION = f"-c timezone=UTC -c lock_timeout={BUSY_TIMEOUT_S}s -c jit=off"
"""How a server is asked; no statement here lasts long enough to be compiled."""

WAL_IS_SAFE_FROM = (3, 51, 3)
"""SQLite's write-ahead log can corrupt a database in versions before this one."""

_KEPT_JOURNAL_BYTES = 1 << 20
"""A rollback journal is kept for the next transaction, which is cheaper than to make it anew."""

_WRITER = "calrecords_writer"


def make_engine(url: URL, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> Engine:
    """Return an engine on a records database; nothing is opened until it is used.

    Parameters
    ----------
    url : URL
        The database.
    answer_timeout_s : float, optional
        Seconds that a server may take for one statement.

    Raises
    ------
    ConfigurationError
        If the driver of the database is not installed, or the URL names no host that can be.
    """
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url, connect_args={"timeout": float(BUSY_TIMEOUT_S), "isolation_level": None}
        )
        event.listen(engine, "do_connect", _demand_file)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "close", _tidy_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "invalidate", _let_go_of_sqlite)
        return engine
    return _make_server_engine(url, answer_timeout_s)


def _make_server_engine(url: URL, answer_timeout_s: float) -> Engine:
    try:
        engine = sa.create_engine(url, pool_pre_ping=True, connect_args=_postgresql_arguments(url))
    except ImportError as error:
        msg = "PostgreSQL needs a driver; install it with: pip install 'calrecords[postgres]'"
        raise ConfigurationError(msg) from error
    except exc.ArgumentError:
        msg = f"CALRECORDS_DB_URL cannot be read: hosts or ports are amiss; {HOW_TO_WRITE}"
        raise ConfigurationError(msg) from None

    def connect(_dialect: Any, _record: Any, arguments: Any, named: Any) -> Any:
        from calrecords.records.postgresql_deadlines import connect_in_time

        return connect_in_time(answer_timeout_s, *arguments, **named)

    event.listen(engine, "do_connect", connect)
    return engine


def as_writer(engine: Engine) -> Engine:
    """Return a view of an engine whose transactions may write."""
    return engine.execution_options(**{_WRITER: True})


def set_journal_mode(connection: sqlite3.Connection, mode: str, wait_s: float) -> bool:
    """Bring a SQLite file to a journal mode; return whether it has it.

    SQLite does not wait for others before it changes the mode, whatever the busy timeout is,
    so that of several processes that open a new file at once some would fail.

    Parameters
    ----------
    connection : sqlite3.Connection
        Without a transaction.
    mode : str
        ``wal`` or ``delete``.
    wait_s : float
        Seconds that others may take before they are let be.
    """
    give_up = time.monotonic() + wait_s
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == mode:
                return True
            return bool(connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] == mode)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > give_up:
                return False
        time.sleep(0.01)


def _demand_file(_dialect: Any, _record: Any, arguments: Any, _named: Any) -> None:
    """Let SQLite open no pipe and no device: it takes them for a disk that cannot be read."""
    file = Path(arguments[0])
    try:
        kind = file.stat().st_mode
    except OSError:
        return  # a new file, or one that SQLite says the trouble of
    if not stat.S_ISREG(kind):
        msg = f"cannot open {file}: it is no regular file; change CALRECORDS_DB_URL"
        raise ConfigurationError(msg)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        _choose_journal(connection)
    except BaseException:
        connection.close()
        raise


def _let_go_of_sqlite(connection: sqlite3.Connection, *_: Any) -> None:
    """End the transaction of a connection that an interrupt broke, which would hold its lock."""
    with suppress(sqlite3.Error):
        connection.rollback()


def _choose_journal(connection: sqlite3.Connection) -> None:
    if sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM:
        set_journal_mode(connection, "wal", BUSY_TIMEOUT_S)
        return
    if set_journal_mode(connection, "delete", 0.0):
        connection.execute(f"PRAGMA journal_size_limit = {_KEPT_JOURNAL_BYTES}")
        connection.execute("PRAGMA journal_mode = PERSIST")
    else:
        log.warning(
            "the records file is in use with a write-ahead log, which SQLite %s can corrupt; "
            "use a newer Python or SQLite in all processes that share it",
            sqlite3.sqlite_version,
        )


def _tidy_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Remove the journal that was kept, unless somebody is writing."""
    with suppress(sqlite3.Error):
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "persist":
            connection.execute("PRAGMA journal_mode = DELETE")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITER, False)
    text = "BEGIN IMMEDIATE" if writes else "BEGIN"
    try:  # through the driver itself: each of a night's transactions begins so
        connection.connection.dbapi_connection.execute(text)  # type: ignore[union-attr]
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(text, None, error, sqlite3.Error) from error


def _postgresql_arguments(url: URL) -> dict[str, Any]:
    """Return how the server is asked; what the URL says comes before what we would say."""
    ours: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": BUSY_TIMEOUT_S * 1000,
        "keepalives_idle": _NOTICE_AFTER_S,
        "keepalives_interval": _NOTICE_AFTER_S // 3,
        "fallback_application_name": "calrecords",
        "client_encoding": "UTF8",  # a database of SQL_ASCII would answer bytes in place of text
    }
    given = url.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    arguments = {name: value for name, value in ours.items() if name not in url.query}
    return arguments | {"options": f"{_SESSION} {options}".strip()}
