"""Rows of the intent journal: made from an intent, begun again, read as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calrecords.errors import InvalidRecordError
from calrecords.frames import ContentDigest, FrameFacts, Ingestion
from calrecords.records.facts_json import facts_from_json, facts_to_json
from calrecords.records.models import JournalEntry
from calrecords.records.storable import check_storable, plain_json
from calrecords.vocabulary import IngestionState

UNFINISHED = (IngestionState.INTENDED, IngestionState.STORED, IngestionState.ARCHIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is about to be ingested; see `Ingestion` for the fields."""

    path: str
    basename: str
    extension: str
    digest: ContentDigest
    facts: FrameFacts
    archive_record: dict[str, Any] | None
    key: str
    content_type: str = ""


def check_intent(intent: Intent) -> None:
    """Make sure that what is intended can be recorded when it is done.

    Raises
    ------
    InvalidRecordError
        If the database cannot hold a value.
    """
    check_storable(
        intent.path,
        intent.facts,
        path=intent.path,
        basename=intent.basename,
        extension=intent.extension,
        size=intent.digest.size,
        key=intent.key,
        content_type=intent.content_type,
        archive_record=intent.archive_record,
    )


def new_row(intent: Intent) -> dict[str, Any]:
    """Return the columns of a row for an intent."""
    now = datetime.now(UTC)
    return {
        "state": IngestionState.INTENDED,
        "path": intent.path,
        "basename": intent.basename,
        "extension": intent.extension,
        "md5": intent.digest.md5,
        "sha256": intent.digest.sha256,
        "size": intent.digest.size,
        "content_type": intent.content_type,
        "key": intent.key,
        "facts": facts_to_json(intent.facts),
        "archive_record": plain_json(intent.archive_record),
        "attempts": 0,
        "created_at": now,
        "updated_at": now,
    }


def begun(intent: Intent, number: int) -> Ingestion:
    """Return what the new row of an intent says."""
    return Ingestion(
        id=number,
        state=IngestionState.INTENDED,
        path=intent.path,
        basename=intent.basename,
        extension=intent.extension,
        digest=intent.digest,
        facts=facts_from_json(facts_to_json(intent.facts)),
        archive_record=plain_json(intent.archive_record),
        key=intent.key,
        content_type=intent.content_type,
    )


def start_again(entry: JournalEntry, intent: Intent) -> None:
    """Make a row of the same content a new intent.

    Its version key stays: bytes of an earlier attempt may still be in the store, and the archive
    may even refer to them.
    """
    now = datetime.now(UTC)
    if entry.state not in UNFINISHED:
        entry.created_at = now
    entry.state = IngestionState.INTENDED
    entry.path = intent.path
    entry.key = intent.key
    entry.content_type = intent.content_type
    entry.facts = facts_to_json(intent.facts)
    entry.archive_record = plain_json(intent.archive_record)
    entry.frame_id = entry.archived_at = None
    entry.error = entry.message = entry.next_attempt_at = None
    entry.updated_at = now


def as_ingestion(entry: JournalEntry) -> Ingestion:
    """Return what a row says.

    Raises
    ------
    InvalidRecordError
        If its facts are not ours, for example because a later version of calrecords wrote them.
    """
    return Ingestion(
        id=entry.id,
        state=IngestionState(entry.state),
        path=entry.path,
        basename=entry.basename,
        extension=entry.extension,
        digest=ContentDigest(entry.md5, entry.sha256, entry.size),
        facts=_facts(entry),
        archive_record=entry.archive_record,
        key=entry.key,
        version_key=entry.version_key,
        frame_id=entry.frame_id,
        archived_at=entry.archived_at,
        content_type=entry.content_type,
        error=entry.error,
        message=entry.message,
        attempts=entry.attempts,
    )


def _facts(entry: JournalEntry) -> FrameFacts | None:
    try:
        return None if entry.facts is None else facts_from_json(entry.facts)
    except InvalidRecordError as error:
        msg = f"{entry.path}: {error}"
        raise InvalidRecordError(msg) from None
