"""The intent journal: what is being ingested, how far it has come, and who is at it.

An intent is written before anything else happens, and a state only after its effect is
durable, so that whoever comes next can tell what is left to do. One worker at a time is at
one basename, since two versions of a frame must reach the archive and the store in one order.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from calrecords.errors import DuplicateRecordError, InvalidRecordError
from calrecords.frames import Ingestion
from calrecords.records.claims import Claim
from calrecords.records.database import RecordDatabase
from calrecords.records.journal_entries import (
    UNFINISHED,
    Intent,
    as_ingestion,
    begun,
    check_intent,
    new_row,
    start_again,
)
from calrecords.records.leases import LEASE, is_held, new_owner
from calrecords.records.models import Frame, JournalEntry
from calrecords.records.naming import demand_identity
from calrecords.records.prepared import execute
from calrecords.records.storable import plain_json
from calrecords.vocabulary import IngestionState

log = logging.getLogger(__name__)

_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_entries: sa.Table = JournalEntry.__table__  # type: ignore[assignment]
_of_basename = (
    sa.select(
        *(_entries.c.id, _entries.c.path, _entries.c.extension, _entries.c.md5),
        *(_entries.c.sha256, _entries.c.lease_owner, _entries.c.lease_until, _entries.c.state),
    )
    .where(_entries.c.basename == sa.bindparam("named"))
    .with_for_update(skip_locked=True)
)
_count_of_basename = sa.select(sa.func.count()).where(_entries.c.basename == sa.bindparam("named"))
_unfinished_of_basename = sa.select(_entries.c.id).where(
    _entries.c.basename == sa.bindparam("named"),
    _entries.c.state.in_([str(state) for state in UNFINISHED]),
)

_is_known = sa.select(
    sa.exists().where(_entries.c.basename == sa.bindparam("named"))
    | sa.exists().where(_frames.c.basename == sa.bindparam("named"))
)
_insert_entry = sa.insert(_entries).returning(_entries.c.id)
_reopened = (
    sa.update(_entries)
    .where(_entries.c.id == sa.bindparam("number"), _entries.c.state == IngestionState.FAILED)
    .values(state=IngestionState.INTENDED, error=None, message=None)
)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """How an unfinished ingestion stands.

    Attributes
    ----------
    ingestion : Ingestion
        What the journal says of it.
    is_held : bool
        Whether a worker is at it.
    """

    ingestion: Ingestion
    is_held: bool


class Journal:
    """The ingestions of one records database.

    Parameters
    ----------
    database : RecordDatabase
        Where they are written.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def intend(self, intent: Intent, *, passes_older: bool = True) -> Claim | None:
        """Write an intent and claim it; None while another worker is at that basename.

        An ingestion of the same content of which something is done already is taken up where
        it stands, with what was intended then.

        Parameters
        ----------
        intent : Intent
            What is about to be ingested.
        passes_older : bool, optional
            Whether it may come before unfinished ingestions of other contents of this
            basename; else it is None while there are some.

        Raises
        ------
        DuplicateRecordError
            If the basename is recorded for another camera, type or kind of frame, or another
            content with the same md5 was intended.
        InvalidRecordError
            If the database could not hold what is to be recorded in the end.
        """
        check_intent(intent)
        with self._database.write_rows() as connection:
            if not _is_mine(connection, intent.basename):
                return None
            if not execute(connection, _is_known, {"named": intent.basename}).fetchone()[0]:
                return self._begun(connection, intent)
            demand_identity(connection, intent.basename, intent.facts)
            rows = _locked_rows(connection, intent.basename)
            if rows is None:
                return None
            same = _row_of(rows, intent)
            older = [row for row in rows if row is not same and row.state in UNFINISHED]
            if (older and not passes_older) or not _make_free(connection, rows):
                return None
            if same is None:
                return self._begun(connection, intent)
            return self._taken_up(connection, same.id, intent)

    def _taken_up(self, connection: Connection, number: int, intent: Intent) -> Claim:
        """Claim what was intended before, with the newer intent where that holds."""
        with Session(connection, expire_on_commit=False) as session:
            entry = session.get_one(JournalEntry, number)
            since = entry.created_at if entry.state in UNFINISHED else None
            if _is_to_start_again(entry):
                start_again(entry, intent)
            else:
                entry.path = intent.path
                if entry.state == IngestionState.STORED:
                    entry.archive_record = plain_json(intent.archive_record)
            return self._claimed(session, entry, since)

    def claim(self, ingestion_id: int) -> Claim | None:
        """Claim an unfinished ingestion; None if it is finished, or another worker is at it.

        On a server it waits for nobody, whatever others are doing.
        """
        with self._database.write() as session:
            entry = session.get(JournalEntry, ingestion_id)
            if entry is None or entry.state not in UNFINISHED:
                return None
            connection = session.connection()
            if not _is_mine(connection, entry.basename):
                return None
            rows = _locked_rows(connection, entry.basename)
            if rows is None or not _make_free(connection, rows):
                return None
            session.refresh(entry)
            if entry.state not in UNFINISHED:
                return None
            return self._claimed(session, entry, entry.created_at)

    def unfinished(self, basename: str | None = None) -> list[Ingestion]:
        """Return the ingestions that can be resumed, oldest first; of one basename, or all."""
        if basename is not None and not self._has_unfinished(basename):
            return []
        return self._in_state(*UNFINISHED, basename=basename)

    def numbers(self, basename: str | None = None) -> Iterator[int]:
        """Yield the numbers of unfinished ingestions, oldest first; of one basename, or all.

        What others finish before its turn comes may be left out.
        """
        after = 0
        while page := self._page(after, basename):
            yield from page
            after = page[-1]

    def _page(self, after: int, basename: str | None) -> Sequence[int]:
        states = _entries.c.state.in_([str(state) for state in UNFINISHED])
        asked = sa.select(_entries.c.id).where(states, _entries.c.id > after)
        if basename is not None:
            asked = asked.where(_entries.c.basename == basename)
        with self._database.read() as connection:
            return connection.scalars(asked.order_by(_entries.c.id).limit(_PAGE)).all()

    def look(self, ingestion_id: int) -> Standing | None:
        """Return how an ingestion stands now; None if it is finished, or cannot be read."""
        with self._database.read() as connection, Session(connection) as session:
            entry = session.get(JournalEntry, ingestion_id)
            if entry is None or entry.state not in UNFINISHED:
                return None
            ingestion = _readable(entry)
            return None if ingestion is None else Standing(ingestion, _is_live(entry))

    def _has_unfinished(self, basename: str) -> bool:
        with self._database.read() as connection:
            asked = connection.execute(_unfinished_of_basename, {"named": basename})
            return asked.first() is not None

    def failed(self) -> list[Ingestion]:
        """Return the ingestions that ended in a failure, oldest first."""
        return self._in_state(IngestionState.FAILED)

    def reopen(self, ingestion_id: int) -> None:
        """Make a failed ingestion one that can be resumed."""
        with self._database.write_rows() as connection:
            connection.execute(_reopened, {"number": ingestion_id, "updated_at": datetime.now(UTC)})

    def _in_state(self, *states: IngestionState, basename: str | None = None) -> list[Ingestion]:
        asked = sa.select(JournalEntry).where(JournalEntry.state.in_(states))
        if basename is not None:
            asked = asked.where(JournalEntry.basename == basename)
        with self._database.read() as connection, Session(connection) as session:
            return [
                ingestion
                for entry in session.scalars(asked.order_by(JournalEntry.id))
                if (ingestion := _readable(entry)) is not None
            ]

    def _begun(self, connection: Connection, intent: Intent) -> Claim:
        owner = new_owner()
        values = new_row(intent) | {
            "lease_owner": owner,
            "lease_until": datetime.now(UTC) + LEASE,
        }
        number = execute(connection, _insert_entry, values).fetchone()[0]
        return Claim(self._database, owner, begun(intent, number))

    def _claimed(self, session: Session, entry: JournalEntry, since: datetime | None) -> Claim:
        owner = new_owner()
        entry.lease_owner = owner
        entry.lease_until = datetime.now(UTC) + LEASE
        session.flush()
        return Claim(self._database, owner, as_ingestion(entry), since)


