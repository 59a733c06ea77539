"""What audits saw, kept so that one can go on where it stopped, and be compared with another."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.errors import RecordNotFoundError, RecordsUnavailableError
from calrecords.records.database import RecordDatabase
from calrecords.records.leases import is_held, new_owner
from calrecords.records.models import Audit, AuditFinding
from calrecords.records.storable import plain_json

AUDIT_LEASE = timedelta(hours=1)
"""How long an audit is held between two times that it writes down how far it is.

A file of many GiB may be read meanwhile. One whose process ended on the same host is free at
once.
"""

_audits: sa.Table = Audit.__table__  # type: ignore[assignment]
_findings: sa.Table = AuditFinding.__table__  # type: ignore[assignment]
_MANY = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A fault that an audit saw.

    Attributes
    ----------
    fingerprint : str
        The same for the same fault in every audit.
    kind, name : str
        What is wrong, with what.
    found : str
        What was found where.
    what : mapping
        What tells it from other faults, and what a repair needs; as JSON holds it.
    seen_at : datetime
        When, UTC.
    """

    fingerprint: str
    kind: str
    name: str
    found: str
    what: Mapping[str, Any]
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAudit:
    """An audit as it is written down.

    Attributes
    ----------
    id : int
        Its number.
    question : str
        What was asked, in one spelling.
    progress : mapping
        How far it has come; as JSON holds it.
    started_at, updated_at : datetime
        When it began, and when it was last at work, UTC.
    finished_at : datetime or None
        When it was done, UTC.
    """

    id: int
    question: str
    progress: Mapping[str, Any]
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class Audits:
    """The audits of one records database.

    Parameters
    ----------
    database : RecordDatabase
        Where they are written.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def begin(self, question: str, now: datetime, *, anew: bool = False) -> HeldAudit:
        """Take up the newest unfinished audit of a question, or begin one.

        Parameters
        ----------
        question : str
            What is asked, in one spelling.
        now : datetime
            When it begins, UTC.
        anew : bool, optional
            Begin one whether or not another is unfinished.

        Raises
        ------
        RecordsUnavailableError
            If another process is at it.
        """
        owner = new_owner()
        with self._database.write_rows() as connection:
            row = None if anew else _unfinished(connection, question)
            if row is None:
                row = _begun(connection, question, now)
            elif is_held(row.lease_owner, row.lease_until, AUDIT_LEASE):
                msg = (
                    f"another process is at audit {row.id}, which asks the same; let it finish, "
                    "or begin one of your own"
                )
                raise RecordsUnavailableError(msg)
            hold = {"lease_owner": owner, "lease_until": datetime.now(UTC) + AUDIT_LEASE}
            connection.execute(sa.update(_audits).where(_audits.c.id == row.id).values(**hold))
        return HeldAudit(self._database, owner, _audit_of(row))

    def get(self, number: int | None = None) -> RecordedAudit:
        """Return an audit by its number, or the newest one.

        Raises
        ------
        RecordNotFoundError
            If there is no such audit.
        """
        asked = sa.select(_audits).order_by(_audits.c.id.desc()).limit(1)
        if number is not None:
            asked = asked.where(_audits.c.id == number)
        with self._database.read() as connection:
            row = connection.execute(asked).first()
        if row is None:
            which = "no audit" if number is None else f"no audit {number}"
            msg = f"there is {which} in these records; run: calrecords audit"
            raise RecordNotFoundError(msg)
        return _audit_of(row)

    def findings(self, number: int) -> list[Sighting]:
        """Return what an audit saw, in the order in which it saw it."""
        asked = sa.select(_findings).where(_findings.c.audit_id == number).order_by(_findings.c.id)
        with self._database.read() as connection:
            return [_sighting_of(row) for row in connection.execute(asked)]

    def seen_before(self, number: int, fingerprints: Collection[str]) -> dict[str, datetime]:
        """Return when each fault was first seen by another audit than this one, UTC."""
        first: dict[str, datetime] = {}
        with self._database.read() as connection:
            for some in batched(sorted(fingerprints)):
                asked = (
                    sa.select(_findings.c.fingerprint, sa.func.min(_findings.c.seen_at))
                    .where(_findings.c.fingerprint.in_(some), _findings.c.audit_id != number)
                    .group_by(_findings.c.fingerprint)
                )
                first |= {row[0]: row[1] for row in connection.execute(asked)}
        return first


class HeldAudit:
    """A hold on one audit; while it lasts no other process goes on with it.

    Attributes
    ----------
    audit : RecordedAudit
        As it was when it was taken up.
    """

    def __init__(self, database: RecordDatabase, owner: str, audit: RecordedAudit) -> None:
        self._database = database
        self._owner = owner
        self.audit = audit

    def save(
        self,
        progress: Mapping[str, Any],
        findings: Iterable[Sighting],
        now: datetime,
        *,
        is_finished: bool = False,
    ) -> None:
        """Write down how far it is and what it saw, in one transaction; a fault only once.

        Parameters
        ----------
        progress : mapping
            As JSON holds it.
        findings : iterable of Sighting
            What was seen since.
        now : datetime
            By the audit's clock, UTC.
        is_finished : bool, optional
            Whether nothing is left to do.

        Raises
        ------
        RecordsUnavailableError
            If another process took it over meanwhile.
        """
        values: dict[str, Any] = {
            "progress": plain_json(progress),
            "updated_at": now,
            "lease_until": datetime.now(UTC) + AUDIT_LEASE,
        }
        if is_finished:
            values["finished_at"] = now
        with self._database.write_rows() as connection:
            if not self._change(connection, values):
                msg = f"another process has taken over audit {self.audit.id}; ask again"
                raise RecordsUnavailableError(msg)
            self._write(connection, {one.fingerprint: one for one in findings})

    def release(self) -> None:
        """Let others go on with it."""
        with self._database.write_rows() as connection:
            self._change(connection, {"lease_owner": None, "lease_until": None})

    def _change(self, connection: Connection, values: Mapping[str, Any]) -> bool:
        ours = (_audits.c.id == self.audit.id, _audits.c.lease_owner == self._owner)
        return connection.execute(sa.update(_audits).where(*ours).values(**values)).rowcount == 1

    def _write(self, connection: Connection, findings: Mapping[str, Sighting]) -> None:
        if not findings:
            return
        seen = self._seen(connection, sorted(findings))
        rows = [
            {
                "audit_id": self.audit.id,
                "fingerprint": one.fingerprint,
                "kind": one.kind,
                "name": _plain_text(one.name),
                "found": _plain_text(one.found),
                "what": plain_json(one.what),
                "seen_at": one.seen_at,
            }
            for one in findings.values()
            if one.fingerprint not in seen
        ]
        if rows:
            connection.execute(sa.insert(_findings), rows)

    def _seen(self, connection: Connection, fingerprints: Sequence[str]) -> set[str]:
        """Return which faults this audit has written down already."""
        seen: set[str] = set()
        for some in batched(fingerprints):
            asked = sa.select(_findings.c.fingerprint).where(
                _findings.c.audit_id == self.audit.id, _findings.c.fingerprint.in_(some)
            )
            seen.update(connection.scalars(asked))
        return seen


def batched(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield values in parts that one statement of every database can name."""
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]


def _plain_text(text: str) -> str:
    """Return a text as every database can hold it; names may be anybody's."""
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _unfinished(connection: Connection, question: str) -> Any:
    asked = (
        sa.select(_audits)
        .where(_audits.c.question == question, _audits.c.finished_at.is_(None))
        .order_by(_audits.c.id.desc())
        .limit(1)
        .with_for_update()
    )
    return connection.execute(asked).first()


def _begun(connection: Connection, question: str, now: datetime) -> Any:
    values = {"question": question, "progress": {}, "started_at": now, "updated_at": now}
    key = connection.execute(sa.insert(_audits), values).inserted_primary_key
    assert key is not None
    return connection.execute(sa.select(_audits).where(_audits.c.id == key[0])).one()


def _audit_of(row: Any) -> RecordedAudit:
    return RecordedAudit(
        **{name: getattr(row, name) for name in RecordedAudit.__dataclass_fields__}
    )


def _sighting_of(row: Any) -> Sighting:
    return Sighting(**{name: getattr(row, name) for name in Sighting.__dataclass_fields__})
