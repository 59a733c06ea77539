"""What choosing anew for past uses asks of the records; nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet
from calrecords.records.affected import affected_by, affected_counts
from calrecords.records.database import RecordDatabase
from calrecords.records.match_sets import missing_sets
from calrecords.records.models import Frame, Version
from calrecords.records.pinning import version_row
from calrecords.records.reading import frame_of, get_frame, get_version, select_frames
from calrecords.records.uses import RecordedUse, newest_uses, used_targets

TARGETS_AT_ONCE = 10_000
"""Targets whose uses are in memory at a time."""

NAMES_AT_ONCE = 500
"""Names in one query, below what any SQLite takes."""

_named = select_frames().where(
    Frame.basename.in_(sa.bindparam("asked", expanding=True)), Version.is_current
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVersion:
    """A version as it is recorded now.

    Attributes
    ----------
    id : int
        Number of its row.
    frame : CalibrationFrame
        What is known of it.
    is_current : bool
        Whether it is its frame's current version, which alone can be chosen.
    """

    id: int
    frame: CalibrationFrame
    is_current: bool


class PastUses:
    """The uses of one records database, and what it takes to choose for them anew.

    Parameters
    ----------
    database : RecordDatabase
        The records.
    at_once : int, optional
        Targets whose uses are in memory at a time.
    """

    def __init__(self, database: RecordDatabase, *, at_once: int = TARGETS_AT_ONCE) -> None:
        self._database = database
        self._at_once = at_once

    def pages(self) -> Iterator[list[RecordedUse]]:
        """Yield the newest use of each target and type, those of some targets at a time."""
        last: str | None = ""
        while last is not None:
            with self._database.read() as connection:
                targets = used_targets(connection, last, self._at_once)
                found = [use for some in _parts(targets) for use in newest_uses(connection, some)]
            last = targets[-1] if targets else None
            if found:
                yield found

    def described(self, basenames: Collection[str]) -> dict[str, CalibrationFrame]:
        """Return which of some names are recorded frames, as they are now."""
        found: dict[str, CalibrationFrame] = {}
        with self._database.read() as connection:
            for some in _parts(sorted(basenames)):
                frames = map(frame_of, connection.execute(_named, {"asked": some}))
                found |= {frame.basename: frame for frame in frames}
        return found

    def version(self, frame: CalibrationFrame) -> RecordedVersion:
        """Return a version as it is recorded now.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        """
        with self._database.read() as connection:
            number = version_row(connection, frame)
            current = get_frame(connection, basename=frame.basename)
            return RecordedVersion(
                id=number,
                frame=get_version(connection, number),
                is_current=version_row(connection, current) == number,
            )

    def version_numbered(self, number: int) -> CalibrationFrame:
        """Return a version by the number of its row, which there must be."""
        with self._database.read() as connection:
            return get_version(connection, number)

    def missing_sets(self, sets: Iterable[MatchSet]) -> frozenset[MatchSet]:
        """Return those of the match sets that versions are not indexed by."""
        with self._database.read() as connection:
            return frozenset(missing_sets(connection, sets))

    def affected_counts(self, basenames: Collection[str]) -> dict[str, int]:
        """Return how many frames each of many leads to; see `affected.affected_counts`."""
        with self._database.read() as connection:
            return affected_counts(connection, basenames)

    def count_affected(self, frame: CalibrationFrame) -> int:
        """Return how many frames were made with a version; see `affected.affected_by`."""
        with self._database.read() as connection:
            return len(affected_by(connection, frame))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[at : at + NAMES_AT_ONCE] for at in range(0, len(names), NAMES_AT_ONCE))