def _readable(entry: JournalEntry) -> Ingestion | None:
    try:
        return as_ingestion(entry)
    except InvalidRecordError as error:
        log.warning("passed over in the journal: %s", error)
        return None


def _is_mine(connection: Connection, basename: str) -> bool:
    """Return whether no other claim of a basename is under way; SQLite's writers always wait."""
    if connection.dialect.name != "postgresql":
        return True
    number = sa.func.hashtext(basename)
    return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(number))))


def _locked_rows(connection: Connection, basename: str) -> Sequence[Any] | None:
    """Return the rows of a basename, locked; None where a worker is writing one of them."""
    named = {"named": basename}
    rows = connection.execute(_of_basename, named).all()
    if connection.dialect.name == "postgresql":
        there = connection.scalar(_count_of_basename, named)
        if there != len(rows):
            return None
    return rows


def one_at_a_time(connection: Connection, basename: str) -> None:
    """Let claims of one basename wait for each other; SQLite's writers always do."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(basename))))


def _row_of(rows: Sequence[Any], intent: Intent) -> Any:
    """Return the row of the same content under the same name, or None."""
    wanted = (intent.extension, intent.digest.md5)
    row = next((row for row in rows if (row.extension, row.md5) == wanted), None)
    if row is not None and row.sha256 != intent.digest.sha256:
        msg = (
            f"{intent.path}: has the md5 of {row.path}, which was ingested under this name, but "
            "other bytes; find out where it comes from"
        )
        raise DuplicateRecordError(msg)
    return row


def _make_free(connection: Connection, rows: Sequence[Any]) -> bool:
    """Return whether nobody is at a basename; holds that ran out are made void for good."""
    held = [row for row in rows if row.lease_owner is not None]
    if any(_is_live(row) for row in held):
        return False
    if held:
        ours = _entries.c.id.in_([row.id for row in held])
        nobody = {"lease_owner": None, "lease_until": None}
        connection.execute(sa.update(_entries).where(ours), nobody)
    return True


def _is_live(row: Any) -> bool:
    return is_held(row.lease_owner, row.lease_until)


def _is_to_start_again(entry: JournalEntry) -> bool:
    """Return whether nothing is done yet, or all is, so that the newer intent holds."""
    return entry.state in {IngestionState.INTENDED, IngestionState.RECORDED, IngestionState.FAILED}
