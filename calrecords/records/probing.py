"""Executing a probe: the index is walked outward in time from one moment, on both sides.

No query sorts: each side is read in the order of the index, a few rows at first and more
each time, and the two are merged. Rows of one and the same dateobs are always read together,
since their order is not the index's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import Any, TypeVar

from calrecords.frames import CalibrationFrame
from calrecords.matching import Probe
from calrecords.records.candidate_rows import (
    COLUMNS,
    CREATED,
    DATEOBS,
    BriefFrame,
    Dialect,
    read_candidate,
)
from calrecords.records.overrides import ANY_OVERRIDE

MOST_ROWS = 2000
"""Rows that one query of a long walk reads at most."""

Row = Sequence[Any]
Execute = Callable[[str, Any], list[Row]]
Known = Callable[[dict[int, CalibrationFrame]], dict[int, CalibrationFrame]]

_F = TypeVar("_F", CalibrationFrame, BriefFrame)
FROM = """
FROM selection_index AS k
JOIN frame_versions AS v ON v.id = k.version_id
JOIN calibration_frames AS f ON f.id = v.calibration_frame_id
JOIN instruments AS i ON i.id = f.instrument_id
JOIN sites AS s ON s.id = i.site_id"""
_ALONE = (
    "NOT EXISTS (SELECT 1 FROM selection_index AS o WHERE o.match_key = k.match_key"
    " AND o.dateobs = k.dateobs AND o.version_id <> k.version_id) AS is_alone"
)
_IS_ALONE = len(COLUMNS) + 1
_NOW = " AND k.known_until IS NULL"
_THEN = " AND k.known_from <= {as_of} AND (k.known_until IS NULL OR k.known_until > {as_of})"
_VALID = (
    " AND (v.good_after IS NULL OR v.good_after <= {valid_at})"
    " AND (v.good_until IS NULL OR v.good_until > {valid_at})"
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a probe found, outward in time; the first rows are read, the others as it takes.

    Attributes
    ----------
    frames : iterator of CalibrationFrame
        The candidates.
    has_overrides : bool
        Whether anybody ever forced a calibration, for whatever target.
    """

    frames: Iterator[CalibrationFrame]
    has_overrides: bool = False

    def __iter__(self) -> Iterator[CalibrationFrame]:
        return self.frames


@dataclass(frozen=True, slots=True)
class Side:
    """One direction of a walk.

    Attributes
    ----------
    is_before : bool
        Whether it goes back in time.
    takes_start : bool
        Whether what is at the very time where it begins is taken.
    """

    is_before: bool
    takes_start: bool


def candidates(
    execute: Execute,
    dialect: Dialect,
    probe: Probe,
    *,
    first: int = 1,
    known_then: Known | None = None,
) -> Candidates:
    """Return what a probe asks for, outward in time.

    Of equal distance the earlier dateobs comes first, of equal dateobs the newest creation,
    of equal creation the basename decides, so that the order is the same everywhere.

    Parameters
    ----------
    execute : callable
        Runs a statement with named values, and returns its rows.
    dialect : Dialect
        How the database is spoken to.
    probe : Probe
        What is asked.
    first : int, optional
        How many are likely to be wanted.
    known_then : callable, optional
        Gives versions as they were known at the moment that the probe names; needed if it
        names one.
    """
    sides = sides_of(probe)
    *begun, overrides = _begun(execute, dialect, probe, sides, first)
    walks = [
        _walk(execute, dialect, probe, side, rows, first)
        for side, rows in zip(sides, begun, strict=True)
    ]
    moment = dialect.as_read(probe.dateobs)
    ordered = walks[0] if len(walks) == 1 else merge(*walks, key=_distance_from(moment))
    frames = (
        (read_candidate(row, dialect) for row in ordered)
        if known_then is None
        else _as_known(ordered, dialect, probe, known_then)
    )
    return Candidates(frames, has_overrides=bool(overrides))


def _distance_from(moment: datetime) -> Callable[[Row], timedelta]:
    """Return the distance of a row; of equal ones the side that is walked first counts."""

    def distance(row: Row) -> timedelta:
        away: timedelta = row[-1] - moment
        return abs(away)

    return distance


def sides_of(probe: Probe) -> list[Side]:
    """Return the directions in which a probe goes, the earlier one first."""
    sides = []
    if probe.looks_before:
        sides.append(Side(is_before=True, takes_start=probe.takes_same_time))
    if probe.looks_after:
        takes = probe.takes_same_time and not probe.looks_before
        sides.append(Side(is_before=False, takes_start=takes))
    return sides


def _begun(
    execute: Execute, dialect: Dialect, probe: Probe, sides: list[Side], limit: int
) -> list[list[Row]]:
    """Return the first rows of every side, and a row if there are overrides, by one query."""
    values = _values(dialect, probe) | {"from_time": dialect.as_given(probe.dateobs)}
    text = _statement(dialect, shape_of(probe), tuple(sides), is_first=True)
    found: list[list[Row]] = [[] for _ in range(len(sides) + 1)]
    for row in execute(text, values | {"wanted": limit}):
        found[row[0]].append(row)
    return found


