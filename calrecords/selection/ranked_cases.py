"""Cases of a rule: its candidates, and for each target which are chosen, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from calrecords.errors import InvalidTargetError, RuleError
from calrecords.frames import CalibrationFrame
from calrecords.selection.case_frames import frame_of
from calrecords.selection.case_results import CaseResult
from calrecords.selection.places import Place
from calrecords.selection.questions import ask
from calrecords.selection.ranking import choose_among
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.targets import make_target

_COUNT = re.compile(r"expected_(?:default_howmany|howmany_([1-9]\d{0,5}))")
_ANSWERS = "'expected_default_howmany', or 'expected_howmany_N' of N results"


def run_ranked(rules: RuleSet, given: Any, place: Place) -> Iterator[CaseResult]:
    """Yield how the cases of each rule end; of a rule that there is not, that they failed.

    Raises
    ------
    RuleError
        If a case is not as it must be, or none is for these rules.
    """
    at = place.at("rules")
    groups = at.demand(given, dict, "an object with cases by the name of their rule")
    known = {rule.name for rule in rules.rules}
    if groups and not groups.keys() & known:
        msg = f"it has no case for the rules {rules.name}, but for {', '.join(groups)}"
        raise place.error(msg)
    for name, group in groups.items():
        yield from _of_rule(rules, name, group, place.at(f"rule {name}"))


def _of_rule(rules: RuleSet, name: str, group: Any, place: Place) -> Iterator[CaseResult]:
    place.demand(group, dict, "an object with candidates and cases")
    for key in ("candidates", "cases"):
        place.at(key).demand(group.get(key), list, "a list of objects")
    frames = []
    for number, one in enumerate(group["candidates"], 1):
        at = place.at(f"candidate {number}")
        frames.append(at.attempt(frame_of, rules, at.demand(one, dict, "an object")))
    for number, case in enumerate(group["cases"], 1):
        at = place.at(f"case {number}")
        at.demand(case, dict, "an object with science and answers")
        at.at("science").demand(case.get("science"), dict, "an object, the target")
        for key, expected in _answers(case, at):
            yield _result(rules, name, number, key, case, expected, frames)


def _answers(case: Mapping[str, Any], place: Place) -> list[tuple[str, list[Any]]]:
    """Return the known answers of a case by their key; null is the answer that nothing is."""
    answers = []
    for key, expected in case.items():
        if not key.startswith("expected"):
            continue
        if _COUNT.fullmatch(key) is None:
            msg = f"there is no {key!r}; write {_ANSWERS}"
            raise place.error(msg)
        wanted = [] if expected is None else expected
        answers.append((key, place.at(key).demand(wanted, list, "a list of frame IDs")))
    if not answers:
        msg = f"it has no known answer; write {_ANSWERS}"
        raise place.error(msg)
    return answers


def _result(
    rules: RuleSet,
    name: str,
    number: int,
    key: str,
    case: Mapping[str, Any],
    expected: list[Any],
    frames: Sequence[CalibrationFrame],
) -> CaseResult:
    match = _COUNT.fullmatch(key)
    max_results = None if match is None or match[1] is None else int(match[1])
    said = "default count" if max_results is None else f"count {max_results}"
    given = {**case["science"], **({"types": case["types"]} if "types" in case else {})}
    found: list[Any] | None = None
    reason = ""
    try:
        target = make_target(rules.in_our_words(given))
        chosen = choose_among(ask(rules.rule(name), target, max_results=max_results), frames)
        found = [frame.frame_id for frame in chosen]
    except (InvalidTargetError, RuleError) as error:
        reason = str(error)
    return CaseResult(f"{name} case {number}, {said}", expected, found, found == expected, reason)
