"""Executing many probes at once: for each the nearest candidate, by a few queries for all.

A query walks the index for each probe on both sides, and gives the nearest times alone; what
was taken at those times is read by another, once for all probes that share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from calrecords.frames import CalibrationFrame
from calrecords.matching import Probe
from calrecords.records.candidate_rows import (
    BRIEF_COLUMNS,
    DATEOBS,
    BriefFrame,
    Dialect,
    read_brief,
    read_candidate,
)
from calrecords.records.probing import (
    FROM,
    Execute,
    Shape,
    Side,
    conditions,
    outward,
    passes,
    shape_of,
    sides_of,
)

PROBES_AT_ONCE = 100
"""Probes in one query; SQLite needs ever longer to read a statement with more."""

_Place = tuple[bytes, Any]
"""A match key, and a dateobs as the database has it."""

_F = TypeVar("_F", CalibrationFrame, BriefFrame)
_FROM_FRAMES = """
FROM selection_index AS k
JOIN frame_versions AS v ON v.id = k.version_id
JOIN calibration_frames AS f ON f.id = v.calibration_frame_id"""
_TYPES = {"number": "bigint", "key": "bytea"}


def nearest(
    execute: Execute, dialect: Dialect, probes: Sequence[Probe]
) -> list[CalibrationFrame | None]:
    """Return for each probe the first candidate outward in time; None where there is none.

    `nearest_briefly` says the same with less of each, and faster.

    Parameters
    ----------
    execute : callable
        Runs a statement with values by position, and returns its rows.
    dialect : Dialect
        How the database is spoken to.
    probes : sequence of Probe
        What is asked; none of them as of a moment.
    """
    return _nearest(execute, dialect, probes, read_candidate, dialect.columns, FROM)


def nearest_briefly(
    execute: Execute, dialect: Dialect, probes: Sequence[Probe]
) -> list[BriefFrame | None]:
    """Return for each probe what of the first candidate says which one it is; see `nearest`."""
    return _nearest(execute, dialect, probes, read_brief, BRIEF_COLUMNS, _FROM_FRAMES)


def _nearest(
    execute: Execute,
    dialect: Dialect,
    probes: Sequence[Probe],
    read: Callable[[Sequence[Any], Dialect], _F],
    columns: str,
    tables: str,
) -> list[_F | None]:
    places: list[_Place | None] = [None] * len(probes)
    keys = [probe.key for probe in probes]
    alike: dict[tuple[Shape, tuple[Side, ...]], list[int]] = {}
    for number, probe in enumerate(probes):
        alike.setdefault((shape_of(probe), tuple(sides_of(probe))), []).append(number)
    for (shape, sides), numbers in alike.items():
        numbers.sort(key=keys.__getitem__)  # neighbours are on the same pages of the file
        for some in _parts(numbers):
            _find_places(execute, dialect, shape, sides, probes, some, places)
    wanted = sorted({place for place in places if place is not None})
    taken = _taken_at(execute, dialect, wanted, read, (columns, tables))
    return [
        None if place is None else _first(taken[place], probe)
        for place, probe in zip(places, probes, strict=True)
    ]


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[at : at + PROBES_AT_ONCE] for at in range(0, len(items), PROBES_AT_ONCE))


def _find_places(
    execute: Execute,
    dialect: Dialect,
    shape: Shape,
    sides: tuple[Side, ...],
    probes: Sequence[Probe],
    numbers: Sequence[int],
    places: list[_Place | None],
) -> None:
    """Write down where the nearest candidate of each of these probes is."""
    names = _names(shape)
    rows = [(number, *_values(dialect, names, probes[number])) for number in numbers]
    text = _nearest_statement(dialect, shape, sides, 0 if not dialect.is_sqlite else len(rows))
    for number, *times in execute(text, _given(dialect, rows)):
        probe = probes[number]
        found = [time for time in times if time is not None]
        if len(found) > 1:
            before, after = (abs(dialect.time(time) - probe.dateobs) for time in found)
            found = found[:1] if before <= after else found[1:]
        if found:
            places[number] = (probe.key, found[0])


def _names(shape: Shape) -> tuple[str, ...]:
    """Return what of a probe a query is given, beside its number."""
    _, has_start, has_end, _, _, has_created = shape
    optional = (("start", has_start), ("end", has_end), ("created_before", has_created))
    return ("key", "from_time", *(name for name, is_there in optional if is_there))


def _values(dialect: Dialect, names: tuple[str, ...], probe: Probe) -> Iterator[Any]:
    yield probe.key
    yield dialect.as_given(probe.dateobs)
    for name in names[2:]:
        yield dialect.as_given(getattr(probe, name))


def _given(dialect: Dialect, rows: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Return rows as the driver is given them: one after the other, or a list for each column."""
    if dialect.is_sqlite:
        return [value for row in rows for value in row]
    return [list(column) for column in zip(*rows, strict=True)]


@lru_cache(64)
def _nearest_statement(dialect: Dialect, shape: Shape, sides: tuple[Side, ...], count: int) -> str:
    names = ("number", *_names(shape))
    found = ", ".join(_nearest_on(shape, side) for side in sides)
    return f"{_table(dialect, names, count)} SELECT t.number, {found} FROM t"


def _table(dialect: Dialect, names: tuple[str, ...], count: int) -> str:
    """Return the beginning of a statement that has given rows as the table t."""
    columns = ", ".join(f'"{name}"' for name in names)
    if dialect.is_sqlite:
        row = f"({', '.join('?' * len(names))})"
        return f"WITH t({columns}) AS (VALUES {', '.join([row] * count)})"
    lists = ", ".join(f"%s::{_TYPES.get(name, 'timestamptz')}[]" for name in names)
    return f"WITH t AS (SELECT * FROM unnest({lists}) AS given({columns}))"


def _nearest_on(shape: Shape, side: Side) -> str:
    where = conditions(shape, side)
    for name in ("key", "from_time", "start", "end", "created_before"):
        where = where.replace(f"{{{name}}}", f't."{name}"')
    where = where.replace("{valid_at}", "t.from_time")
    order = "DESC" if side.is_before else "ASC"
    return (
        "(SELECT k.dateobs FROM selection_index AS k"
        " JOIN frame_versions AS v ON v.id = k.version_id"
        f" WHERE {where} ORDER BY k.dateobs {order} LIMIT 1)"
    )


def _taken_at(
    execute: Execute,
    dialect: Dialect,
    places: Sequence[_Place],
    read: Callable[[Sequence[Any], Dialect], _F],
    of: tuple[str, str],
) -> dict[_Place, list[_F]]:
    """Return what was taken at each place and is current, whatever else it is."""
    found: dict[_Place, list[_F]] = {}
    for some in _parts(places):
        count = len(some) if dialect.is_sqlite else 0
        for row in execute(_taken_statement(dialect, count, *of), _given(dialect, some)):
            place = (bytes(row[-1]), row[DATEOBS])
            found.setdefault(place, []).append(read(row, dialect))
    return found


@lru_cache(64)
def _taken_statement(dialect: Dialect, count: int, columns: str, tables: str) -> str:
    joined = tables.replace(
        "FROM selection_index AS k",
        "FROM t JOIN selection_index AS k ON k.match_key = t.key AND k.dateobs = t.from_time",
    )
    return (
        f"{_table(dialect, ('key', 'from_time'), count)} SELECT 0, {columns}, t.key"
        f" {joined} WHERE k.known_until IS NULL"
    )


def _first(frames: list[_F], probe: Probe) -> _F:
    if len(frames) == 1:
        return frames[0]
    return outward([frame for frame in frames if passes(frame, probe)], probe.dateobs)[0]
