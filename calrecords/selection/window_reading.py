"""From the tables of a rule file to where in time it looks, and how many it wants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from calrecords.selection.places import Place
from calrecords.selection.terms import Ends
from calrecords.selection.units import read_duration
from calrecords.selection.windows import Count, Direction, Window

_IN_WINDOW = ("within", "before", "after", "ends")
_MOST = 1_000_000
"""The highest count: more calibrations than anybody combines, and what a database can hold."""


def read_direction(table: Mapping[str, Any], place: Place) -> Direction | None:
    """Return the direction of a rule or a branch; None where it has none.

    Raises
    ------
    RuleError
        If there is no such direction.
    """
    given = table.get("direction")
    return None if given is None else place.at("direction").word(Direction, given)


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
        at.table(given, _IN_WINDOW)
        if "ends" in given:
            ends = at.at("ends").word(Ends, given["ends"])
    else:
        given = {"within": given}
    if given.keys() <= {"ends"}:
        msg = "say how far: '90 d', or { before = '90 d', after = '1 d' }"
        raise at.error(msg)
    if given.keys() >= {"within", "before", "after"}:
        msg = "within has no say beside before and after; remove it"
        raise at.error(msg)
    lengths = {key: read_length(given, key, at) for key in ("within", "before", "after")}
    if ends is None:
        msg = "say whether its ends belong to the window: ends = 'open' or 'closed'"
        raise at.error(msg)
    both, before, after = lengths.values()
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
    found: timedelta = place.at(key).attempt(read_duration, table[key])
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
    at.table(given, ["min", "max"], said="a whole number, or { min = 1, max = 4 }")
    if not given:
        msg = "it is empty; say min, max or both"
        raise at.error(msg)
    fewest = at.at("min").demand(given.get("min", 1), int, "a whole number")
    most = at.at("max").demand(given.get("max", max(1, fewest)), int, "a whole number")
    if not 1 <= fewest <= most <= _MOST:
        msg = f"write numbers of which 1 <= min <= max <= {_MOST}, not {fewest} and {most}"
        raise at.error(msg)
    return Count(fewest, most)
