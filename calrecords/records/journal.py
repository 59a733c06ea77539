"""The intent journal: what is being ingested, how far it has come, and who is at it.

An intent is written before anything else happens, and a state only after its effect is
durable, so that whoever comes next can tell what is left to do. One worker at a time is at
one basename, since two versions of a frame must reach the archive and the store in one order.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calrecords.errors import DuplicateRecordError, InvalidRecordError
from calrecords.frames import Ingestion
from calrecords.records.claims import Claim
from calrecords.records.database import RecordDatabase
from calrecords.records.journal_entries import (
    UNFINISHED,
    Intent,
    as_ingestion,
    check_intent,
    new_entry,
    start_again,
)
from calrecords.records.leases import LEASE, is_gone, new_owner
from calrecords.records.models import JournalEntry
from calrecords.records.recording import check_identity
from calrecords.records.storable import plain_json
from calrecords.vocabulary import IngestionState

log = logging.getLogger(__name__)


class Journal:
    """The ingestions of one records database.

    Parameters
    ----------
    database : RecordDatabase
        Where they are written.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def intend(self, intent: Intent) -> Claim | None:
        """Write an intent and claim it; None while another worker is at that basename.

        An ingestion of the same content of which something is done already is taken up where
        it stands, with what was intended then.

        Raises
        ------
        DuplicateRecordError
            If the basename is recorded for another camera, type or kind of frame, or another
            content with the same md5 was intended.
        InvalidRecordError
            If the database could not hold what is to be recorded in the end.
        """
        check_intent(intent)
        with self._database.write() as session:
            _one_at_a_time(session, intent.basename)
            check_identity(session, intent.basename, intent.facts)
            if _is_taken(session, intent.basename):
                return None
            entry = _entry_of(session, intent)
            if entry is None:
                entry = new_entry(intent)
                session.add(entry)
            elif _is_to_start_again(entry):
                start_again(entry, intent)
            else:
                entry.path = intent.path
                if entry.state == IngestionState.STORED:
                    entry.archive_record = plain_json(intent.archive_record)
            return self._claimed(session, entry)

    def claim(self, ingestion_id: int) -> Claim | None:
        """Claim an unfinished ingestion; None if it is finished, or another worker is at it."""
        with self._database.write() as session:
            entry = session.get(JournalEntry, ingestion_id)
            if entry is None or entry.state not in UNFINISHED:
                return None
            _one_at_a_time(session, entry.basename)
            if _is_taken(session, entry.basename):
                return None
            session.refresh(entry)
            if entry.state not in UNFINISHED:
                return None
            return self._claimed(session, entry)

    def unfinished(self, basename: str | None = None) -> list[Ingestion]:
        """Return the ingestions that can be resumed, oldest first; of one basename, or all."""
        return self._in_state(*UNFINISHED, basename=basename)

    def failed(self) -> list[Ingestion]:
        """Return the ingestions that ended in a failure, oldest first."""
        return self._in_state(IngestionState.FAILED)

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

    def _claimed(self, session: Session, entry: JournalEntry) -> Claim:
        owner = new_owner()
        entry.lease_owner = owner
        entry.lease_until = datetime.now(UTC) + LEASE
        session.flush()
        return Claim(self._database, owner, as_ingestion(entry))


def _readable(entry: JournalEntry) -> Ingestion | None:
    try:
        return as_ingestion(entry)
    except InvalidRecordError as error:
        log.warning("passed over in the journal: %s", error)
        return None


def _one_at_a_time(session: Session, basename: str) -> None:
    """Let claims of one basename wait for each other; SQLite's writers always do."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(basename))))


def _entry_of(session: Session, intent: Intent) -> JournalEntry | None:
    entry = session.scalars(
        sa.select(JournalEntry).where(
            JournalEntry.basename == intent.basename,
            JournalEntry.extension == intent.extension,
            JournalEntry.md5 == intent.digest.md5,
        )
    ).one_or_none()
    if entry is not None and entry.sha256 != intent.digest.sha256:
        msg = (
            f"{intent.path}: has the md5 of {entry.path}, which was ingested under this name, but "
            "other bytes; find out where it comes from"
        )
        raise DuplicateRecordError(msg)
    return entry


def _is_taken(session: Session, basename: str) -> bool:
    """Return whether somebody is at a basename; holds that ran out are made void for good."""
    held = session.scalars(
        sa.select(JournalEntry)
        .where(JournalEntry.basename == basename, JournalEntry.lease_owner.is_not(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    if any(_is_live(entry) for entry in held):
        return True
    for entry in held:
        entry.lease_owner = entry.lease_until = None
    session.flush()
    return False


def _is_live(entry: JournalEntry) -> bool:
    if entry.lease_owner is None or entry.lease_until is None:
        return False
    return entry.lease_until > datetime.now(UTC) and not is_gone(entry.lease_owner)


def _is_to_start_again(entry: JournalEntry) -> bool:
    """Return whether nothing is done yet, or all is, so that the newer intent holds."""
    return entry.state in {IngestionState.INTENDED, IngestionState.RECORDED, IngestionState.FAILED}
