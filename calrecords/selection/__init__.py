"""Which calibration for this frame: rules as data, ranking, and reasons.

Rules are read from TOML, and asked for a target; the question is a probe that the records
answer, and the tests that are left, by which candidates are ranked. Nothing here opens a
database, looks at a clock, or remembers anything, so that the same records, rules and target
give the same answer everywhere.
"""

from __future__ import annotations

from calrecords.selection.bound_tests import BoundTest
from calrecords.selection.questions import Question, ask
from calrecords.selection.ranking import choose_among, rank
from calrecords.selection.rule_files import load_rules, shipped_rules
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import Requirement, Rule
from calrecords.selection.selections import Selection, make_selection
from calrecords.selection.targets import Target, make_target
from calrecords.selection.windows import Direction

__all__ = [
    "BoundTest",
    "Direction",
    "Question",
    "Requirement",
    "Rule",
    "RuleSet",
    "Selection",
    "Target",
    "ask",
    "choose_among",
    "load_rules",
    "make_selection",
    "make_target",
    "rank",
    "shipped_rules",
]
