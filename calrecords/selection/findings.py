"""One mistake in rules that can be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in rules.

    Attributes
    ----------
    rule : str
        In which rule, or rules.
    term : str
        Where in it.
    message : str
        What is wrong, and what to do.
    """

    rule: str
    term: str
    message: str
