"""Where in a file something is, and what is said where it is not as it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from typing import Any, TypeVar

from calrecords.errors import RuleError
from calrecords.selection.spelling import near_names

_Word = TypeVar("_Word", bound=StrEnum)
_LONGEST = 60
"""Characters of a value that a message repeats."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a file something is, for messages.

    Attributes
    ----------
    file : str
        The file.
    parts : tuple of str
        What leads to it.
    """

    file: str
    parts: tuple[str, ...] = ()

    def at(self, part: str) -> Place:
        """Return a place inside of this one."""
        return Place(self.file, (*self.parts, part))

    def error(self, message: object) -> RuleError:
        """Return an error that names this place."""
        return RuleError(": ".join([self.file, *self.parts, str(message)]))

    def demand(self, value: Any, kind: type | tuple[type, ...], said: str) -> Any:
        """Return a value of the file that must be of some type.

        Raises
        ------
        RuleError
            If it is of another type.
        """
        is_flag = isinstance(value, bool) and kind is not bool
        if is_flag or not isinstance(value, kind):
            msg = f"write {said}, not {shown(value)}"
            raise self.error(msg)
        return value

    def tables(self, value: Any, written: str) -> list[Any]:
        """Return a list of tables of the file, which is written with two brackets.

        Raises
        ------
        RuleError
            If it is no list.
        """
        if isinstance(value, dict):
            msg = f"write {written} with two brackets, also where there is only one"
            raise self.error(msg)
        found: list[Any] = self.demand(value, list, f"{written} tables")
        return found

    def table(
        self,
        value: Any,
        allowed: Iterable[str],
        needed: Iterable[str] = (),
        *,
        said: str = "a table",
        hints: Mapping[str, str] | None = None,
    ) -> Any:
        """Return a table of the file, of whose keys each is allowed.

        Parameters
        ----------
        value : Any
            What stands in the file.
        allowed, needed : iterable of str
            The keys that it may, and that it must, have.
        said : str
            What to write instead of what is no table.
        hints : mapping, optional
            What to say of some keys that are not allowed, in place of a similar name.

        Raises
        ------
        RuleError
            If it is no table, or a key is not known, or one is missing.
        """
        self.demand(value, dict, said)
        known = list(allowed)
        for key in value:
            if key not in known:
                given = (hints or {}).get(key)
                hint = near_names(key, known) if given is None else f"; {given}"
                msg = f"there is no {shown(key)} here{hint}; known: {', '.join(known)}"
                raise self.error(msg)
        for key in needed:
            if key not in value:
                msg = f"{key!r} is missing; add it"
                raise self.error(msg)
        return value

    def word(self, words: type[_Word], value: Any) -> _Word:
        """Return one of a closed set of words.

        Raises
        ------
        RuleError
            If it is none of them.
        """
        known = [word.value for word in words]
        if not isinstance(value, str) or value not in known:
            hint = near_names(value, known) if isinstance(value, str) else ""
            msg = f"{shown(value)} is none of {', '.join(known)}{hint}"
            raise self.error(msg)
        return words(value)

    def attempt(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function gives.

        Raises
        ------
        RuleError
            If it refuses, at this place.
        """
        try:
            return function(*arguments)
        except (ValueError, TypeError, OverflowError) as error:
            raise self.error(error) from None


def shown(value: Any) -> str:
    """Return a value as the file writes it, cut where it is long.

    Examples
    --------
    >>> print(shown({"from": date(2026, 1, 1), "ok": [True, 1.5, "a"]}))
    { from = 2026-01-01, ok = [true, 1.5, 'a'] }
    """
    text = _written(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _written(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        parts = ", ".join(f"{name} = {_written(part)}" for name, part in value.items())
        return f"{{ {parts} }}" if parts else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return repr(value)
