"""What keeps a records database, and how: for who looks after it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from calrecords.records.database import RecordDatabase
from calrecords.records.engine import WAL_IS_SAFE_FROM
from calrecords.records.models import Site

WRITE_AHEAD_LOG = "wal"
"""The journal mode of SQLite that is fast, and was not always safe."""


@dataclass(frozen=True, slots=True)
class DatabaseSoftware:
    """What keeps a records database.

    Attributes
    ----------
    name : str
        SQLite or PostgreSQL.
    version : str
        Its version.
    journal_mode : str or None
        How SQLite keeps what a transaction changes; None for a server.
    has_safe_log : bool
        Whether the write-ahead log of this version cannot corrupt a database.
    """

    name: str
    version: str
    journal_mode: str | None
    has_safe_log: bool


class _UndoneError(Exception):
    """Takes back what was written."""


def demand_writable(database: RecordDatabase) -> None:
    """Make sure that records can be written; what is written for that is undone.

    Raises
    ------
    RecordsRefusedError
        If they can only be read.
    RecordsUnavailableError
        If it cannot be reached, or stays locked.
    """
    with suppress(_UndoneError), database.write_rows() as connection:
        connection.execute(sa.insert(Site).values(code="calrecords doctor"))
        raise _UndoneError


def software_of(database: RecordDatabase) -> DatabaseSoftware:
    """Return what keeps a records database, which is there.

    Raises
    ------
    RecordsUnavailableError
        If it cannot be reached.
    """
    with database.read() as connection:
        numbers = connection.dialect.server_version_info or ()
        version = ".".join(map(str, numbers))
        if database.is_server:
            return DatabaseSoftware("PostgreSQL", version, None, has_safe_log=True)
        mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())
    return DatabaseSoftware("SQLite", version, mode, has_safe_log=numbers >= WAL_IS_SAFE_FROM)
