"""Every calibration that a target's rules ask for: which are there, stale or missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from calrecords.errors import NoCalibrationError, RuleError
from calrecords.selection import Requirement, Selection, Target
from calrecords.selection.tabulating import (
    age_text,
    html_lines,
    html_table,
    text_table,
    time_text,
)
from calrecords.selection.windows import days_text
from calrecords.workflows.choosing import past
from calrecords.workflows.explaining import Explaining
from calrecords.workflows.tables import Column, make_table

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[Column, ...] = (
    ("caltype", str, None),
    ("requirement", str, None),
    ("state", str, None),
    ("filename", str, None),
    ("frame_id", int, None),
    ("age", float, "d"),
    ("limit", float, "d"),
    ("verdict", str, None),
    ("reason", str, None),
)
_SHOWN = ("caltype", "requirement", "state", "filename", "age", "verdict", "reason")
_DAY = timedelta(days=1)


class CalibrationState(StrEnum):
    """What became of a calibration that is asked for."""

    OK = "OK"
    STALE = "stale"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedCalibration:
    """One type of calibration that a target's rules ask for.

    Attributes
    ----------
    caltype : str
        Which type.
    requirement : Requirement
        Whether the target cannot do without.
    state : CalibrationState
        What became of it.
    selection : Selection or None
        What was chosen; None where it is missing.
    limit : timedelta or None
        How far away in time it may be before it is stale; None is any distance.
    reason : str
        Why it is stale, missing or forced; else empty.
    """

    caltype: str
    requirement: Requirement
    state: CalibrationState
    selection: Selection | None = None
    limit: timedelta | None = None
    reason: str = ""

    @property
    def age(self) -> timedelta | None:
        """Its dateobs less the target's; negative when it is from before."""
        return None if self.selection is None else self.selection.age

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values; ages are seconds."""
        frame = None if self.selection is None else self.selection.frame
        return {
            "caltype": self.caltype,
            "requirement": self.requirement.value,
            "state": self.state.value,
            "filename": None if frame is None else frame.filename,
            "frame_id": None if frame is None else frame.frame_id,
            "age_s": None if self.age is None else self.age.total_seconds(),
            "limit_s": None if self.limit is None else self.limit.total_seconds(),
            "verdict": None if frame is None else frame.verdict.value,
            "rule": None if self.selection is None else self.selection.rule.name,
            "override": None if self.selection is None else self.selection.override,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CalibrationSet:
    """Every calibration that a target's rules ask for.

    It shows itself as a table in a notebook, and as text elsewhere.

    Attributes
    ----------
    target : Target
        For what.
    rows : tuple of AskedCalibration
        One for each type, in the order of the rules.
    as_of : datetime
        What was known at this moment counts, UTC.
    """

    target: Target
    rows: tuple[AskedCalibration, ...]
    as_of: datetime

    @property
    def is_complete(self) -> bool:
        """Whether none is missing that is required; a stale one is there."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The types that are required, and missing."""
        return tuple(
            row.caltype
            for row in self.rows
            if row.state is CalibrationState.MISSING and row.requirement is Requirement.REQUIRED
        )

    def __iter__(self) -> Iterator[AskedCalibration]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_table(self) -> Table:
        """Return one row for each type of calibration; ages and limits in days."""
        return make_table(_COLUMNS, [_cells(row) for row in self.rows])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values; times are ISO 8601 text in UTC, ages seconds."""
        return {
            "target": self.target.basename,
            "dateobs": time_text(self.target.dateobs),
            "as_of": time_text(self.as_of),
            "is_complete": self.is_complete,
            "missing": list(self.missing),
            "calibrations": [row.to_dict() for row in self.rows],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        return "\n".join([self._head(), "", *text_table(_SHOWN, self._shown())])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html_lines([self._head()]) + html_table(_SHOWN, self._shown())

    def _head(self) -> str:
        name = self.target.basename or f"a target of {time_text(self.target.dateobs)}"
        said = "complete" if self.is_complete else f"missing {', '.join(self.missing)}"
        return f"calibrations for {name}: {said}"

    def _shown(self) -> list[list[Any]]:
        return [[{**_cells(row), "age": row.age}[name] for name in _SHOWN] for row in self.rows]


class CalibrationSets(Explaining):
    """The verb that gives all that a target needs."""

    def calibrations_for(self, target: Any, *, as_of: Any = None) -> CalibrationSet:
        """Return every calibration that a target's rules require or permit.

        Parameters
        ----------
        target : path, Header, mapping, DataFile, CalibrationFrame or str
            The frame that needs them; see `best`.
        as_of : time, optional
            What was known at this moment counts, UTC; by default what is known now.

        Returns
        -------
        CalibrationSet
            One row for each type: OK, stale (there, but farther away in time than the rule's
            ``stale_after``), or missing, with the reason.

        Raises
        ------
        InvalidTargetError
            If the target is not described well enough.
        ConfigurationError
            If `as_of` is no time, or in the future.
        """
        described = self._target(target)
        then = past(as_of)
        began = datetime.now(UTC)
        rows = tuple(
            self._asked_calibration(described, caltype, requirement, then)
            for caltype, requirement in self.rules.caltypes_for(described).items()
        )
        return CalibrationSet(target=described, rows=rows, as_of=then or began)

    def _asked_calibration(
        self, target: Target, caltype: str, requirement: Requirement, as_of: datetime | None
    ) -> AskedCalibration:
        """Return what became of one type; a rule that fails for it takes no other with it."""
        try:
            selection = self.best(target, caltype, as_of=as_of)
        except NoCalibrationError as error:
            reason = self.explain(error).reason
        except RuleError as error:
            reason = str(error)
        else:
            return _found(caltype, requirement, selection)
        return AskedCalibration(
            caltype=caltype,
            requirement=requirement,
            state=CalibrationState.MISSING,
            reason=reason,
        )


def _found(caltype: str, requirement: Requirement, selection: Selection) -> AskedCalibration:
    limit, age = selection.rule.stale_after, selection.age
    state, reasons = CalibrationState.OK, []
    if limit is not None and age is not None and abs(age) > limit:
        state = CalibrationState.STALE
        reasons.append(f"{age_text(age)} away, and stale after {days_text(limit)}")
    if selection.override is not None:
        reasons.append(f"forced by an override: {selection.override or 'no reason given'}")
    return AskedCalibration(
        caltype=caltype,
        requirement=requirement,
        state=state,
        selection=selection,
        limit=limit,
        reason="; ".join(reasons),
    )


def _cells(row: AskedCalibration) -> dict[str, Any]:
    plain = row.to_dict()
    return {
        **{name: plain[name] for name, _, _ in _COLUMNS if name in plain},
        "age": None if row.age is None else row.age / _DAY,
        "limit": None if row.limit is None else row.limit / _DAY,
    }
