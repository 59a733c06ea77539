"""How a case with a known answer ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
