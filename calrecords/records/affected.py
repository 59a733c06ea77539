"""What was made with a frame: through masters, and masters of masters, to science targets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from calrecords.frames import CalibrationFrame
from calrecords.records.models import Frame, FrameInput, FrameUse, Version
from calrecords.records.pinning import version_row

AT_A_TIME = 500
"""Values in one query, below what any SQLite takes."""

_made_from = (
    sa.select(
        *(FrameInput.basename.label("source"), FrameInput.keyword.label("through")),
        *(FrameInput.version_id.label("version"), Frame.basename, Frame.obstype),
    )
    .join_from(FrameInput, Version, Version.id == FrameInput.version_id)
    .join(Frame, Frame.id == Version.calibration_frame_id)
    .where(FrameInput.basename.in_(sa.bindparam("asked", expanding=True)))
    .order_by(Frame.basename, FrameInput.version_id, FrameInput.keyword)
)
_used_by = (
    sa.select(
        *(FrameUse.version_id.label("source"), FrameUse.caltype.label("through")),
        *(FrameUse.target_basename.label("basename"), Frame.obstype, Version.id.label("version")),
        sa.exists()
        .where(FrameInput.basename == FrameUse.target_basename)
        .correlate(FrameUse)
        .label("is_input"),
    )
    .join_from(FrameUse, Frame, Frame.basename == FrameUse.target_basename, isouter=True)
    .join(Version, Version.calibration_frame_id == Frame.id, isouter=True)
    .where(FrameUse.version_id.in_(sa.bindparam("asked", expanding=True)))
    .order_by(FrameUse.target_basename, FrameUse.caltype, FrameUse.version_id, Version.id)
)


_made_from_name = (
    sa.select(FrameInput.basename.label("source"), Frame.basename)
    .join_from(FrameInput, Version, Version.id == FrameInput.version_id)
    .join(Frame, Frame.id == Version.calibration_frame_id)
    .where(FrameInput.basename.in_(sa.bindparam("asked", expanding=True)))
)
_used_by_name = (
    sa.select(Frame.basename.label("source"), FrameUse.target_basename.label("basename"))
    .join_from(Frame, Version, Version.calibration_frame_id == Frame.id)
    .join(FrameUse, FrameUse.version_id == Version.id)
    .where(Frame.basename.in_(sa.bindparam("asked", expanding=True)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedFrame:
    """A frame that was made with another one, at once or through others.

    Attributes
    ----------
    basename : str
        Its name.
    obstype : str or None
        Its observation type; None of a target that is not recorded here.
    through : str
        The header keyword, or the type of calibration, that says so.
    depth : int
        How many steps away it is; 1 was made with the frame itself.
    path : tuple of str
        Basenames from the frame that was asked for to this one: a shortest way.
    """

    basename: str
    obstype: str | None
    through: str
    depth: int
    path: tuple[str, ...]


def affected_by(connection: Connection, frame: CalibrationFrame) -> list[AffectedFrame]:
    """Return what was made with a version, nearest first, each frame once.

    Headers name an input without its version, so that what names this frame counts whichever
    version it is asked for.

    Raises
    ------
    RecordNotFoundError
        If there is no such version.
    """
    search = _Search(frame.basename)
    versions = {version_row(connection, frame): frame.basename}
    names: Collection[str] = {frame.basename}
    while versions or names:
        versions, names = search.step(connection, versions, names)
    return sorted(search.found, key=lambda one: (one.depth, one.basename))


def affected_counts(connection: Connection, basenames: Collection[str]) -> dict[str, int]:
    """Return for each of many names how many frames were made with what has it, through others.

    Every version counts: what was made with any of them.
    """
    made: dict[str, set[str]] = {name: set() for name in basenames}
    new: Collection[str] = made.keys()
    while new:
        reached: set[str] = set()
        for statement in (_made_from_name, _used_by_name):
            for source, basename in _rows(connection, statement, new):
                made[source].add(basename)
                reached.add(basename)
        new = reached - made.keys()
        made |= {name: set() for name in new}
    return {name: _count_from(name, made) for name in basenames}


def _count_from(name: str, made: Mapping[str, Collection[str]]) -> int:
    """Return how many names can be reached from one."""
    reached = {name}
    left = [name]
    while left:
        new = [one for one in made[left.pop()] if one not in reached]
        reached.update(new)
        left += new
    return len(reached) - 1


class _Search:
    """Goes outward from a frame, one step at a time, and nowhere twice."""

    def __init__(self, basename: str) -> None:
        self._paths: dict[str, tuple[str, ...]] = {basename: (basename,)}
        self._asked: set[int] = set()
        self.found: list[AffectedFrame] = []

    def step(
        self, connection: Connection, versions: dict[int, str], names: Collection[str]
    ) -> tuple[dict[int, str], set[str]]:
        """Find what was made with these versions, and from these names; return where to go on."""
        self._asked |= versions.keys()
        next_versions: dict[int, str] = {}
        next_names: set[str] = set()
        for row in _rows(connection, _made_from, names):
            is_new = self._reach(row, row.source)
            next_versions[row.version] = row.basename
            next_names |= {row.basename} if is_new else set()
        for row in _rows(connection, _used_by, versions):
            is_new = self._reach(row, versions[row.source])
            if row.version is not None:
                next_versions[row.version] = row.basename
            next_names |= {row.basename} if is_new and row.is_input else set()
        for version in self._asked & next_versions.keys():
            del next_versions[version]
        return next_versions, next_names

    def _reach(self, row: Any, source: str) -> bool:
        """Keep a frame that was not reached before; return whether it is one."""
        if row.basename in self._paths:
            return False
        path = (*self._paths[source], row.basename)
        self._paths[row.basename] = path
        self.found.append(
            AffectedFrame(
                basename=row.basename,
                obstype=row.obstype,
                through=row.through,
                depth=len(path) - 1,
                path=path,
            )
        )
        return True


def _rows(
    connection: Connection, statement: sa.Executable, asked: Collection[Any]
) -> Iterator[Any]:
    values = sorted(asked)
    for start in range(0, len(values), AT_A_TIME):
        yield from connection.execute(statement, {"asked": values[start : start + AT_A_TIME]})