def _walk(
    execute: Execute, dialect: Dialect, probe: Probe, side: Side, rows: list[Row], limit: int
) -> Iterator[Row]:
    """Yield the rows of one side outward, each with its time at its end."""
    is_whole = bool(rows) and rows[-1][_IS_ALONE]
    while True:
        is_last = len(rows) < limit
        groups = _groups(rows)
        for group in groups if is_last or is_whole else groups[:-1]:
            yield from _in_order(group, dialect)
        if is_last:
            return
        again = groups[-1][0][DATEOBS]
        limit = min(limit * 4, MOST_ROWS) if is_whole or len(groups) > 1 else limit * 4
        onward = Side(side.is_before, takes_start=not is_whole)
        text = _statement(dialect, shape_of(probe), (onward,))
        values = _values(dialect, probe) | {"from_time": again, "wanted": limit}
        rows, is_whole = execute(text, values), False


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Return rows that are in the order of their times, those of one time together."""
    groups: list[list[Row]] = []
    for row in rows:
        if groups and groups[-1][0][DATEOBS] == row[DATEOBS]:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


def _in_order(group: list[Row], dialect: Dialect) -> Iterator[Row]:
    moment = dialect.as_read(dialect.time(group[0][DATEOBS]))
    if len(group) > 1:
        group.sort(key=lambda row: row[COLUMNS["basename"]])
        group.sort(key=lambda row: (row[CREATED] is not None, row[CREATED]), reverse=True)
    for row in group:
        yield (*row, moment)


def _as_known(
    rows: Iterator[Row], dialect: Dialect, probe: Probe, known_then: Known
) -> Iterator[CalibrationFrame]:
    """Yield the candidates as they were known, which may be other than they are now."""
    batch: dict[int, CalibrationFrame] = {}
    size = 2
    at: datetime | None = None
    for row in rows:
        if len(batch) >= size and row[-1] != at:
            yield from _that_pass(known_then(batch), probe)
            batch, size = {}, min(size * 4, MOST_ROWS)
        at = row[-1]
        batch[row[COLUMNS["version_id"]]] = read_candidate(row, dialect)
    if batch:
        yield from _that_pass(known_then(batch), probe)


def _that_pass(known: dict[int, CalibrationFrame], probe: Probe) -> Iterator[CalibrationFrame]:
    yield from outward([frame for frame in known.values() if passes(frame, probe)], probe.dateobs)


def outward(frames: list[_F], moment: datetime) -> list[_F]:
    """Return frames that have a dateobs in the order in which a walk comes by them."""
    ordered = sorted(frames, key=lambda frame: frame.basename)
    ordered.sort(key=lambda frame: (frame.created is not None, frame.created), reverse=True)
    ordered.sort(key=lambda frame: (abs(frame.dateobs - moment), frame.dateobs))  # type: ignore[operator]
    return ordered


def passes(frame: CalibrationFrame | BriefFrame, probe: Probe) -> bool:
    """Return whether a frame that has the key of a probe is what it asks for, but for its time."""
    at, before = probe.valid_at, probe.created_before
    return (
        frame.dateobs is not None
        and frame.verdict in probe.verdicts
        and (at is None or frame.good_after is None or frame.good_after <= at)
        and (at is None or frame.good_until is None or at < frame.good_until)
        and (before is None or (frame.created is not None and frame.created < before))
    )


Shape = tuple[bool, bool, bool, bool, tuple[str, ...], bool]


def shape_of(probe: Probe) -> Shape:
    """Return what of a probe its statement depends on."""
    return (
        probe.as_of is not None,
        probe.start is not None,
        probe.end is not None,
        probe.valid_at is not None,
        tuple(sorted(map(str, probe.verdicts))),
        probe.created_before is not None,
    )


def _values(dialect: Dialect, probe: Probe) -> dict[str, Any]:
    given = dialect.as_given
    moments = {
        "as_of": probe.as_of,
        "start": probe.start,
        "end": probe.end,
        "valid_at": probe.valid_at,
        "created_before": probe.created_before,
    }
    values = {name: given(moment) for name, moment in moments.items() if moment is not None}
    return {"key": probe.key, **values}


@lru_cache(512)
def _statement(
    dialect: Dialect, shape: Shape, sides: tuple[Side, ...], *, is_first: bool = False
) -> str:
    """Return the query of one side, or of all at once.

    The first one of a walk says more, which would cost others: of each row whether it is alone
    at its time, and by a last row whether there are overrides.
    """
    more = f", {_ALONE}" if is_first else ""
    parts = [_of_side(dialect, shape, side, number, more) for number, side in enumerate(sides)]
    if not is_first:
        return parts[0]
    parts = [f"SELECT * FROM ({part}) AS side_{at}" for at, part in enumerate(parts)]
    nothing = ", NULL" * _IS_ALONE
    return " UNION ALL ".join(
        [*parts, f"SELECT {len(sides)}{nothing} FROM ({ANY_OVERRIDE}) AS forced"]
    )


def _of_side(dialect: Dialect, shape: Shape, side: Side, number: int, more: str) -> str:
    order = "DESC" if side.is_before else "ASC"
    columns = f"{number} AS side, {dialect.columns}{more}"
    text = f"SELECT {columns}{FROM} WHERE {conditions(shape, side)}"
    return dialect.with_marks(f"{text} ORDER BY k.dateobs {order} LIMIT {{wanted}}")


def conditions(shape: Shape, side: Side) -> str:
    """Return what a row of one side must be, with a ``{name}`` for each value."""
    is_then, has_start, has_end, must_be_valid, verdicts, has_created = shape
    away = "<" if side.is_before else ">"
    text = (
        f"k.match_key = {{key}} AND k.dateobs {away}{'=' if side.takes_start else ''} {{from_time}}"
    )
    if has_start and side.is_before:
        text += " AND k.dateobs >= {start}"
    if has_end and not side.is_before:
        text += " AND k.dateobs <= {end}"
    if is_then:
        return text + _THEN
    text += _NOW
    if len(verdicts) < _ALL_VERDICTS:
        text += f" AND v.verdict IN ({', '.join(repr(one) for one in verdicts)})"
    text += _VALID if must_be_valid else ""
    return text + (" AND v.created < {created_before}" if has_created else "")


_ALL_VERDICTS = 3
