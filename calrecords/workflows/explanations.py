"""What `explain` gives: the reasons of a choice, as a table, HTML, text or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from calrecords.selection.reasons import Elimination, NearMiss
from calrecords.selection.tabulating import html_lines, html_table, text_table, time_text
from calrecords.selection.targets import Target
from calrecords.workflows.tables import Column, make_table

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[Column, ...] = (
    ("test", str, None),
    ("allowed", str, None),
    ("tested", int, None),
    ("removed", int, None),
    ("left", int, None),
    ("known", str, None),
)
_NEAREST: tuple[Column, ...] = (
    ("filename", str, None),
    ("age", float, "d"),
    ("test", str, None),
    ("actual", str, None),
    ("allowed", str, None),
)
_NEAREST_NAMES = tuple(name for name, _, _ in _NEAREST)
_A_DAY_S = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Explanation:
    """Why a calibration was chosen, or none, over the whole database.

    It shows itself as a table in a notebook, and as text elsewhere.

    Attributes
    ----------
    caltype : str
        What was looked for.
    target : Target
        For what.
    rule, rule_version : str
        By which rule.
    rows : tuple of Elimination
        What each test removed: each is made on what the tests before left.
    nearest : tuple of NearMiss
        The candidates that fail the fewest tests, then nearest in time first; of the right type
        and camera as long as there are any.
    total : int
        How many frames are recorded.
    passed : int
        How many pass every test.
    wanted : int
        How many the rule wants at least.
    chosen : str or None
        File name of what was chosen.
    override : str or None
        Why somebody forced it, where an override chose it and not the rule.
    never : str or None
        Why nothing can be chosen for this target, whatever is recorded.
    as_of : datetime or None
        What was known at this moment counts, UTC; None is what is known now.
    created_before : datetime or None
        Candidates must have been made strictly before, UTC.
    include_bad : bool
        Whether candidates that were called bad are taken too.
    """

    caltype: str
    target: Target
    rule: str
    rule_version: str
    rows: tuple[Elimination, ...]
    nearest: tuple[NearMiss, ...]
    total: int
    passed: int
    wanted: int = 1
    chosen: str | None = None
    override: str | None = None
    never: str | None = None
    as_of: datetime | None = None
    created_before: datetime | None = None
    include_bad: bool = False

    @property
    def reason(self) -> str:
        """Why the rule chose something or nothing, in one sentence."""
        if self.never is not None:
            return self.never
        if not self.total:
            return "no frame is recorded"
        if self.passed >= self.wanted:
            return f"{self.passed} of {self.total} recorded frames pass every test"
        if self.passed:
            return f"only {self.passed} pass every test, and the rule wants {self.wanted}"
        last = next(row for row in self.rows if row.tested and not row.left)
        which = "1 frame" if last.tested == 1 else f"{last.tested} frames"
        known = f"; there is {', '.join(last.known)}" if last.known else ""
        return f"{last.name}: none of the {which} left has {last.allowed}{known}"

    def to_table(self) -> Table:
        """Return one row for each test: what it allows, was given, removed and left."""
        rows = [
            dict(zip([name for name, _, _ in _COLUMNS], row, strict=True)) for row in self._rows
        ]
        return make_table(_COLUMNS, rows)

    def nearest_table(self) -> Table:
        """Return one row for each test that a nearest miss fails, with its actual value."""
        rows = []
        for miss in self.nearest:
            age = None if miss.age is None else miss.age.total_seconds() / _A_DAY_S
            for one in miss.failed:
                values = (miss.frame.filename, age, one.name, one.actual, one.allowed)
                rows.append(dict(zip(_NEAREST_NAMES, values, strict=True)))
        return make_table(_NEAREST, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values; times are ISO 8601 text in UTC, ages seconds."""
        return {
            "caltype": self.caltype,
            "target": self.target.basename,
            "dateobs": time_text(self.target.dateobs),
            "rule": self.rule,
            "rule_version": self.rule_version,
            "as_of": time_text(self.as_of),
            "created_before": time_text(self.created_before),
            "include_bad": self.include_bad,
            "chosen": self.chosen,
            "override": self.override,
            "never": self.never,
            "reason": self.reason,
            "total": self.total,
            "passed": self.passed,
            "wanted": self.wanted,
            "tests": [_plain_row(row) for row in self.rows],
            "nearest": [_plain_miss(miss) for miss in self.nearest],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        lines = [*self._head(), "", *text_table([name for name, _, _ in _COLUMNS], self._rows)]
        if self.nearest:
            lines += ["", "nearest misses:", *text_table(_NEAREST_NAMES, self._misses())]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        columns = [name for name, _, _ in _COLUMNS]
        parts = [html_lines(self._head()), html_table(columns, self._rows)]
        if self.nearest:
            parts += [html_lines(["nearest misses:"]), html_table(_NEAREST_NAMES, self._misses())]
        return "".join(parts)

    @property
    def _rows(self) -> list[tuple[Any, ...]]:
        return [
            (row.name, row.allowed, row.tested, row.removed, row.left, ", ".join(row.known))
            for row in self.rows
        ]

    def _misses(self) -> list[tuple[Any, ...]]:
        return [
            (
                *(("", "") if at else (miss.frame.filename, miss.age)),
                *(one.name, one.actual or "no value", one.allowed),
            )
            for miss in self.nearest
            for at, one in enumerate(miss.failed)
        ]

    def _head(self) -> list[str]:
        name = self.target.basename or f"a target of {time_text(self.target.dateobs)}"
        lines = [f"{self.caltype} for {name}: {self.chosen or 'none'}"]
        if self.override is not None:
            lines.append(f"forced by an override: {self.override or 'no reason given'}")
        conditions = [
            f"rule {self.rule} (version {self.rule_version})",
            *(() if self.as_of is None else (f"as known at {time_text(self.as_of)}",)),
            *(
                ()
                if self.created_before is None
                else (f"made before {time_text(self.created_before)}",)
            ),
            *(("bad ones too",) if self.include_bad else ()),
        ]
        return [*lines, f"{', '.join(conditions)}: {self.reason}"]


def _plain_row(row: Elimination) -> dict[str, Any]:
    return {
        "test": row.name,
        "field": row.field,
        "allowed": row.allowed,
        "tested": row.tested,
        "removed": row.removed,
        "left": row.left,
        "known": list(row.known),
    }


def _plain_miss(miss: NearMiss) -> dict[str, Any]:
    return {
        "filename": miss.frame.filename,
        "frame_id": miss.frame.frame_id,
        "dateobs": time_text(miss.frame.dateobs),
        "age_s": None if miss.age is None else miss.age.total_seconds(),
        "failed": [
            {
                "test": one.name,
                "field": one.field,
                "actual": one.actual or None,
                "allowed": one.allowed,
            }
            for one in miss.failed
        ],
    }
