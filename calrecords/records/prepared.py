"""Statements that each ingested frame needs: compiled once, then given to the driver itself.

What the database library does around a statement costs several times what SQLite does for it,
so there it is left out; a server is some way off, and asked as usual.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

_dialect = sqlite.dialect()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The text of a statement, and how each of its values is given to SQLite, in order."""

    text: str
    constants: Mapping[str, Any]
    values: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    def parameters(self, values: Mapping[str, Any]) -> list[Any]:
        given = {**self.constants, **values}
        return [
            given[name] if given_as is None else given_as(given[name])
            for name, given_as in self.values
        ]


def execute(connection: Connection, statement: sa.ClauseElement, values: Mapping[str, Any]) -> Any:
    """Execute a statement that is a constant; return its result, a cursor.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    statement : ClauseElement
        Made once; what it was prepared for is kept with it.
    values : mapping
        Of its parameters, or of the columns to write.

    Returns
    -------
    cursor
        With ``fetchone()``, ``fetchall()`` and ``rowcount``; rows are as the driver has them.

    Raises
    ------
    sqlalchemy.exc.DBAPIError
        If the database refuses.
    """
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, values)  # type: ignore[call-overload]
    prepared = _prepared(statement, tuple(values))
    driver: Any = connection.connection.dbapi_connection
    try:
        return driver.execute(prepared.text, prepared.parameters(values))
    except sqlite3.Error as error:
        raise exc.DBAPIError.instance(prepared.text, None, error, sqlite3.Error) from error


@lru_cache(maxsize=64)
def _prepared(statement: sa.ClauseElement, names: tuple[str, ...]) -> _Prepared:
    compiled: Any = statement.compile(dialect=_dialect, column_keys=list(names))
    missing = [column.name for column in compiled.insert_prefetch if column.name not in names]
    if missing:
        msg = f"nobody fills in the default of {', '.join(missing)} here; give a value"
        raise TypeError(msg)
    binds = [(name, compiled.binds[name]) for name in compiled.positiontup]
    return _Prepared(
        compiled.string,
        {name: bind.value for name, bind in binds if name not in names},
        tuple(
            (name, bind.type.dialect_impl(_dialect).bind_processor(_dialect))
            for name, bind in binds
        ),
    )
