"""Writing what was decided of a chunk of an import, many rows to a statement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from calrecords.records.importing_decisions import Decisions
from calrecords.records.importing_keys import RowKeys
from calrecords.records.importing_known import KnownFrame, KnownVersion
from calrecords.records.importing_rows import ImportRow, Marking, Spelling
from calrecords.records.importing_words import AT, COLUMNS
from calrecords.records.models import Frame, Version
from calrecords.records.naming import instrument_row
from calrecords.records.selection_index import end_version, open_version

_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_versions: sa.Table = Version.__table__  # type: ignore[assignment]

_OF_FRAME = ("basename", "frame_id", "obstype", "is_master", "instrument_id", "recorded_at")
_OF_VERSION = ("calibration_frame_id", "is_current", "recorded_at", *COLUMNS)
_OF_MARK = ("reason", "author", "recorded_at", "known_from")
_INSTRUMENTS = (
    "SELECT s.code, i.camera, i.name, i.id FROM instruments i JOIN sites s ON i.site_id = s.id"
)
_OF_IDENTITY = ("obstype", "is_master", "site", "camera")
_OF_INDEX = ("match_key", "dateobs", "version_id", "known_from", "known_until")
_TIMES = frozenset({"created", "public_date"})


IndexRow = tuple[bytes, Any, int, Any, Any]
"""A row of the selection index, its times as the database spells them."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all rows of a chunk share.

    Attributes
    ----------
    now : datetime
        When it is recorded, UTC.
    spelled_now : object
        The same, as the database spells it.
    spelling : Spelling
        How the database is handed times.
    reason, author : str
        Why and by whom, where a row does not say.
    keys : RowKeys
        Makes the match keys.
    """

    now: datetime
    spelled_now: Any
    spelling: Spelling
    reason: str
    author: str
    keys: RowKeys


class ChunkWriter:
    """Writes one chunk, in the transaction of the connection.

    Parameters
    ----------
    connection : Connection
        In a transaction that may write.
    context : Context
        What all rows share.
    """

    def __init__(self, connection: Connection, context: Context) -> None:
        self._connection = connection
        self._context = context
        self._is_sqlite = connection.dialect.name == "sqlite"

    def write(self, decisions: Decisions) -> None:
        """Write everything that was decided."""
        self._write_frames(decisions.new_frames)
        self._write_changes(decisions)
        self._write_versions(decisions)
        self._write_marks(decisions)

    def _write_frames(self, frames: list[KnownFrame]) -> None:
        instruments = self._instruments(frames)
        frames = sorted(frames, key=lambda frame: frame.basename)
        now = self._context.spelled_now
        for frame, number in zip(frames, self._numbers("calibration_frames", frames), strict=True):
            frame.id = number
        self._insert(
            "calibration_frames",
            ("id", *_OF_FRAME),
            (
                (
                    *(frame.id, frame.basename, frame.frame_id, *frame.identity[:2]),
                    *(instruments[*frame.identity[2:], frame.instrument], now),
                )
                for frame in frames
            ),
        )

    def _instruments(self, frames: list[KnownFrame]) -> dict[tuple[str, str, str], int]:
        """Return the numbers of the instruments' rows, which are made where there are none."""
        found = {
            (site, camera, name): number
            for site, camera, name, number in self._connection.exec_driver_sql(_INSTRUMENTS)
        }
        for site, camera, name in {(*f.identity[2:], f.instrument) for f in frames} - set(found):
            wanted = {"code": site, "camera": camera, "name": name}
            found[site, camera, name] = instrument_row(self._connection, wanted)
        return found

    def _write_changes(self, decisions: Decisions) -> None:
        for frame, frame_id in decisions.changed_frames.items():
            changed = sa.update(_frames).where(_frames.c.id == frame)
            self._connection.execute(changed.values(frame_id=frame_id))
        for version, values in decisions.changed_versions.items():
            names = ", ".join(f"{name} = {self._mark}" for name in values)
            statement = f"UPDATE frame_versions SET {names} WHERE id = {self._mark}"
            self._connection.exec_driver_sql(statement, (*values.values(), version))

    def _write_versions(self, decisions: Decisions) -> None:
        versions = decisions.new_versions
        frames = {id(frame): frame for frame, _ in versions}
        if len(frames) < len(versions):
            versions = sorted(versions, key=lambda pair: pair[1].place)
        numbers = self._numbers("frame_versions", versions)
        for (_, version), number in zip(versions, numbers, strict=True):
            version.id = number
        index: list[IndexRow] = []
        for frame in (frames | {id(frame): frame for frame in decisions.redated_frames}).values():
            if len(frame.versions) == 1:
                [only] = frame.versions
                only.is_current = True
                self._index(frame, only, None, index)
            else:
                self._order(frame, index)
        now = self._context.spelled_now
        self._insert(
            "frame_versions",
            ("id", *_OF_VERSION),
            (
                (version.id, frame.id, version.is_current, now, *version.values)
                for frame, version in versions
            ),
        )
        self._insert(
            "frame_inputs",
            ("version_id", "keyword", "basename"),
            (
                (version.id, keyword, basename)
                for _, version in versions
                for keyword, basename in _row(version).inputs
            ),
        )
        self._insert("selection_index", _OF_INDEX, sorted(index, key=itemgetter(0, 1)))

    def _order(self, frame: KnownFrame, index: list[IndexRow]) -> None:
        """Find which version of a frame is current, and when each one was."""
        ordered = sorted(frame.versions, key=lambda version: (*version.place, version.id))
        newest = ordered[-1]
        turns_newest = newest.row is None and not newest.is_current
        for at, version in enumerate(ordered):
            later = ordered[at + 1 :]
            if version.row is None:
                ends = [one.since for one in later if one.row is not None]
                ends += [self._context.now] if turns_newest and later else []
                if ends:
                    self._end(version, min(ends))
                continue
            until = min((one.since for one in later), default=None)
            version.is_current = until is None
            if until is None or version.since < until:
                self._index(frame, version, until, index)
        if turns_newest:
            end_version(self._connection, newest.id or 0, self._context.now)
            self._change_current(newest, is_current=True)
            open_version(self._connection, newest.id or 0, self._context.now)

    def _end(self, version: KnownVersion, until: datetime) -> None:
        end_version(self._connection, version.id or 0, until)
        if version.is_current:
            self._change_current(version, is_current=False)

    def _change_current(self, version: KnownVersion, *, is_current: bool) -> None:
        changed = sa.update(_versions).where(_versions.c.id == version.id)
        self._connection.execute(changed.values(is_current=is_current))

    def _index(
        self,
        frame: KnownFrame,
        version: KnownVersion,
        until: datetime | None,
        index: list[IndexRow],
    ) -> None:
        row, values, context = _row(version), version.values, self._context
        if row.dateobs is None:
            return
        since = values[AT["known_from"]] or context.spelled_now
        ended = None if until is None else context.spelling.time(until)
        for key in context.keys.of(frame, row, values):
            index.append((key, values[AT["dateobs"]], version.id or 0, since, ended))

    def _write_marks(self, decisions: Decisions) -> None:
        self._insert(
            "verdicts",
            ("version_id", "verdict", *_OF_MARK),
            (
                (version.id, row.values[AT["verdict"]], *self._marked(row.verdict, version, row))
                for version, row in decisions.verdicts
            ),
        )
        self._insert(
            "validity_changes",
            ("version_id", "good_after", "good_until", *_OF_MARK),
            (
                (
                    *(version.id, row.values[AT["good_after"]], row.values[AT["good_until"]]),
                    *self._marked(row.validity, version, row),
                )
                for version, row in decisions.validities
            ),
        )

    def _marked(
        self, marking: Marking | None, version: KnownVersion, row: ImportRow
    ) -> tuple[Any, ...]:
        """Return reason, author, and when it was recorded and is known from.

        What is said of a version that was recorded before is not known from any earlier time
        than the row says of this very mark.
        """
        said = marking or Marking(None, None, None)
        is_new = version.row is row
        known_from = said.known_from or (row.values[AT["known_from"]] if is_new else None)
        context = self._context
        return (
            *(said.reason or context.reason, said.author or context.author),
            *(context.spelled_now, known_from),
        )

    @property
    def _mark(self) -> str:
        return "?" if self._is_sqlite else "%s"

    def _numbers(self, table: str, rows: Sequence[Any]) -> Iterable[int]:
        """Return numbers for new rows of a table, which nobody else will use."""
        if not rows:
            return []
        if self._is_sqlite:
            largest = f"SELECT coalesce(max(id), 0) FROM {table}"
            first = self._connection.exec_driver_sql(largest).scalar_one() + 1
            return range(first, first + len(rows))
        reserved = (
            f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) FROM generate_series(1, %s)"
        )
        return self._connection.exec_driver_sql(reserved, (len(rows),)).scalars().all()

    def _insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        given = list(rows)
        if not given:
            return
        names = ", ".join(columns)
        if self._is_sqlite:
            marks = ", ".join("?" * len(columns))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            self._connection.exec_driver_sql(statement, given)
            return
        self._copy(f"COPY {table} ({names}) FROM STDIN", given)

    def _copy(self, statement: str, rows: list[Sequence[Any]]) -> None:
        """Hand PostgreSQL many rows in one go."""
        dialect = self._connection.dialect
        driver: Any = self._connection.connection.dbapi_connection
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except dialect.loaded_dbapi.Error as error:
            raise exc.DBAPIError.instance(
                statement, None, error, dialect.loaded_dbapi.Error, dialect=dialect
            ) from None


def _row(version: KnownVersion) -> ImportRow:
    assert version.row is not None
    return version.row
