"""What may befall one call of the library."""

from dataclasses import dataclass

from calrecords.workflows.results import IngestStep

PASSING = ("500", "503", "429", "reset", "login-page", "not-json", "truncated")
CARRIED_OUT = ("500-after-commit", "lost-answer")


@dataclass(frozen=True)
class Nothing:
    """All goes well."""


@dataclass(frozen=True)
class Hiccup:
    """One answer of the archive goes wrong, and the next is good again."""

    fault: str
    after: int


@dataclass(frozen=True)
class Outage:
    """The archive is away from one request on, which it may still carry out unheard."""

    after: int
    is_carried_out: bool


@dataclass(frozen=True)
class Raised:
    """Something raises in our process when a step is reached."""

    step: IngestStep


@dataclass(frozen=True)
class Killed:
    """It is done in another process, which SIGKILL ends when a step is reached."""

    step: IngestStep


class CutError(Exception):
    """It ended in the middle, by a kill or by what was raised."""


class AwayError(Exception):
    """The archive could not be reached."""


class RefusedError(Exception):
    """The basename is another frame's."""


class SourceGoneError(Exception):
    """The file is not there any more, and its bytes are nowhere."""


ENDS = (AwayError, RefusedError, SourceGoneError)
"""How an ingestion can fail, and be stated to have failed."""


class Call:
    """One call in the model: ends it where its trouble would.

    Parameters
    ----------
    trouble : Nothing, Hiccup, Outage, Raised or Killed
        What befalls it.
    """

    def __init__(self, trouble):
        self.trouble = trouble
        self._asked = 0

    def reach(self, step):
        if isinstance(self.trouble, Raised | Killed) and self.trouble.step is step:
            raise CutError

    def ask(self, carry_out=None):
        """Let one question to the archive be answered, or not."""
        number, trouble = self._asked, self.trouble
        self._asked += 1
        is_away = isinstance(trouble, Outage) and number >= trouble.after
        is_heard = not is_away or (number == trouble.after and trouble.is_carried_out)
        if carry_out is not None and is_heard:
            carry_out()
        if is_away:
            raise AwayError
