"""What a look at one thing found, and how that is to be taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from calrecords.errors import CalRecordsError


class Health(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    subject : str
        What was looked at.
    health : Health
        How it is.
    message : str
        What was found, and what to do.
    """

    subject: str
    health: Health
    message: str


class WorthKnowing(Exception):  # noqa: N818 - a finding, not an error
    """Somebody should know this.

    Parameters
    ----------
    message : str
        What was found, and what to do.
    health : Health, optional
        How it is to be taken.
    """

    def __init__(self, message: str, health: Health = Health.WARNING) -> None:
        super().__init__(message)
        self.health = health


def look(subject: str, check: Callable[[], str]) -> Finding:
    """Return what a check says, or what it raises."""
    try:
        return Finding(subject, Health.OK, check())
    except WorthKnowing as known:
        return Finding(subject, known.health, str(known))
    except CalRecordsError as error:
        return Finding(subject, Health.FAILURE, str(error))
