"""A hold on one ingestion, and everything that its holder may write down."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from calrecords.errors import CalRecordsError, RecordsUnavailableError, TransientError
from calrecords.frames import CalibrationFrame, Ingestion
from calrecords.records.database import RecordDatabase
from calrecords.records.journal_entries import as_ingestion
from calrecords.records.leases import LEASE
from calrecords.records.models import JournalEntry
from calrecords.records.naming import demand_identity
from calrecords.records.prepared import execute
from calrecords.records.recording import NewVersion, record_intended
from calrecords.records.reminders import Reminders
from calrecords.vocabulary import IngestionState

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 3600.0
LONGEST_RETRY_AFTER_S = 86400.0
"""Longest time that another side's wish to be left alone is heeded."""

_RENEW_EVERY_S = LEASE.total_seconds() / 3
_LEARNED = frozenset({"version_key", "frame_id", "archived_at"})
_OF_A_HOLD = ("lease_owner", "lease_until", "next_attempt_at")
_reminders = Reminders()
_entries: sa.Table = JournalEntry.__table__  # type: ignore[assignment]
_change_held = sa.update(_entries).where(
    _entries.c.id == sa.bindparam("number"), _entries.c.lease_owner == sa.bindparam("owner")
)
"""Changes a row as long as nobody has taken it over."""


