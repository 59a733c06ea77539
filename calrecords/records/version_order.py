"""Which version of a frame is newer, and when each was current: one order for all that compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

DATING = ("archived_at", "created", "known_from", "recorded_at")
"""Columns of a version that its place among those of its frame depends on, beside its number."""


def dated(archived_at: Any, created: Any, known_from: Any, recorded_at: Any) -> Any:
    """Return the time by which a version is ordered among those of its frame.

    That is when the archive stored it. One that is in no archive was stored when it was
    recorded, whatever its file says. But one that was imported, which has a `known_from`,
    comes at any time, and is as old as its file; no file was made after it was recorded.

    Parameters
    ----------
    archived_at, created, known_from, recorded_at
        What the columns hold, all as times, or all as one database spells them.
    """
    if archived_at is not None:
        return archived_at
    if known_from is None:
        return recorded_at
    return created if created is not None and created <= recorded_at else known_from


def known_since(version: Any) -> datetime:
    """Return from when on the row of a version counts as known, UTC."""
    since: datetime = version.known_from or version.recorded_at
    return since


def place_of(version: Any) -> tuple[datetime, datetime, int]:
    """Return what the rows of a frame's versions are sorted by; the newest has the greatest.

    Of versions that are dated alike the one that is known later is newer, then the one that was
    written later.
    """
    date: datetime = dated(*(getattr(version, name) for name in DATING))
    return date, known_since(version), version.id


def when_current(
    versions: Sequence[Any], now: datetime
) -> Iterator[tuple[Any, datetime, datetime | None]]:
    """Give each version of a frame that was ever current, with since and until when it was.

    Parameters
    ----------
    versions : sequence of rows
        All versions of one frame: `DATING`, ``id`` and ``is_current`` of each.
    now : datetime
        Since when the version is current that the others do not make so, UTC.
    """
    if len(versions) == 1:
        yield versions[0], known_since(versions[0]), None
        return
    turns: list[tuple[Any, datetime]] = []
    for version in sorted(versions, key=lambda version: (known_since(version), version.id)):
        if not turns or place_of(turns[-1][0]) < place_of(version):
            turns.append((version, known_since(version)))
    if not turns[-1][0].is_current:
        turns += [(version, now) for version in versions if version.is_current]
    for (version, since), (_, until) in pairwise(turns):
        yield version, since, until
    yield *turns[-1], None
