"""What the journal knows of names and keys, for an audit; and a hold while something is removed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.records.auditing import batched
from calrecords.records.database import RecordDatabase
from calrecords.records.journal import one_at_a_time
from calrecords.records.journal_entries import UNFINISHED
from calrecords.records.leases import is_held
from calrecords.records.models import Frame, JournalEntry, Version
from calrecords.vocabulary import IngestionState

_entries: sa.Table = JournalEntry.__table__  # type: ignore[assignment]
_frames: sa.Table = Frame.__table__  # type: ignore[assignment]
_versions: sa.Table = Version.__table__  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class JournalRow:
    """What the journal says of one ingestion.

    Attributes
    ----------
    id : int
        Its number.
    basename, extension : str
        The frame's name, cut in two.
    path : str
        The file it reads.
    state : str
        How far it has come.
    key : str
        Where its bytes go in the file store.
    md5, sha256 : str
        What they are.
    size : int
        How long they are, in bytes.
    version_key : str or None
        What the store calls them.
    frame_id : int or None
        The archive's number of the frame.
    updated_at : datetime
        When anything was last written down, UTC.
    is_live : bool
        Whether somebody is at it.
    error : str or None
        Class of the last error.
    """

    id: int
    basename: str
    extension: str
    path: str
    state: str
    key: str
    md5: str
    sha256: str
    size: int
    version_key: str | None
    frame_id: int | None
    updated_at: datetime
    is_live: bool
    error: str | None

    @property
    def is_unfinished(self) -> bool:
        """Whether it can be resumed."""
        return self.state in UNFINISHED

    @property
    def is_recorded(self) -> bool:
        """Whether it ended as it should."""
        return self.state == IngestionState.RECORDED


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """A version as the records know its file.

    Attributes
    ----------
    basename : str
        Of its frame.
    key, version_key, md5, sha256 : str or None
        Where it is, and what it is.
    size : int or None
        Its length in bytes.
    """

    basename: str
    key: str | None
    version_key: str | None
    md5: str | None
    sha256: str | None
    size: int | None


class JournalReads:
    """What an audit asks the journal, and of the files that records refer to.

    Parameters
    ----------
    database : RecordDatabase
        Where it is.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database

    def unfinished(self) -> list[JournalRow]:
        """Return every ingestion that can be resumed, oldest first."""
        states = _entries.c.state.in_([str(state) for state in UNFINISHED])
        with self._database.read() as connection:
            rows = connection.execute(sa.select(_entries).where(states).order_by(_entries.c.id))
            return [_row_of(row) for row in rows]

    def lost(self, after: int, limit: int) -> list[JournalRow]:
        """Return ingestions behind one that ended well, of frames that are not recorded now."""
        recorded = sa.exists().where(
            _frames.c.basename == _entries.c.basename,
            _versions.c.calibration_frame_id == _frames.c.id,
        )
        asked = (
            sa.select(_entries)
            .where(_entries.c.id > after, _entries.c.state == IngestionState.RECORDED, ~recorded)
            .order_by(_entries.c.id)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [_row_of(row) for row in connection.execute(asked)]

    def of_names(self, basenames: Collection[str]) -> list[JournalRow]:
        """Return every ingestion of these frames."""
        with self._database.read() as connection:
            return _of_names(connection, basenames)

    def objects(
        self, basenames: Collection[str], version_keys: Collection[str] = ()
    ) -> list[ObjectRow]:
        """Return the recorded versions with one of these names or version keys."""
        with self._database.read() as connection:
            return _objects(connection, basenames, version_keys)

    @contextmanager
    def held(self, basename: str) -> Iterator[HeldName]:
        """Let nobody begin an ingestion under a name while the block runs; be quick.

        In SQLite nobody writes at all meanwhile.

        Parameters
        ----------
        basename : str
            The frame's.
        """
        with self._database.write_rows() as connection:
            one_at_a_time(connection, basename)
            yield HeldName(connection, basename)


class HeldName:
    """What is known of a name while nobody can begin an ingestion under it."""

    def __init__(self, connection: Connection, basename: str) -> None:
        self._connection = connection
        self._basename = basename

    def rows(self) -> list[JournalRow]:
        """Return every ingestion of this frame."""
        return _of_names(self._connection, [self._basename])

    def current_md5(self) -> str | None:
        """Return the checksum of the frame's current version."""
        asked = sa.select(Version.md5).join(Frame, Version.calibration_frame_id == Frame.id)
        return self._connection.scalar(
            asked.where(Frame.basename == self._basename, Version.is_current)
        )

    def objects(self, version_keys: Collection[str]) -> list[ObjectRow]:
        """Return the recorded versions of this name, or with one of these version keys."""
        return _objects(self._connection, [self._basename], version_keys)


def _of_names(connection: Connection, basenames: Collection[str]) -> list[JournalRow]:
    rows: list[JournalRow] = []
    for some in batched(sorted(basenames)):
        asked = sa.select(_entries).where(_entries.c.basename.in_(some)).order_by(_entries.c.id)
        rows += [_row_of(row) for row in connection.execute(asked)]
    return rows


def _objects(
    connection: Connection, basenames: Collection[str], version_keys: Collection[str]
) -> list[ObjectRow]:
    found: set[ObjectRow] = set()
    for column, values in ((Frame.basename, basenames), (Version.version_key, version_keys)):
        for some in batched(sorted(values)):
            asked = (
                sa.select(
                    *(Frame.basename, Version.key, Version.version_key),
                    *(Version.md5, Version.sha256, Version.size),
                )
                .join_from(Version, Frame, Version.calibration_frame_id == Frame.id)
                .where(column.in_(some))
            )
            found.update(ObjectRow(*row) for row in connection.execute(asked))
    return list(found)


def _row_of(row: sa.Row[tuple[object, ...]]) -> JournalRow:
    return JournalRow(
        *(row.id, row.basename, row.extension, row.path, row.state, row.key),
        *(row.md5, row.sha256, row.size, row.version_key, row.frame_id, row.updated_at),
        is_live=is_held(row.lease_owner, row.lease_until),
        error=row.error,
    )
