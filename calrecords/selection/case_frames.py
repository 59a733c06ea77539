"""Candidates and targets of cases, as the two forms of case files write them."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection.fields import OUR_FIELDS, Kind, canonical_value, plain_value
from calrecords.selection.rule_sets import RuleSet
from calrecords.vocabulary import Verdict, parse_time

_FACTS = frozenset(one.name for one in fields(CalibrationFrame)) & OUR_FIELDS.keys()
_MICROSECOND = timedelta(microseconds=1)


def frame_of(rules: RuleSet, mapping: Mapping[str, Any]) -> CalibrationFrame:
    """Return a candidate from a mapping in the words of a file of rules; ``id`` is its frame ID.

    Raises
    ------
    ValueError
        If one of its times cannot be read.
    """
    values = rules.in_our_words({key: value for key, value in mapping.items() if key != "id"})
    facts, attributes = _split(values)
    basename = str(facts.pop("basename", None) or f"{mapping.get('id', 0):012}")
    return _frame(basename, facts, attributes, frame_id=mapping.get("id"))


def banzai_frame(rules: RuleSet, row: Mapping[str, Any]) -> CalibrationFrame:
    """Return a candidate from a row as BANZAI has it; its validity holds its last moment.

    Raises
    ------
    ValueError
        If one of its times cannot be read.
    """
    given = unspelled(row.get("attributes") or {})
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
    until = _moment(row, "good_until")
    return _frame(
        str(row["filename"]),
        facts,
        attributes,
        frame_id=row.get("frameid"),
        verdict=Verdict.BAD if row.get("is_bad") else Verdict.UNKNOWN,
        good_after=_moment(row, "good_after"),
        good_until=None if until is None else _just_after(until),
    )


def unspelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what texts stand for that Python wrote of lists and of truths."""
    return {name: _unspelled(value) for name, value in values.items()}


def _unspelled(value: Any) -> Any:
    if isinstance(value, str) and value in {"True", "False"}:
        return value == "True"
    if isinstance(value, str) and value[:1] in {"[", "("}:
        try:
            return ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return value
    return value


def _moment(row: Mapping[str, Any], name: str) -> datetime | None:
    value = row.get(name)
    try:
        return None if value is None else parse_time(value)
    except ValueError as error:
        msg = f"{name}: {error}"
        raise ValueError(msg) from None


def _just_after(moment: datetime) -> datetime | None:
    """Return the first moment that a range with this last one does not hold."""
    try:
        return moment + _MICROSECOND
    except OverflowError:
        return None


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts and the attributes of a mapping in our words."""
    facts: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for name, value in values.items():
        try:
            read = canonical_value(name, value)
        except (ValueError, TypeError) as error:
            if OUR_FIELDS[name].kind is Kind.TIME:
                msg = f"{name}: {error}"
                raise ValueError(msg) from None
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
