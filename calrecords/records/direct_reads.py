"""Single statements through the driver itself, for what is asked thousands of times a night.

A transaction of the database library costs several times what an index probe does. Each
statement here is a snapshot by itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import Engine

from calrecords.records.candidate_rows import Dialect

_AS_PROBES = "; ".join(
    [
        *(
            f"SET enable_{name} = off"
            for name in ("sort", "bitmapscan", "seqscan", "hashjoin", "mergejoin")
        ),
        "SET plan_cache_mode = force_generic_plan",
    ]
)
"""How PostgreSQL walks an index outward, whatever it knows, or guesses, of the tables' sizes.

Before tables are analysed it would read all that have a key, and sort them.
"""

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
        self._idle: deque[tuple[Any, Any]] = deque()

    def execute(self, text: str, values: Mapping[str, Any] | Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows of a statement with named values.

        Raises
        ------
        sqlalchemy.exc.DBAPIError
            If the database refuses, for `our_errors` to turn into one of ours.
        """
        was_idle = bool(self._idle)
        connection, cursor = self._taken()
        try:
            rows: list[Sequence[Any]] = cursor.execute(text, values).fetchall()
        except Exception as error:
            self._let_go(connection)
            if was_idle and self._may_have_been_closed(error):
                self.close()  # a server may have closed them all meanwhile
                return self.execute(text, values)
            raise self._wrapped(error, text) from error
        self._idle.append((connection, cursor))
        return rows

    def _may_have_been_closed(self, error: Exception) -> bool:
        """Return whether a server may have closed an idle connection; a file does not."""
        if self.dialect.is_sqlite or not isinstance(error, self._error_class):
            return False
        from calrecords.records.postgresql_deadlines import AnswerTimeoutError

        return not isinstance(error, AnswerTimeoutError)

    def _taken(self) -> tuple[Any, Any]:
        """Return a connection that nobody else uses, with a cursor, since making one costs."""
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._engine().raw_connection()
            connection.detach()
        try:
            cursor = connection.cursor()
            if not self.dialect.is_sqlite:
                connection.rollback()
                connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
                cursor.execute(_AS_PROBES)
        except Exception as error:
            self._let_go(connection)
            raise self._wrapped(error, _AS_PROBES) from error
        return connection, cursor

    def _wrapped(self, error: Exception, text: str) -> BaseException:
        """Return what the database library would raise in place of a driver's error."""
        if not isinstance(error, self._error_class):
            return error
        return exc.DBAPIError.instance(text, None, error, self._error_class)

    @property
    def _error_class(self) -> type[Exception]:
        found: type[Exception] = self._engine().dialect.loaded_dbapi.Error
        return found

    def close(self) -> None:
        """Close what is idle; the next statement opens another."""
        while self._idle:
            self._let_go(self._idle.pop()[0])

    def _let_go(self, connection: Any) -> None:
        """Close a connection, which a server may have closed already.

        Left to the database library, it would be rolled back first, and where that fails the
        log would show a traceback.
        """
        if self.dialect.is_sqlite:
            connection.close()
            return
        driver = connection.dbapi_connection
        connection.invalidate()
        with suppress(self._error_class):
            driver.close()

    def start_anew(self) -> None:
        """Leave the parent process its connections."""
        _abandoned.extend(self._idle)
        self._idle = deque()
