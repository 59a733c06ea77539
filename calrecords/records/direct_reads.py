"""Single statements through the driver itself, for what is asked thousands of times a night.

A transaction of the database library costs several times what an index probe does. Each
statement here is a snapshot by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Engine

from calrecords.records.candidate_rows import Dialect

_abandoned: list[Any] = []
"""Connections of a parent process: never used, and never closed, which would disturb it."""


class DirectReads:
    """Connections of their own that run one statement at a time, shared between threads.

    Parameters
    ----------
    engine : callable
        Gives the engine that opens them.
    is_sqlite : bool
        Whether it is SQLite, else PostgreSQL.
    """

    def __init__(self, engine: Callable[[], Engine], *, is_sqlite: bool) -> None:
        self._engine = engine
        self.dialect = Dialect(is_sqlite)
        self._idle: deque[Any] = deque()

    def execute(self, text: str, values: Mapping[str, Any] | Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows of a statement with named values.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database refuses, for `our_errors` to turn into one of ours.
        """
        was_idle = bool(self._idle)
        connection = self._taken()
        try:
            rows: list[Sequence[Any]] = connection.dbapi_connection.execute(text, values).fetchall()
        except Exception as error:
            connection.close()
            error_class = self._engine().dialect.loaded_dbapi.Error
            if not isinstance(error, error_class):
                raise
            if was_idle and not self.dialect.is_sqlite:
                self.close()  # a server may have closed them all meanwhile
                return self.execute(text, values)
            raise exc.DBAPIError.instance(text, None, error, error_class) from error
        self._idle.append(connection)
        return rows

    def _taken(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._engine().raw_connection()
            connection.detach()
            if not self.dialect.is_sqlite:
                connection.rollback()
                connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
            return connection

    def close(self) -> None:
        """Close what is idle; the next statement opens another."""
        while self._idle:
            self._idle.pop().close()

    def start_anew(self) -> None:
        """Leave the parent process its connections."""
        _abandoned.extend(self._idle)
        self._idle = deque()
