"""What a repair would do, or has done: a table, text or JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any

from calrecords.selection.tabulating import html_lines, html_table
from calrecords.workflows.audit_faults import Finding
from calrecords.workflows.tables import Column, make_table

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[Column, ...] = (
    ("state", str, None),
    ("kind", str, None),
    ("name", str, None),
    ("said", str, None),
    ("found", str, None),
)
_NAMES = tuple(name for name, _, _ in _COLUMNS)


class RepairState(StrEnum):
    """What becomes of one fault."""

    PLANNED = "planned"
    DONE = "done"
    NOT_NEEDED = "not needed"
    LEFT = "left"
    FAILED = "failed"
    TRY_LATER = "try later"


@dataclass(frozen=True, slots=True)
class RepairAction:
    """One fault, and what becomes of it.

    Attributes
    ----------
    finding : Finding
        The fault.
    state : RepairState
        Whether it is to be mended, or was, or stays.
    said : str
        What is or was done, or why it stays.
    """

    finding: Finding
    state: RepairState
    said: str


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair would do, or has done.

    It shows itself as a table in a notebook, and as text where it is printed.

    Attributes
    ----------
    audit : int
        Number of the audit whose faults they are.
    share : float
        How much of what was audited is at fault, 0 to 1.
    is_applied : bool
        Whether anything was done; else it is the plan.
    actions : tuple of RepairAction
        One for each fault, in the order in which they are mended.
    """

    audit: int
    share: float
    is_applied: bool
    actions: tuple[RepairAction, ...]

    @property
    def counts(self) -> dict[RepairState, int]:
        """How many faults came to each state that there is one of."""
        found = Counter(action.state for action in self.actions)
        return {state: found[state] for state in RepairState if found[state]}

    def to_table(self) -> Table:
        """Return one row for each fault."""
        return make_table(_COLUMNS, [dict(zip(_NAMES, row, strict=True)) for row in self._rows()])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "audit": self.audit,
            "share": self.share,
            "applied": self.is_applied,
            "counts": {str(state): count for state, count in self.counts.items()},
            "actions": [
                {
                    "state": str(one.state),
                    "kind": str(one.finding.kind),
                    "name": one.finding.name,
                    "said": one.said,
                    "found": one.finding.found,
                    "what": dict(one.finding.what),
                }
                for one in self.actions
            ],
        }

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        lines = [self._head()]
        for kind, actions in groupby(self.actions, key=lambda one: one.finding.kind):
            lines += ["", f"{kind}:"]
            lines += [f"  {one.finding.name}: {one.state}: {one.said}" for one in actions]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return html_lines([self._head()]) + html_table(_NAMES, self._rows())

    def _head(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        what = "repair" if self.is_applied else "plan to repair"
        return f"{what} what audit {self.audit} found: {counts or 'nothing'}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                *(str(one.state), str(one.finding.kind), one.finding.name, one.said),
                one.finding.found,
            )
            for one in self.actions
        ]
