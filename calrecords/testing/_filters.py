"""The filters of a frame list as conditions of SQL, with the archive's traps in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from calrecords.testing._answers import CrashError, RefusalError
from calrecords.testing._areas import read_shape
from calrecords.testing._frames import timestamp
from calrecords.testing._serialize import TWINS

_SMALL = timedelta(days=7)
_SMALL_OF_ONE_PROPOSAL = timedelta(weeks=9)
_TEXTS = (
    "proposal_id",
    "configuration_type",
    "instrument_id",
    "site_id",
    "telescope_id",
    "primary_optical_element",
)
_INTEGERS = ("reduction_level", "observation_id", "request_id")
_CALIBRATIONS = ("BIAS", "DARK", "SKYFLAT", "LAMPFLAT")
_NUMBER = re.compile(r"[+-]?\d{1,18}")
_TRUE = {"true": True, "false": False}

Parameters = Mapping[str, Sequence[str]]
"""The query of a request: each name with all its values."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which frames a list holds.

    Attributes
    ----------
    where : str
        Condition of SQL.
    values : tuple
        Its parameters.
    is_small : bool
        Whether the archive counts them; else it asks the planner for an estimate.
    is_everything : bool
        Whether no filter is in force.
    """

    where: str
    values: tuple[Any, ...]
    is_small: bool
    is_everything: bool


class _Conditions:
    """Conditions as they are collected, and what is wrong with the values."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self.where: list[str] = []
        self.values: list[Any] = []
        self.errors: dict[str, list[str]] = {}

    def asked(self, name: str) -> str | None:
        """Return the last value of a parameter; an empty one is no filter."""
        return (self._parameters.get(name) or [""])[-1] or None

    def add(self, condition: str, *values: Any) -> None:
        self.where.append(condition)
        self.values.extend(values)

    def compare(self, name: str, condition: str, convert: Callable[[str], Any], wrong: str) -> None:
        """Add a condition if the parameter is there, or note why its value is refused."""
        text = self.asked(name)
        if text is None:
            return
        try:
            self.add(condition, convert(text))
        except (ValueError, OverflowError):
            self.errors[name] = [wrong]


def select_frames(parameters: Parameters, *, public_only: bool, with_token: bool) -> Selection:
    """Return what a frame list selects; unknown filters are ignored, as the archive does.

    Parameters
    ----------
    parameters : mapping of str to sequence of str
        The query of the request.
    public_only : bool
        Whether the list is for nobody in particular.
    with_token : bool
        Whether a user asks; only then ``force_count`` works.

    Raises
    ------
    RefusalError
        With status 400 where a value cannot be read.
    CrashError
        Where the archive fails: one of start and end aware, the other not; a sky area that
        is none.
    """
    conditions = _Conditions(parameters)
    _add_equalities(conditions)
    _add_names(conditions)
    _add_times(conditions)
    _add_types(conditions, parameters)
    if conditions.errors:
        raise RefusalError(400, conditions.errors)
    _add_areas(conditions)
    is_everything = not conditions.where
    is_small = _is_small(conditions) or (with_token and conditions.asked("force_count") is not None)
    conditions.add(
        "observation_date IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM versions v WHERE v.frame_id = frames.id)"
    )
    if public_only:
        conditions.add("public_date <= ?", timestamp(datetime.now(UTC)))
    where = " AND ".join(conditions.where)
    return Selection(where, tuple(conditions.values), is_small, is_everything)


def _add_equalities(conditions: _Conditions) -> None:
    olds = {name: old for old, name in TWINS.items()}
    for name in _TEXTS:
        for spelling in (name, olds[name]):
            if spelling != "OBJECT":
                conditions.compare(spelling, f"{name} = ?", str, "")
    for name in _INTEGERS:
        for spelling in (name, olds[name]):
            conditions.compare(spelling, f"{name} = ?", _integer, "Enter a number.")
    for spelling in ("EXPTIME", "exposure_time"):
        conditions.compare(spelling, "exposure_time >= ?", float, "Enter a number.")


def _add_names(conditions: _Conditions) -> None:
    conditions.compare("basename_exact", "basename = ?", str, "")
    conditions.compare("target_name_exact", "target_name = ?", str, "")
    contains = "instr(lower({}), lower(?)) > 0"
    conditions.compare("basename", contains.format("basename"), str, "")
    for spelling in ("OBJECT", "target_name"):
        conditions.compare(spelling, contains.format("target_name"), str, "")
    empty = _TRUE.get((conditions.asked("empty_target_name") or "").lower())
    if empty is not None:
        conditions.add(f"target_name {'=' if empty else '<>'} ''")


def _add_times(conditions: _Conditions) -> None:
    wrong = "Enter a valid date/time."
    conditions.compare("start", "observation_date >= ?", _stored_time, wrong)
    conditions.compare("end", "observation_date <= ?", _stored_time, wrong)
    conditions.compare("DATE_OBS", "observation_date = ?", _stored_time, wrong)
    conditions.compare("L1PUBDAT", "public_date = ?", _stored_time, wrong)
    for spelling in ("DAY_OBS", "dayobs"):
        conditions.compare(spelling, "observation_day = ?", _day, "Enter a valid date.")
    public = _TRUE.get((conditions.asked("public") or "").lower())
    if public is not None:
        now = timestamp(datetime.now(UTC))
        conditions.add(f"coalesce(public_date, 'z') {'<=' if public else '>'} ?", now)


def _add_areas(conditions: _Conditions) -> None:
    for name in ("covers", "intersects"):
        text = conditions.asked(name)
        if text is None:
            continue
        try:
            read_shape(text)
        except ValueError:
            raise CrashError from None
        conditions.add(f"area IS NOT NULL AND area_{name}(area, ?)", text)


def _add_types(conditions: _Conditions, parameters: Parameters) -> None:
    included = [value for value in parameters.get("include_configuration_type", ()) if value]
    excluded = [
        value
        for name in ("exclude_OBSTYPE", "exclude_configuration_type")
        for value in parameters.get(name, ())
        if value
    ]
    if _TRUE.get((conditions.asked("exclude_calibrations") or "").lower()):
        excluded.extend(_CALIBRATIONS)
    for types, word in ((included, "IN"), (excluded, "NOT IN")):
        if types:
            conditions.add(f"configuration_type {word} ({', '.join('?' * len(types))})", *types)


def _is_small(conditions: _Conditions) -> bool:
    if any(conditions.asked(name) for name in ("basename_exact", "request_id", "observation_id")):
        return True
    start, end = conditions.asked("start"), conditions.asked("end")
    if start is None or end is None:
        return False
    first, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    if (first.tzinfo is None) != (last.tzinfo is None):
        raise CrashError
    narrow = conditions.asked("proposal_id") or conditions.asked("target_name_exact")
    return last - first <= (_SMALL_OF_ONE_PROPOSAL if narrow else _SMALL)


def _integer(text: str) -> int:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError(text)
    return int(text)


def _stored_time(text: str) -> str:
    moment = datetime.fromisoformat(text)
    return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _day(text: str) -> str:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(text)
    return date.fromisoformat(text).isoformat()
