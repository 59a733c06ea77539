"""What must be equal: how values are spelled so that equal ones are equal on every database.

A rule's equalities are found in an index by one key. The key is a digest of the names and
the spelled values of a `MatchSet`, so it is the same for a target, a candidate, SQLite and
PostgreSQL, and no value is ever compared as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from calrecords.vocabulary import Verdict

MATCH_KEY_BYTES = 16
"""Length of a key: no two sets of values that anybody records share one of 128 bits."""


@dataclass(frozen=True, slots=True, order=True)
class MatchSet:
    """Fields that a rule demands to be equal; each recorded version is indexed by them.

    Attributes
    ----------
    fields : tuple of str
        Names of facts or attributes, sorted, each once.
    obstype : str
        Only versions of this observation type are indexed; empty for all types.
    """

    fields: tuple[str, ...]
    obstype: str = ""

    def key(self, values: Mapping[str, Any]) -> bytes:
        """Return the key of these values; a field that is absent counts as None."""
        spelled = tuple([canonical_text(values.get(name)) for name in self.fields])
        return _digest(self.obstype, self.fields, spelled)


@lru_cache(maxsize=8192)
def _digest(obstype: str, fields: tuple[str, ...], spelled: tuple[str | None, ...]) -> bytes:
    """Return the key of spelled values; the frames of a night have few that differ."""
    text = json.dumps([obstype, fields, spelled], ensure_ascii=True)
    return hashlib.blake2b(text.encode("ascii"), digest_size=MATCH_KEY_BYTES).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What selection asks of the records: a walk outward in time from one moment.

    Attributes
    ----------
    key : bytes
        Key of the match set and the values that candidates must have.
    dateobs : datetime
        The target's time, UTC, from which the walk goes outward.
    looks_before, looks_after : bool
        Which sides of that time are walked.
    takes_same_time : bool
        Whether a candidate at that very time is taken.
    start, end : datetime or None
        Candidates outside of ``[start, end]`` are not wanted, UTC; None is open. What lies on
        an end is given, and whether it belongs is for the rule's terms to say.
    verdicts : frozenset of Verdict
        The verdicts that are accepted.
    valid_at : datetime or None
        The moment that the validity range must hold, UTC; None where it does not matter.
    created_before : datetime or None
        Candidates must have been made strictly before, UTC; None where it does not matter.
    as_of : datetime or None
        What was known at this moment counts, UTC; None is what is known now.
    """

    key: bytes
    dateobs: datetime
    looks_before: bool = True
    looks_after: bool = True
    takes_same_time: bool = True
    start: datetime | None = None
    end: datetime | None = None
    verdicts: frozenset[Verdict] = frozenset({Verdict.GOOD, Verdict.UNKNOWN})
    valid_at: datetime | None = None
    created_before: datetime | None = None
    as_of: datetime | None = None


def canonical_text(value: Any) -> str | None:
    """Return how a value is spelled for comparison; None stays None.

    Numbers that are equal are spelled alike whatever their type (``2``, ``2.0``), true and
    false are words, times are UTC with microseconds, sequences are spelled part by part.

    Examples
    --------
    >>> canonical_text(2.0), canonical_text("2"), canonical_text(True), canonical_text([2, 2])
    ('2', '2', 'true', '["2", "2"]')
    """
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps({str(k): canonical_text(v) for k, v in value.items()}, sort_keys=True)
    if isinstance(value, Sequence):
        return json.dumps([canonical_text(part) for part in value])
    return str(value)
