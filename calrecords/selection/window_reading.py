"""From the tables of a rule file to where in time it looks, and how many it wants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from calrecords.selection.rule_fields import Place
from calrecords.selection.term_reading import attempt, read_word
from calrecords.selection.terms import Ends
from calrecords.selection.units import read_duration
from calrecords.selection.windows import Count, Direction, Window


def read_direction(table: Mapping[str, Any], place: Place) -> Direction | None:
    """Return the direction of a rule or a branch; None where it has none.

    Raises
    ------
    RuleError
        If there is no such direction.
    """
    given = table.get("direction")
    return None if given is None else read_word(Direction, given, place.at("direction"))


def read_window(table: Mapping[str, Any], place: Place, ends: Ends | None) -> Window | None:
    """Return the window of a rule or a branch; None where it has none.

    Raises
    ------
    RuleError
        If it does not say how far it reaches, or whether its ends belong to it.
    """
    given = table.get("window")
    if given is None:
        return None
    at = place.at("window")
    if isinstance(given, dict):
        at.table(given, ["within", "before", "after", "ends"])
        if "ends" in given:
            ends = read_word(Ends, given["ends"], at.at("ends"))
    else:
        given = {"within": given}
    if given.keys() <= {"ends"}:
        msg = "say how far: '90 d', or { before = '90 d', after = '1 d' }"
        raise at.error(msg)
    if ends is None:
        msg = "say whether its ends belong to the window: ends = 'open' or 'closed'"
        raise at.error(msg)
    both = read_length(given, "within", at)
    before = read_length(given, "before", at)
    after = read_length(given, "after", at)
    return Window(both if before is None else before, both if after is None else after, ends)


def read_length(table: Mapping[str, Any], key: str, place: Place) -> timedelta | None:
    """Return the length of time at a key; None where there is none.

    Raises
    ------
    RuleError
        If it is no length of time.
    """
    if key not in table:
        return None
    found: timedelta = attempt(place.at(key), read_duration, table[key])
    return found


def read_count(table: Mapping[str, Any], place: Place) -> Count | None:
    """Return how many a rule or a branch wants; None where it does not say.

    Raises
    ------
    RuleError
        If they are no whole numbers in their order.
    """
    given = table.get("count")
    if given is None:
        return None
    at = place.at("count")
    if isinstance(given, int) and not isinstance(given, bool):
        given = {"max": given}
    at.table(given, ["min", "max"])
    numbers = [
        at.at(key).demand(given.get(key, default), int, "a whole number")
        for key, default in (("min", 1), ("max", max(1, given.get("min", 1))))
    ]
    if not 1 <= numbers[0] <= numbers[1]:
        msg = f"write numbers of which 1 <= min <= max, not {numbers[0]} and {numbers[1]}"
        raise at.error(msg)
    return Count(*numbers)
