"""Verdicts and validity: append-only histories, and what holds now, in one transaction.

What holds is what was known last: from ``known_from`` where an importer gave it, else from
when it was recorded; of two at one moment, the one that was written later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import InvalidRecordError
from calrecords.records.models import ValidityChange, VerdictChange, Version
from calrecords.records.storable import is_storable
from calrecords.vocabulary import Verdict

_versions: sa.Table = Version.__table__  # type: ignore[assignment]
_verdicts: sa.Table = VerdictChange.__table__  # type: ignore[assignment]
_validities: sa.Table = ValidityChange.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Who says something of a version, why, and since when it is known.

    Attributes
    ----------
    reason, author : str
        Why, and who.
    recorded_at : datetime
        When it is written down, UTC.
    known_from : datetime or None
        Since when it was known elsewhere, UTC; only an importer says so.
    """

    reason: str
    author: str
    recorded_at: datetime
    known_from: datetime | None = None


def record_verdict(connection: Connection, version: int, verdict: Verdict, said: Statement) -> bool:
    """Write what somebody says of a version; return whether it is news.

    Parameters
    ----------
    connection : Connection
        In a transaction that holds the version's row.
    version : int
        Number of its row.
    verdict : Verdict
        What is said of it.
    said : Statement
        By whom, and why.

    Raises
    ------
    InvalidRecordError
        If the database cannot hold the text, or it would be known before it is recorded.
    """
    return _record(connection, _verdicts, version, {"verdict": verdict.value}, said)


def record_validity(
    connection: Connection,
    version: int,
    good_after: datetime | None,
    good_until: datetime | None,
    said: Statement,
) -> bool:
    """Write when a version may be used, ``[good_after, good_until)``; return whether it is news.

    Raises
    ------
    InvalidRecordError
        If the range is empty, or as for `record_verdict`.
    """
    if good_after is not None and good_until is not None and good_after >= good_until:
        msg = (
            f"a version cannot be valid from {good_after.isoformat()} until "
            f"{good_until.isoformat()}, which is not later; mark it bad if it is never valid"
        )
        raise InvalidRecordError(msg)
    values = {"good_after": good_after, "good_until": good_until}
    return _record(connection, _validities, version, values, said)


def known_at(table: sa.Table) -> sa.ColumnElement[datetime]:
    """Return since when a row of a history holds."""
    return sa.func.coalesce(table.c.known_from, table.c.recorded_at)


def _record(
    connection: Connection,
    table: sa.Table,
    version: int,
    values: Mapping[str, Any],
    said: Statement,
) -> bool:
    check_statement(said)
    history = connection.execute(
        sa.select(table, known_at(table).label("since"))
        .where(table.c.version_id == version)
        .order_by(known_at(table), table.c.id)
    ).all()
    if _is_known(connection, version, values, said, history):
        return False
    recorded_at = said.recorded_at
    if said.known_from is None and history:
        recorded_at = max(recorded_at, history[-1].since)
    connection.execute(
        sa.insert(table),
        {
            **values,
            "version_id": version,
            "reason": said.reason,
            "author": said.author,
            "recorded_at": recorded_at,
            "known_from": said.known_from,
        },
    )
    if not history or (said.known_from or recorded_at) >= history[-1].since:
        connection.execute(sa.update(_versions).where(_versions.c.id == version).values(**values))
    return True


def _is_known(
    connection: Connection,
    version: int,
    values: Mapping[str, Any],
    said: Statement,
    history: Any,
) -> bool:
    """Return whether the very same was said before, and holds."""
    if said.known_from is not None:
        return any(
            (row.known_from, row.reason) == (said.known_from, said.reason)
            and all(getattr(row, name) == value for name, value in values.items())
            for row in history
        )
    now = history[-1] if history else _row_of(connection, version)
    same = all(getattr(now, name) == value for name, value in values.items())
    return same and said.reason == (now.reason if history else "")


def _row_of(connection: Connection, version: int) -> Any:
    return connection.execute(sa.select(_versions).where(_versions.c.id == version)).one()


def check_statement(said: Statement) -> None:
    """Make sure that a statement can be recorded.

    Raises
    ------
    InvalidRecordError
        If its text cannot be held, or it would be known before it is recorded.
    """
    for what, text in (("reason", said.reason), ("author", said.author)):
        if not is_storable(text):
            msg = f"the {what} {text!r} cannot be recorded; leave out NUL and broken characters"
            raise InvalidRecordError(msg)
    if said.known_from is not None and said.known_from > said.recorded_at:
        msg = f"known_from={said.known_from.isoformat()} lies in the future; give when it was said"
        raise InvalidRecordError(msg)
