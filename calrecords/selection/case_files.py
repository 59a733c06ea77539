"""Cases with known answers, so that an observatory can keep a regression set for its rules.

Two forms are read. One has, by the name of a rule, candidates and targets in the words of
the rule file, with the ranked answers at two counts; the other has targets with candidates
of their own, what must be equal, and the answers that are accepted.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from calrecords.errors import InvalidTargetError, NoCalibrationError, RuleError
from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection.fields import OUR_FIELDS, canonical_value, plain_value
from calrecords.selection.questions import ask
from calrecords.selection.ranking import choose_among
from calrecords.selection.rule_sets import RuleSet
from calrecords.selection.targets import make_target
from calrecords.vocabulary import Verdict, parse_time

_FACTS = frozenset(one.name for one in fields(CalibrationFrame)) & OUR_FIELDS.keys()
_COUNTS = {"expected_default_howmany": None, "expected_howmany_25": 25}
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case ended.

    Attributes
    ----------
    name : str
        Which case.
    expected : Any
        The answers that are accepted.
    found : Any
        What the rules answer.
    passed : bool
        Whether that is one of them.
    reason : str
        Why nothing could be answered, where an error says so.
    """

    name: str
    expected: Any
    found: Any
    passed: bool
    reason: str = ""


def run_cases(rules: RuleSet, path: Path) -> Iterator[CaseResult]:
    """Yield how each case of a file ends by these rules.

    Raises
    ------
    RuleError
        If the file cannot be read, or has no case for these rules.
    """
    document = _document(path)
    try:
        results = _run(rules, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{path}: a case is not as it must be: {type(error).__name__}: {error}"
        raise RuleError(msg) from None
    if not results:
        msg = f"{path}: it has no case for the rules {rules.name}"
        raise RuleError(msg)
    yield from results


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: it cannot be read: {error.strerror}"
        raise RuleError(msg) from None
    except (ValueError, RecursionError) as error:
        msg = f"{path}: it is not JSON: {error}"
        raise RuleError(msg) from None
    if not isinstance(document, dict) or not {"rules", "cases"} & document.keys():
        msg = f"{path}: it has neither 'rules' nor 'cases', so it holds no cases"
        raise RuleError(msg)
    return document


def _run(rules: RuleSet, document: Mapping[str, Any]) -> list[CaseResult]:
    if "rules" not in document:
        return [_accepted(rules, case) for case in document["cases"]]
    known = {rule.name for rule in rules.rules}
    return [
        result
        for name, group in document["rules"].items()
        if name in known
        for result in _ranked(rules, name, group)
    ]


def _ranked(rules: RuleSet, name: str, group: Mapping[str, Any]) -> Iterator[CaseResult]:
    rule = rules.rule(name)
    frames = [frame_of(rules, one) for one in group["candidates"]]
    for number, case in enumerate(group["cases"], 1):
        given = {**case["science"], **({"types": case["types"]} if "types" in case else {})}
        for key, max_results in _COUNTS.items():
            if key not in case:
                continue
            said = "default count" if max_results is None else f"count {max_results}"
            found: Any = []
            reason = ""
            try:
                target = make_target(rules.in_our_words(given))
                chosen = choose_among(ask(rule, target, max_results=max_results), frames)
                found = [frame.frame_id for frame in chosen]
            except (InvalidTargetError, RuleError) as error:
                found, reason = None, str(error)
            expected = case[key]
            yield CaseResult(
                f"{name} case {number}, {said}", expected, found, found == expected, reason
            )


def frame_of(rules: RuleSet, mapping: Mapping[str, Any]) -> CalibrationFrame:
    """Return a candidate from a mapping in the words of a file of rules; ``id`` is its frame ID."""
    values = rules.in_our_words({key: value for key, value in mapping.items() if key != "id"})
    facts, attributes = _split(values)
    basename = str(facts.pop("basename", None) or f"{mapping.get('id', 0):012}")
    return _frame(basename, facts, attributes, frame_id=mapping.get("id"))


def _accepted(rules: RuleSet, case: Mapping[str, Any]) -> CaseResult:
    name = f"case {case['id']} ({case.get('title', '')})"
    expected = case["accept"] if "accept" in case else case.get("expected")
    accepted = expected if isinstance(expected, list) else [expected]
    found, reason = None, ""
    try:
        found = _answer(rules, case)
    except (InvalidTargetError, NoCalibrationError, RuleError) as error:
        reason = str(error)
    return CaseResult(name, accepted, found, found in accepted, reason)


def _answer(rules: RuleSet, case: Mapping[str, Any]) -> str | None:
    given = {key: _unspelled(value) for key, value in case["science"].items()}
    target = make_target(rules.in_our_words(given))
    rule = rules.rule_for(case["type"], target)
    if case.get("criteria") is not None:
        rule = rule.with_equal_fields(rules.fields.get(name, name) for name in case["criteria"])
    block_start = case["science"].get("block_start")
    before = None
    if case.get("use_only_older") and block_start is not None:
        before = parse_time(block_start)
    question = ask(rule, target, created_before=before, max_results=1)
    chosen = choose_among(question, [_of_banzai(rules, one) for one in case["candidates"]])
    return chosen[0].basename if chosen else None


def _of_banzai(rules: RuleSet, row: Mapping[str, Any]) -> CalibrationFrame:
    """Return a candidate from a row as BANZAI has it; its validity holds its last moment."""
    given = {key: _unspelled(value) for key, value in (row.get("attributes") or {}).items()}
    facts, attributes = _split(
        {
            **rules.in_our_words(given),
            "obstype": row["type"],
            "site": row["site"],
            "camera": row["camera"],
            "instrument": row.get("instrument"),
            "is_master": bool(row.get("is_master")),
            "dateobs": row.get("dateobs"),
            "created": row.get("datecreated"),
        }
    )
    until = row.get("good_until")
    after = row.get("good_after")
    return _frame(
        row["filename"],
        facts,
        attributes,
        frame_id=row.get("frameid"),
        verdict=Verdict.BAD if row.get("is_bad") else Verdict.UNKNOWN,
        good_after=None if after is None else parse_time(after),
        good_until=None if until is None else parse_time(until) + _MICROSECOND,
    )


def _unspelled(value: Any) -> Any:
    """Return what a text stands for that Python wrote of a list or of a truth."""
    if isinstance(value, str) and value in {"True", "False"}:
        return value == "True"
    if isinstance(value, str) and value[:1] in {"[", "("}:
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts and the attributes of a mapping in our words."""
    facts: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name, value in values.items():
        try:
            read = canonical_value(name, value)
        except (ValueError, TypeError):
            read = plain_value(value)
        if name in _FACTS:
            facts[name] = read
        else:
            attributes[name.removeprefix("attributes.")] = read
    return facts, attributes


def _frame(
    basename: str,
    facts: Mapping[str, Any],
    attributes: Mapping[str, Any],
    *,
    frame_id: int | None,
    **more: Any,
) -> CalibrationFrame:
    values = {
        **dict.fromkeys(_FACTS),
        **{"obstype": "", "site": "", "camera": "", "instrument": "", "is_master": False},
        **{"verdict": Verdict.UNKNOWN, "good_after": None, "good_until": None},
        **facts,
        **more,
    }
    version = FrameVersion(None, None, None, None, "", None)
    values.update(basename=basename, frame_id=frame_id, attributes=attributes, version=version)
    return CalibrationFrame(**values)