class Claim:
    """A hold on one ingestion; while it lasts no other worker touches that basename.

    Attributes
    ----------
    ingestion : Ingestion
        The journal's row, as it was last written or read by this claim.
    interrupted_since : datetime or None
        When it was first intended, if it was interrupted and is taken up again, UTC.
    """

    def __init__(
        self,
        database: RecordDatabase,
        owner: str,
        ingestion: Ingestion,
        interrupted_since: datetime | None = None,
    ) -> None:
        self._database = database
        self._owner = owner
        self._noted: dict[str, Any] = {}
        self.ingestion = ingestion
        self.interrupted_since = interrupted_since

    def note(self, state: IngestionState, **learned: Any) -> Ingestion:
        """Hold that a state is reached, to be written down with whatever is written next.

        For a state whose effect can be seen outside, so that whoever takes up a killed
        ingestion finds it there: each write that is saved makes ingestion faster, and nothing
        is lost without it.

        Parameters
        ----------
        state : IngestionState
            The state that is reached.
        **learned
            As for `advance`.
        """
        _demand_known(learned)
        self._noted |= {"state": state, **learned}
        self.ingestion = replace(self.ingestion, state=state, **learned)
        return self.ingestion

    def demand_identity(self) -> None:
        """Make sure that no other frame is recorded under this basename by now.

        Raises
        ------
        DuplicateRecordError
            If the basename is recorded for another camera, type or kind of frame.
        """
        if self.ingestion.facts is not None:
            with self._database.read() as connection:
                demand_identity(connection, self.ingestion.basename, self.ingestion.facts)

    def advance(self, state: IngestionState, **learned: Any) -> Ingestion:
        """Write down that a state is reached, with what was learned on the way.

        Parameters
        ----------
        state : IngestionState
            The state that is reached.
        **learned
            Any of ``version_key``, ``frame_id`` and ``archived_at``; others stay as they are.

        Raises
        ------
        RecordsUnavailableError
            If another worker took the ingestion over meanwhile.
        """
        _demand_known(learned)
        now = datetime.now(UTC)
        reached = self._noted | {"state": state, **learned}
        if not self._set(**reached, updated_at=now, lease_until=now + LEASE):
            raise RecordsUnavailableError(self._lost)
        self._noted.clear()
        self.ingestion = replace(self.ingestion, **reached)
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
        closed: dict[str, Any] = {
            "state": IngestionState.RECORDED,
            "version_key": new.version_key,
            "frame_id": new.frame_id,
            **dict.fromkeys(("facts", "archive_record", "error", "message")),
        }
        with self._database.write_rows() as connection:
            now = datetime.now(UTC)  # not before: what others record meanwhile is earlier
            if not self._change(
                connection, closed | {"updated_at": now} | dict.fromkeys(_OF_A_HOLD)
            ):
                raise RecordsUnavailableError(self._lost)
            frame = record_intended(connection, new, now)
        self._noted.clear()
        self.ingestion = replace(self.ingestion, **closed)
        return frame

    def fail(self, error: CalRecordsError, *, ends: bool | None = None) -> None:
        """Write down why it stopped, and let others have it.

        Where another worker has taken over meanwhile, nothing is written: it is at it now.

        Parameters
        ----------
        error : CalRecordsError
            What happened.
        ends : bool, optional
            Whether it ends the ingestion; else the state stays as it is, to be resumed. By
            default all but a transient error does.
        """
        if ends is None:
            ends = not isinstance(error, TransientError)
        now = datetime.now(UTC)
        with self._database.write() as session:
            entry = self._held(session)
            if entry is None:
                return
            for name, value in self._noted.items():
                setattr(entry, name, value)
            entry.error = type(error).__name__
            entry.message = _plain_text(str(error))
            entry.attempts += 1
            entry.next_attempt_at = None if ends else now + _backoff(entry.attempts, error)
            if ends:
                entry.state = IngestionState.FAILED
            entry.lease_owner = entry.lease_until = None
            entry.updated_at = now
            session.flush()
            self.ingestion = as_ingestion(entry)

    def renew(self) -> None:
        """Hold on for another `LEASE`.

        Raises
        ------
        RecordsUnavailableError
            If another worker took the ingestion over meanwhile.
        """
        if not self._set(lease_until=datetime.now(UTC) + LEASE):
            raise RecordsUnavailableError(self._lost)

    def release(self) -> None:
        """Let others have it, as it is."""
        self._set(lease_owner=None, lease_until=None, **self._noted)

    @contextmanager
    def kept(self, every_s: float = _RENEW_EVERY_S) -> Iterator[None]:
        """Renew the hold from a thread until the block ends, if it takes so long.

        A renewal that fails is logged and tried again. A hold that another worker has taken
        over is not renewed; the block learns of it at its next `advance` or `finish`.

        Parameters
        ----------
        every_s : float, optional
            Seconds between two renewals.
        """
        ended = threading.Event()
        keepers: list[threading.Thread] = []

        def begin() -> None:
            keeper = threading.Thread(
                target=self._keep, args=(ended, every_s), name="calrecords-lease", daemon=True
            )
            keepers.append(keeper)
            keeper.start()

        number = _reminders.after(every_s, begin)
        try:
            yield
        finally:
            ended.set()
            _reminders.call_off(number)
            for keeper in keepers:
                keeper.join()

    def _keep(self, ended: threading.Event, every_s: float) -> None:
        while not ended.is_set():
            try:
                if not self._set(lease_until=datetime.now(UTC) + LEASE):
                    log.info("%s: the hold on this ingestion has ended", self.ingestion.path)
                    return
            except CalRecordsError as error:
                log.warning(
                    "%s: the hold on this ingestion cannot be renewed, and is tried again: %s",
                    self.ingestion.path,
                    error,
                )
            ended.wait(every_s)

    def _set(self, **values: Any) -> bool:
        """Change our row; return whether we still had the hold on it."""
        with self._database.write_rows() as connection:
            return self._change(connection, values)

    def _change(self, connection: Connection, values: dict[str, Any]) -> bool:
        hold = {"number": self.ingestion.id, "owner": self._owner}
        return bool(execute(connection, _change_held, values | hold).rowcount == 1)

    def _held(self, session: Session) -> JournalEntry | None:
        entry = session.get(JournalEntry, self.ingestion.id, with_for_update=True)
        return entry if entry is not None and entry.lease_owner == self._owner else None

    @property
    def _lost(self) -> str:
        return f"{self.ingestion.path}: another worker has taken over this ingestion; ask again"


def _demand_known(learned: Mapping[str, Any]) -> None:
    if unknown := sorted(set(learned) - _LEARNED):
        msg = f"the journal does not hold {', '.join(unknown)}"
        raise TypeError(msg)


def _backoff(attempts: int, error: CalRecordsError) -> timedelta:
    retry_after_s = error.retry_after_s if isinstance(error, TransientError) else None
    wait_s = min(FIRST_BACKOFF_S * 2 ** min(attempts - 1, 20), LONGEST_BACKOFF_S)
    return timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S)))


def _plain_text(message: str) -> str:
    """Return a message as every database can hold it."""
    return message.replace("\0", "\\0").encode(errors="backslashreplace").decode()
