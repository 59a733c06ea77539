"""What people say of recorded versions: the verbs, each one transaction of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from calrecords.errors import InvalidRecordError
from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet
from calrecords.records import reading
from calrecords.records.correcting import correct_version
from calrecords.records.database import RecordDatabase
from calrecords.records.exclusive import valid_at_the_same_time
from calrecords.records.histories import HistoryEvent, history_of, range_text
from calrecords.records.judging import Statement, record_validity, record_verdict
from calrecords.records.pinning import locked_frame_row, locked_version_row
from calrecords.vocabulary import Verdict

_ONE_AT_A_TIME = sa.text("LOCK TABLE validity_changes IN SHARE ROW EXCLUSIVE MODE")


class Judgements:
    """The verdicts, validity ranges and corrections of one records database.

    Parameters
    ----------
    database : RecordDatabase
        The records.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def mark(
        self,
        frame: CalibrationFrame,
        verdict: Verdict,
        *,
        reason: str,
        author: str,
        known_from: datetime | None = None,
    ) -> CalibrationFrame:
        """Write a verdict on a version, and return the version as it is then.

        Parameters
        ----------
        frame : CalibrationFrame
            The version.
        verdict : Verdict
            What is said of it.
        reason, author : str
            Why, and by whom.
        known_from : datetime, optional
            Since when it was known elsewhere, UTC; only an importer says so.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        InvalidRecordError
            If the text cannot be recorded.
        """
        with self._database.write_rows() as connection:
            version = locked_version_row(connection, frame)
            said = _statement(reason, author, known_from)
            record_verdict(connection, version, verdict, said)
            return reading.get_version(connection, version)

    def set_validity(
        self,
        frame: CalibrationFrame,
        good_after: datetime | None,
        good_until: datetime | None,
        *,
        reason: str,
        author: str,
        known_from: datetime | None = None,
        exclusive: Mapping[str, MatchSet] | None = None,
    ) -> CalibrationFrame:
        """Write when a version may be used, and return the version as it is then.

        Parameters
        ----------
        frame : CalibrationFrame
            The version.
        good_after, good_until : datetime or None
            Half-open range ``[good_after, good_until)``, UTC; None is open.
        reason, author : str
            Why, and by whom.
        known_from : datetime, optional
            Since when it was known elsewhere, UTC; only an importer says so.
        exclusive : mapping of str to MatchSet, optional
            Rules, by name, that allow one version of a configuration at a time, with the
            registered set of what makes a configuration.

        Raises
        ------
        InvalidRecordError
            If the range is empty, or a rule allows one version at a time, and another of the
            same configuration is valid in it.
        RecordNotFoundError
            If there is no such record.
        """
        with self._database.write_rows() as connection:
            if exclusive and self._database.is_server:
                connection.execute(_ONE_AT_A_TIME)
            version = locked_version_row(connection, frame)
            for rule, match_set in (exclusive or {}).items():
                others = valid_at_the_same_time(
                    connection, version, match_set, good_after, good_until
                )
                _demand_alone(frame, good_after, good_until, rule, others)
            said = _statement(reason, author, known_from)
            record_validity(connection, version, good_after, good_until, said)
            return reading.get_version(connection, version)

    def correct(
        self, frame: CalibrationFrame, facts: Mapping[str, Any], *, reason: str, author: str
    ) -> CalibrationFrame:
        """Mend facts of a version, and return the version as it is then.

        Parameters
        ----------
        frame : CalibrationFrame
            The version.
        facts : mapping
            The right values by fact, attributes as ``attributes.NAME``; see `correct_version`.
        reason, author : str
            Why, and by whom.
        """
        with self._database.write_rows() as connection:
            version = locked_frame_row(connection, frame)
            correct_version(connection, version, facts, _statement(reason, author))
            return reading.get_version(connection, version)

    def history(self, basename: str) -> list[HistoryEvent]:
        """Return all that happened to a frame's records, oldest first; see `history_of`."""
        with self._database.read() as connection:
            return history_of(connection, basename)


def _statement(reason: str, author: str, known_from: datetime | None = None) -> Statement:
    now = datetime.now(UTC)
    return Statement(reason=reason, author=author, recorded_at=now, known_from=known_from)


def _demand_alone(
    frame: CalibrationFrame,
    good_after: datetime | None,
    good_until: datetime | None,
    rule: str,
    others: list[CalibrationFrame],
) -> None:
    if not others:
        return
    named = "; ".join(
        f"{other.filename} {range_text(other.good_after, other.good_until)}" for other in others[:5]
    )
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    msg = (
        f"{frame.filename} cannot be valid {range_text(good_after, good_until)}: the rule "
        f"{rule!r} is exclusive, and of the same configuration are valid then: {named}{more}; "
        "end their validity first, choose another range, or mark them bad"
    )
    raise InvalidRecordError(msg)
