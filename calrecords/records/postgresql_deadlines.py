"""Connections to PostgreSQL whose every wait for the server has an end.

A server that hangs, or a network that swallows what is sent, keeps a connection open and
answers nothing, and the driver waits for ever. Here each statement, commit and rollback has
a deadline of its own, after which the connection is closed.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import Connection, OperationalError

_T = TypeVar("_T")


class AnswerTimeoutError(OperationalError):
    """The server did not answer in time; nobody knows what became of the statement."""


class TimedConnection(Connection[Any]):
    """A connection that is closed where an answer is not there in time."""

    answer_timeout_s = 0.0

    def wait(self, gen: Generator[Any, Any, _T], *arguments: Any, **named: Any) -> _T:
        """Return what a conversation with the server comes to.

        Raises
        ------
        AnswerTimeoutError
            If it takes longer than ``answer_timeout_s``.
        """
        return super().wait(self._in_time(gen), *arguments, **named)

    def _in_time(self, gen: Generator[Any, Any, _T]) -> Generator[Any, Any, _T]:
        ends = time.monotonic() + self.answer_timeout_s
        try:
            awaited = next(gen)
            while True:
                ready = yield awaited
                if time.monotonic() > ends:
                    self.pgconn.finish()
                    msg = f"no answer within {self.answer_timeout_s:g} s"
                    raise AnswerTimeoutError(msg)
                awaited = gen.send(ready)
        except StopIteration as end:
            result: _T = end.value
            return result


def connect_in_time(answer_timeout_s: float, *arguments: Any, **named: Any) -> TimedConnection:
    """Return a new connection.

    Parameters
    ----------
    answer_timeout_s : float
        Seconds that the server may take for each answer.
    *arguments, **named
        Those of `psycopg.connect`, which has a deadline of its own.
    """
    connection = TimedConnection.connect(*arguments, **named)
    connection.answer_timeout_s = answer_timeout_s
    return connection
