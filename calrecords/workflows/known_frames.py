"""What the verbs on recorded frames share: the records, and which frame is meant."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from calrecords.errors import ConfigurationError
from calrecords.frames import CalibrationFrame
from calrecords.records import RecordDatabase
from calrecords.vocabulary import parse_time, split_filename

if TYPE_CHECKING:
    from datetime import datetime

    from calrecords.selection import RuleSet
    from calrecords.workflows.facade import FrameLike


class KnowsFrames(ABC):
    """Something that has records and rules, and knows which frame is meant by what."""

    _database: RecordDatabase

    @property
    @abstractmethod
    def rules(self) -> RuleSet:
        """The rules that choose."""

    @abstractmethod
    def _frame(self, frame: FrameLike) -> CalibrationFrame:
        """Return the recorded frame that is meant."""


def needed_reason(reason: Any) -> str:
    """Return why something is said; without a reason it is not taken.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    text = optional_reason(reason)
    if not text:
        msg = "say why: reason=, which later readers of the history depend on"
        raise ConfigurationError(msg)
    return text


def optional_reason(reason: Any) -> str:
    """Return why something is said; empty where nobody says."""
    if not isinstance(reason, str):
        msg = f"reason={reason!r}: write text"
        raise ConfigurationError(msg)
    return reason.strip()


def moment(name: str, value: Any) -> datetime | None:
    """Return a time that a caller gives, UTC; None where it is open.

    Raises
    ------
    ConfigurationError
        If it is no time.
    """
    if value is None:
        return None
    try:
        return parse_time(value)
    except (TypeError, ValueError) as error:
        msg = f"{name}={value!r}: {error}"
        raise ConfigurationError(msg) from None


def basename_of(value: Any) -> str:
    """Return the basename of a target: of a name, a path, or anything that has a basename.

    Raises
    ------
    ConfigurationError
        If it has none.
    """
    name = value.get("basename") if hasattr(value, "get") else getattr(value, "basename", value)
    if hasattr(name, "__fspath__"):
        name = name.__fspath__()
    if not isinstance(name, str) or not name.strip():
        msg = f"say which target: a basename, a path, or what has a basename, not {value!r:.80}"
        raise ConfigurationError(msg)
    return split_filename(name.strip())[0]


def number_of(name: str, value: Any) -> int:
    """Return a whole number that a caller gives.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    try:
        return operator.index(value)
    except TypeError:
        msg = f"{name}={value!r}: write a whole number"
        raise ConfigurationError(msg) from None
