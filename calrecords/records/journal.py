"""The intent journal: what is being ingested, how far it has come, and who is at it.

An intent is written before anything else happens, and a state only after its effect is
durable, so that whoever comes next can tell what is left to do. One worker at a time is at
one basename, since two versions of a frame must reach the archive and the store in one order.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from calrecords.errors import CalRecordsError, RecordsUnavailableError, TransientError
from calrecords.frames import CalibrationFrame, ContentDigest, FrameFacts, Ingestion
from calrecords.records.database import RecordDatabase
from calrecords.records.facts_json import facts_from_json, facts_to_json
from calrecords.records.leases import LEASE, is_gone, new_owner
from calrecords.records.models import JournalEntry
from calrecords.records.reading import get_frame
from calrecords.records.recording import NewVersion, check_identity, record_version
from calrecords.vocabulary import IngestionState

UNFINISHED = (IngestionState.INTENDED, IngestionState.STORED, IngestionState.ARCHIVED)
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is about to be ingested; see `Ingestion` for the fields."""

    path: str
    basename: str
    extension: str
    digest: ContentDigest
    facts: FrameFacts
    archive_record: dict[str, Any] | None
    key: str
    content_type: str = ""


class Claim:
    """A hold on one ingestion; while it lasts no other worker touches that basename."""

    def __init__(self, database: RecordDatabase, owner: str, ingestion: Ingestion) -> None:
        self._database = database
        self._owner = owner
        self.ingestion = ingestion

    def advance(self, state: IngestionState, **values: Any) -> Ingestion:
        """Write down that a state is reached, with what was learned on the way.

        Raises
        ------
        RecordsUnavailableError
            If another worker took the ingestion over meanwhile.
        """
        with self._database.write() as session:
            entry = self._ours(session)
            entry.state = state
            for name, value in values.items():
                setattr(entry, name, value)
            entry.updated_at = datetime.now(UTC)
            self.ingestion = _ingestion(entry)
        return self.ingestion

    def finish(self, new: NewVersion) -> CalibrationFrame:
        """Record the version and close the ingestion, in one transaction.

        Raises
        ------
        DuplicateRecordError
            If the basename or the frame ID is another frame's already.
        RecordsUnavailableError
            If another worker took the ingestion over meanwhile.
        """
        now = datetime.now(UTC)
        with self._database.write() as session:
            entry = self._ours(session)
            record_version(session, new, now)
            entry.state = IngestionState.RECORDED
            entry.facts = entry.archive_record = None
            entry.error = entry.message = entry.next_attempt_at = None
            entry.lease_owner = entry.lease_until = None
            entry.version_key = new.version_key
            entry.frame_id = new.frame_id
            entry.updated_at = now
            session.flush()
            return get_frame(session.connection(), basename=new.basename, md5=new.digest.md5)

    def fail(self, error: CalRecordsError) -> None:
        """Write down why it stopped, and let others have it.

        A transient error leaves the state as it is, to be resumed; any other ends it.
        """
        now = datetime.now(UTC)
        with self._database.write() as session:
            entry = self._ours(session)
            entry.error = type(error).__name__
            entry.message = str(error)
            entry.attempts += 1
            if isinstance(error, TransientError):
                entry.next_attempt_at = now + _backoff(entry.attempts, error.retry_after_s)
            else:
                entry.state = IngestionState.FAILED
            entry.lease_owner = entry.lease_until = None
            entry.updated_at = now

    def renew(self) -> None:
        """Hold on for another `LEASE`."""
        with self._database.write() as session:
            self._ours(session).lease_until = datetime.now(UTC) + LEASE

    def release(self) -> None:
        """Let others have it, as it is."""
        with self._database.write() as session:
            session.execute(
                sa.update(JournalEntry)
                .where(
                    JournalEntry.id == self.ingestion.id, JournalEntry.lease_owner == self._owner
                )
                .values(lease_owner=None, lease_until=None)
            )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the hold from a thread until the block ends."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(LEASE.total_seconds() / 3):
                self.renew()

        keeper = threading.Thread(target=keep, name="calrecords-lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()

    def _ours(self, session: Session) -> JournalEntry:
        entry = session.get_one(JournalEntry, self.ingestion.id, with_for_update=True)
        if entry.lease_owner != self._owner:
            msg = f"{entry.path}: another worker has taken over this ingestion; ask again"
            raise RecordsUnavailableError(msg)
        return entry


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

        An ingestion of the same content that was left unfinished is taken up where it stands.

        Raises
        ------
        DuplicateRecordError
            If the basename is recorded for another camera, type or kind of frame.
        """
        with self._database.write() as session:
            check_identity(session, intent.basename, intent.facts)
            _one_at_a_time(session, intent.basename)
            entry = session.scalars(
                sa.select(JournalEntry).where(
                    JournalEntry.basename == intent.basename,
                    JournalEntry.extension == intent.extension,
                    JournalEntry.md5 == intent.digest.md5,
                )
            ).one_or_none()
            if _is_taken(session, intent.basename):
                return None
            if entry is None:
                entry = _new_entry(intent)
                session.add(entry)
            elif entry.state not in UNFINISHED or entry.facts is None:
                _start_again(entry, intent)
            else:
                entry.path = intent.path
            return self._claimed(session, entry)

    def claim(self, ingestion_id: int) -> Claim | None:
        """Claim an unfinished ingestion; None if it is finished, or another worker is at it."""
        with self._database.write() as session:
            entry = session.get(JournalEntry, ingestion_id)
            if entry is None or entry.state not in UNFINISHED:
                return None
            _one_at_a_time(session, entry.basename)
            session.refresh(entry)
            if entry.state not in UNFINISHED or _is_taken(session, entry.basename):
                return None
            return self._claimed(session, entry)

    def unfinished(self) -> list[Ingestion]:
        """Return the ingestions that can be resumed, oldest first."""
        return self._in_state(*UNFINISHED)

    def failed(self) -> list[Ingestion]:
        """Return the ingestions that ended in a failure, oldest first."""
        return self._in_state(IngestionState.FAILED)

    def _in_state(self, *states: IngestionState) -> list[Ingestion]:
        with self._database.read() as connection, Session(connection) as session:
            entries = session.scalars(
                sa.select(JournalEntry)
                .where(JournalEntry.state.in_(states))
                .order_by(JournalEntry.id)
            )
            return [_ingestion(entry) for entry in entries]

    def _claimed(self, session: Session, entry: JournalEntry) -> Claim:
        owner = new_owner()
        entry.lease_owner = owner
        entry.lease_until = datetime.now(UTC) + LEASE
        session.flush()
        return Claim(self._database, owner, _ingestion(entry))


def _one_at_a_time(session: Session, basename: str) -> None:
    """Let claims of one basename wait for each other; SQLite's writers always do."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(basename))))


def _is_taken(session: Session, basename: str) -> bool:
    owners = session.scalars(
        sa.select(JournalEntry.lease_owner).where(
            JournalEntry.basename == basename,
            JournalEntry.lease_owner.is_not(None),
            JournalEntry.lease_until > datetime.now(UTC),
        )
    )
    return any(owner is not None and not is_gone(owner) for owner in owners)


def _new_entry(intent: Intent) -> JournalEntry:
    now = datetime.now(UTC)
    return JournalEntry(
        state=IngestionState.INTENDED,
        path=intent.path,
        basename=intent.basename,
        extension=intent.extension,
        md5=intent.digest.md5,
        sha256=intent.digest.sha256,
        size=intent.digest.size,
        content_type=intent.content_type,
        key=intent.key,
        facts=facts_to_json(intent.facts),
        archive_record=intent.archive_record,
        created_at=now,
        updated_at=now,
    )


def _start_again(entry: JournalEntry, intent: Intent) -> None:
    entry.state = IngestionState.INTENDED
    entry.path = intent.path
    entry.key = intent.key
    entry.facts = facts_to_json(intent.facts)
    entry.archive_record = intent.archive_record
    entry.version_key = entry.frame_id = entry.archived_at = None
    entry.error = entry.message = entry.next_attempt_at = None
    entry.updated_at = datetime.now(UTC)


def _backoff(attempts: int, retry_after_s: float | None) -> timedelta:
    wait_s = min(FIRST_BACKOFF_S * 2 ** min(attempts - 1, 20), LONGEST_BACKOFF_S)
    return timedelta(seconds=max(wait_s, retry_after_s or 0.0))


def _ingestion(entry: JournalEntry) -> Ingestion:
    return Ingestion(
        id=entry.id,
        state=IngestionState(entry.state),
        path=entry.path,
        basename=entry.basename,
        extension=entry.extension,
        digest=ContentDigest(entry.md5, entry.sha256, entry.size),
        facts=None if entry.facts is None else facts_from_json(entry.facts),
        archive_record=entry.archive_record,
        key=entry.key,
        version_key=entry.version_key,
        frame_id=entry.frame_id,
        archived_at=entry.archived_at,
        content_type=entry.content_type,
        error=entry.error,
        message=entry.message,
        attempts=entry.attempts,
    )
