"""What the parts of an audit share: what they look at, and how they tell what they saw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import RawIOBase
from typing import Any, BinaryIO, cast

from calrecords.archive import ArchiveClient
from calrecords.filestore import FileStore
from calrecords.records import AuditReads, JournalReads, RecordDatabase
from calrecords.workflows.audit_faults import FaultKind, Finding, NoticeKind
from calrecords.workflows.audit_question import AuditQuestion
from calrecords.workflows.cache import FileCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece of work that is done.

    Attributes
    ----------
    cursor : Any
        Where to go on from here, as JSON holds it.
    examined : int
        How many things were looked at.
    findings : tuple of Finding
        What is wrong.
    notices : tuple of (NoticeKind, str)
        What is worth knowing and no fault, each with an example.
    """

    cursor: Any
    examined: int = 0
    findings: tuple[Finding, ...] = ()
    notices: tuple[tuple[NoticeKind, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditGround:
    """What an audit looks at.

    Attributes
    ----------
    question : AuditQuestion
        What is asked.
    database : RecordDatabase
        The records.
    store : FileStore
        The file store.
    archive : ArchiveClient or None
        The archive, where one is named.
    why_no_archive : str
        Why there is none.
    cache : FileCache
        The local copies.
    clock : callable
        Returns what time it is, UTC.
    grace : timedelta
        How young something must be to be none of an audit's business yet.
    workers : int
        How many files are looked at at once.
    """

    question: AuditQuestion
    database: RecordDatabase
    store: FileStore
    archive: ArchiveClient | None
    why_no_archive: str
    cache: FileCache
    clock: Callable[[], datetime]
    grace: timedelta
    workers: int = 4
    reads: AuditReads = field(init=False)
    journal: JournalReads = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", AuditReads(self.database, self.question.scope))
        object.__setattr__(self, "journal", JournalReads(self.database))

    def is_settled(self, moment: datetime | None) -> bool:
        """Return whether something is old enough to be judged; what has no time is."""
        return moment is None or moment < self.clock() - self.grace

    def finding(self, kind: FaultKind, name: str, found: str, what: Mapping[str, Any]) -> Finding:
        """Return a fault that is seen now."""
        return Finding(kind=kind, name=name, found=found, what=what, seen_at=self.clock())


class Part(ABC):
    """One comparison of an audit.

    Parameters
    ----------
    ground : AuditGround
        What is looked at.
    """

    def __init__(self, ground: AuditGround) -> None:
        self.ground = ground

    def why_not(self) -> str | None:
        """Return why this comparison cannot be made here, and need not be; None where it can."""
        return None

    @abstractmethod
    def steps(self, cursor: Any) -> Iterator[Step]:
        """Yield each step from a cursor on, or from the start where that is None."""


class Nowhere(RawIOBase):
    """Takes bytes and keeps none."""

    @classmethod
    def sink(cls) -> BinaryIO:
        """Return one that a store can copy to."""
        return cast("BinaryIO", cls())

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def write(self, data: Any) -> int:
        """Return how many bytes were taken."""
        return len(data)
