"""Cases with candidates of their own, what must be equal, and the answers that are accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from calrecords.errors import InvalidTargetError, NoCalibrationError, RuleError
from calrecords.frames import CalibrationFrame
from calrecords.selection.case_frames import banzai_frame, unspelled
from calrecords.selection.case_results import CaseResult
from calrecords.selection.fields import OUR_FIELDS
from calrecords.selection.places import Place
from calrecords.selection.questions import ask
from calrecords.selection.ranking import choose_among
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.rules import Rule
from calrecords.selection.spelling import near_names
from calrecords.selection.targets import make_target
from calrecords.vocabulary import parse_time

_NEEDED = ("type", "science", "candidates")
_READ = (*_NEEDED, "criteria", "use_only_older", "accept", "expected")
_OF_CANDIDATES = ("filename", "type", "site", "camera")


def run_accepted(rules: RuleSet, given: Any, place: Place) -> Iterator[CaseResult]:
    """Yield how each case ends.

    Raises
    ------
    RuleError
        If a case is not as it must be.
    """
    cases = place.at("cases").demand(given, list, "a list of objects")
    for number, case in enumerate(cases, 1):
        name = case.get("id", number) if isinstance(case, dict) else number
        at = place.at(f"case {name}")
        _demand_case(case, at)
        yield _result(rules, case, f"case {name} ({case.get('title') or ''})", at)


def _demand_case(case: Any, place: Place) -> None:
    """Check that what is read of a case is there, and is of its type."""
    place.demand(case, dict, "an object with type, science, candidates and accept")
    for key in case.keys() - set(_READ):
        hint = near_names(key, [one for one in _READ if one not in case])
        if hint:
            msg = f"there is no {key!r}{hint}"
            raise place.error(msg)
    for key in _NEEDED:
        if key not in case:
            msg = f"{key!r} is missing; add it"
            raise place.error(msg)
    if not {"accept", "expected"} & case.keys():
        msg = "it has no known answer; write accept, a list of file names, null for none"
        raise place.error(msg)
    if case.get("accept") == []:
        msg = "accept is empty, so that no answer is right; [null] is that there is none"
        raise place.error(msg)
    place.at("type").demand(case["type"], str, "a calibration type in quotes")
    place.at("science").demand(case["science"], dict, "an object, the target")
    if case.get("criteria") is not None:
        at = place.at("criteria")
        for name in at.demand(case["criteria"], list, "a list of fields that must be equal"):
            at.demand(name, str, "the name of a field in quotes")
    older = case.get("use_only_older")
    place.at("use_only_older").demand(
        bool(older) if older is None else older, bool, "true or false"
    )
    for number, one in enumerate(place.at("candidates").demand(case["candidates"], list, "a list")):
        at = place.at(f"candidate {number + 1}")
        at.demand(one, dict, "an object")
        for key in _OF_CANDIDATES:
            if key not in one:
                msg = f"{key!r} is missing; add it"
                raise at.error(msg)
        at.at("attributes").demand(one.get("attributes") or {}, dict, "an object")


def _result(rules: RuleSet, case: Mapping[str, Any], name: str, place: Place) -> CaseResult:
    expected = case["accept"] if "accept" in case else case["expected"]
    accepted = expected if isinstance(expected, list) else [expected]
    frames = [
        place.at(f"candidate {number}").attempt(banzai_frame, rules, row)
        for number, row in enumerate(case["candidates"], 1)
    ]
    found, reason = None, ""
    try:
        found = _answer(rules, case, frames)
    except (InvalidTargetError, NoCalibrationError, RuleError) as error:
        reason = str(error)
    return CaseResult(name, accepted, found, found in accepted, reason)


def _answer(
    rules: RuleSet, case: Mapping[str, Any], frames: Sequence[CalibrationFrame]
) -> str | None:
    target = make_target(rules.in_our_words(unspelled(case["science"])))
    rule = _with_criteria(rules, rules.rule_for(case["type"], target), case)
    question = ask(rule, target, created_before=_block_start(case), max_results=1)
    chosen = choose_among(question, frames)
    return chosen[0].basename if chosen else None


def _with_criteria(rules: RuleSet, rule: Rule, case: Mapping[str, Any]) -> Rule:
    """Return the rule with what a case says must be equal, if it says so.

    Raises
    ------
    RuleError
        If it names a field that nothing in the case has.
    """
    if case.get("criteria") is None:
        return rule
    known = {*OUR_FIELDS, *rules.fields, *(term.field for term in rule.terms), *case["science"]}
    for row in case["candidates"]:
        known.update(row.get("attributes") or {})
    for name in case["criteria"]:
        if name not in known:
            hint = near_names(name, sorted(known))
            msg = f"criteria: nothing has a field {name!r}{hint}"
            raise RuleError(msg)
    return rule.with_equal_fields(rules.fields.get(name, name) for name in case["criteria"])


def _block_start(case: Mapping[str, Any]) -> datetime | None:
    """Return the moment before which candidates must have been made, if a case asks for it.

    Raises
    ------
    RuleError
        If it is no time.
    """
    given = case["science"].get("block_start")
    if not case.get("use_only_older") or given is None:
        return None
    try:
        return parse_time(given)
    except ValueError as error:
        msg = f"block_start: {error}"
        raise RuleError(msg) from None
