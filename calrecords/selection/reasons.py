"""The reasons of a choice, as values: what a test removed, and what a candidate fell short of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from calrecords.frames import CalibrationFrame
from calrecords.matching import canonical_text
from calrecords.selection.fields import number_of

VALUES_TOLD = 20
"""How many of the values that candidates have are told, where none is the one wanted."""


@dataclass(frozen=True, slots=True)
class Elimination:
    """What one test did.

    Attributes
    ----------
    name : str
        What people call the test.
    field : str
        What of the candidates it looks at.
    allowed : str
        What satisfies it.
    tested : int
        How many candidates the tests before had left.
    removed : int
        How many of these it removed.
    known : tuple of str
        What these have instead, where it removed all.
    """

    name: str
    field: str
    allowed: str
    tested: int
    removed: int
    known: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many candidates satisfy this test and all before."""
        return self.tested - self.removed


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A test that a candidate fails.

    Attributes
    ----------
    name : str
        What people call the test.
    field : str
        What of the candidate it looks at.
    actual : str
        What the candidate has; empty where it has nothing.
    allowed : str
        What satisfies the test.
    """

    name: str
    field: str
    actual: str
    allowed: str


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A candidate that was nearly good enough.

    Attributes
    ----------
    frame : CalibrationFrame
        The candidate, as it was known.
    age : timedelta or None
        Its dateobs less the target's; negative when it is from before.
    failed : tuple of Shortfall
        The tests that it fails.
    """

    frame: CalibrationFrame
    age: timedelta | None
    failed: tuple[Shortfall, ...]


def value_text(value: Any) -> str:
    """Return a value for people; nothing is empty, a pair of times is a range."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        precision = "microseconds" if value.microsecond else "seconds"
        return value.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
    if isinstance(value, tuple):
        words = zip(("from", "until"), value, strict=False)
        said = [f"{word} {value_text(one)}" for word, one in words if one is not None]
        return " ".join(said) or "always"
    return canonical_text(value) or ""


def told(values: Iterable[str]) -> tuple[str, ...]:
    """Return values for people, sorted, each once; with a word for what is too much."""
    found = sorted(set(values) - {""}, key=_by_number)
    if len(found) <= VALUES_TOLD:
        return tuple(found)
    return (*found[:VALUES_TOLD], "and others")


def _by_number(text: str) -> tuple[bool, float, str]:
    number = number_of(text)
    return (number is None, number or 0.0, text)
