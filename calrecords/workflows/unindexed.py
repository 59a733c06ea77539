"""Candidates for rules that the records are not indexed by: read whole, and ordered in memory.

To index them by other rules would write, and make others wait. Frames are read by observation
type and instrument, those of a few at a time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from heapq import merge
from itertools import takewhile
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.matching import MatchSet, Probe, canonical_text
from calrecords.records import RecordDatabase
from calrecords.records.probing import Side, passes, sides_of
from calrecords.records.rejections import FrameGroup, opened_population
from calrecords.selection import Question
from calrecords.selection.explaining import OF_GROUPS
from calrecords.selection.fields import value_of

_Place = tuple[FrameGroup, ...]
"""The groups that hold every candidate of a question."""


class UnindexedCandidates:
    """The candidates of one records database, for rules that it is not indexed by.

    Questions are best asked in their `order`, since only the frames of a few groups are in
    memory at a time.

    Parameters
    ----------
    database : RecordDatabase
        Where they are recorded.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database
        self._places: dict[tuple[MatchSet, bytes], _Place] = {}
        self._loaded: tuple[_Place, frozenset[bool]] | None = None
        self._frames: list[CalibrationFrame] = []
        self._by_key: dict[MatchSet, dict[bytes, _Timeline]] = {}

    def order(self, question: Question) -> Any:
        """Return what questions are sorted by, so that those of one place follow each other."""
        place = self._place(question)
        return [(group.obstype, group.instrument_id) for group in place], sorted(_kinds(question))

    def _place(self, question: Question) -> _Place:
        named = (question.rule.plan.match_set, question.probe.key)
        if named not in self._places:
            wanted = _wanted(question)
            self._places[named] = tuple(one for one in self._groups if _is_in(one, wanted))
        return self._places[named]

    def candidates(self, question: Question) -> Iterator[CalibrationFrame]:
        """Yield what the probe of a question asks for, outward in time.

        The order is that of `records.probing.candidates`.
        """
        match_set, probe = question.rule.plan.match_set, question.probe
        self._load(self._place(question), _kinds(question))
        if match_set not in self._by_key:
            self._by_key[match_set] = _timelines(match_set, self._frames)
        timeline = self._by_key[match_set].get(probe.key)
        if timeline is None:
            return iter(())
        walks = [timeline.walk(side, probe) for side in sides_of(probe)]
        outward = merge(*walks, key=lambda frame: abs(_time(frame) - probe.dateobs))
        return (frame for frame in outward if passes(frame, probe))

    @cached_property
    def _groups(self) -> list[FrameGroup]:
        with opened_population(self._database) as population:
            return population.groups()

    def _load(self, place: _Place, kinds: frozenset[bool]) -> None:
        if self._loaded == (place, kinds):
            return
        self._frames, self._by_key = [], {}
        with opened_population(self._database) as population:
            read = population.read(place, kinds)
            self._frames = [frame for frame in read if frame.dateobs is not None]
        self._loaded = (place, kinds)


class _Timeline:
    """Frames of one match key, in the order of their times, seen from either end."""

    def __init__(self, frames: list[CalibrationFrame]) -> None:
        frames.sort(key=lambda frame: frame.basename)
        frames.sort(key=lambda frame: (frame.created is not None, frame.created), reverse=True)
        self._later = sorted(frames, key=_time)
        self._earlier = sorted(frames, key=_time, reverse=True)
        self._times = [_time(frame) for frame in self._later]

    def walk(self, side: Side, probe: Probe) -> Iterator[CalibrationFrame]:
        """Yield the frames on one side of a probe's time, within its window, outward."""
        cut = bisect_right if side.is_before is side.takes_start else bisect_left
        at, count = cut(self._times, probe.dateobs), len(self._times)
        if side.is_before:
            walk = (self._earlier[n] for n in range(count - at, count))
            yield from takewhile(lambda one: probe.start is None or probe.start <= _time(one), walk)
        else:
            walk = (self._later[n] for n in range(at, count))
            yield from takewhile(lambda one: probe.end is None or _time(one) <= probe.end, walk)


def _timelines(match_set: MatchSet, frames: Collection[CalibrationFrame]) -> dict[bytes, _Timeline]:
    by_key: dict[bytes, list[CalibrationFrame]] = {}
    for frame in frames:
        if match_set.obstype in {"", frame.obstype}:
            key = match_set.key({name: value_of(frame, name) for name in match_set.fields})
            by_key.setdefault(key, []).append(frame)
    return {key: _Timeline(same) for key, same in by_key.items()}


def _wanted(question: Question) -> Mapping[str, Any]:
    """Return what candidates must have in the fields that the key of a question is made of."""
    plan, values = question.rule.plan, question.target.values
    return {**plan.constants, **{name: values.get(source) for name, source, _ in plan.sources}}


def _is_in(group: FrameGroup, wanted: Mapping[str, Any]) -> bool:
    return all(
        canonical_text(getattr(group, name)) == canonical_text(wanted[name])
        for name in OF_GROUPS
        if name in wanted
    )


def _kinds(question: Question) -> frozenset[bool]:
    """Return whether masters, individual calibrations or both are candidates."""
    wanted = _wanted(question).get("is_master")
    return frozenset({wanted} if isinstance(wanted, bool) else {True, False})


def _time(frame: CalibrationFrame) -> datetime:
    assert frame.dateobs is not None
    return frame.dateobs
