"""Every fault that an audit can find, with what a repair would do about it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from calrecords.errors import ConfigurationError
from calrecords.records import Sighting


class FaultKind(StrEnum):
    """What can be wrong between records, archive, file store and cache.

    They are repaired in this order, so that a repair finds what the ones before it mended.
    """

    INTENT_STALE = "intent stale"
    FRAME_ID_MISSING = "frame ID missing"
    FRAME_ID_WRONG = "frame ID wrong"
    CHECKSUM_WRONG = "checksum wrong"
    VERSION_KEY_WRONG = "version key wrong"
    CURRENT_VERSION_WRONG = "current version wrong"
    ANOTHER_FRAME = "another frame"
    OBJECT_MISSING = "object missing"
    OBJECT_DAMAGED = "object damaged"
    OBJECT_NOT_PUBLISHED = "object not published"
    FRAME_NOT_ARCHIVED = "frame not archived"
    VERSION_NOT_ARCHIVED = "version not archived"
    ARCHIVED_FILE_GONE = "archived file gone"
    FRAME_NOT_RECORDED = "frame not recorded"
    VERSION_NOT_RECORDED = "version not recorded"
    CACHED_FILE_DAMAGED = "cached file damaged"
    CACHED_FILE_UNFINISHED = "cached file unfinished"
    OBJECT_UNKNOWN = "object unknown"
    UPLOAD_UNFINISHED = "upload unfinished"

    @property
    def remedy(self) -> str:
        """What a repair does about it."""
        return _REMEDIES[self]

    @property
    def is_removal(self) -> bool:
        """Whether a repair deletes something, and so must have seen it twice."""
        return self in _REMOVALS

    @property
    def is_only_told(self) -> bool:
        """Whether no repair can mend it from here."""
        return self in _ONLY_TOLD


_REMEDIES: Mapping[FaultKind, str] = {
    FaultKind.INTENT_STALE: "resume the ingestion",
    FaultKind.FRAME_ID_MISSING: "fill in the archive's frame ID",
    FaultKind.FRAME_ID_WRONG: "take the archive's frame ID",
    FaultKind.CHECKSUM_WRONG: "read the stored bytes, and correct the record if it is wrong",
    FaultKind.VERSION_KEY_WRONG: "take the archive's version key, if the store has those bytes",
    FaultKind.CURRENT_VERSION_WRONG: "make the newest version the current one",
    FaultKind.ANOTHER_FRAME: "find out which of the two is right; a repair leaves it",
    FaultKind.OBJECT_MISSING: "store the bytes again, from the cache or from a copy",
    FaultKind.OBJECT_DAMAGED: "store good bytes in its place, from the cache or from a copy",
    FaultKind.OBJECT_NOT_PUBLISHED: "publish it again",
    FaultKind.FRAME_NOT_ARCHIVED: "register it with the archive again, and record its new ID",
    FaultKind.VERSION_NOT_ARCHIVED: "register it with the archive again, if it is the newest",
    FaultKind.ARCHIVED_FILE_GONE: "have the archive's operators mend it; a repair leaves it",
    FaultKind.FRAME_NOT_RECORDED: "record it from what the archive says, or from its own bytes",
    FaultKind.VERSION_NOT_RECORDED: "record it from what the archive says (adopt)",
    FaultKind.CACHED_FILE_DAMAGED: "fetch it anew",
    FaultKind.CACHED_FILE_UNFINISHED: "delete it, once two audits a day apart have seen it",
    FaultKind.OBJECT_UNKNOWN: "delete it, once two audits a day apart have seen it",
    FaultKind.UPLOAD_UNFINISHED: "abort it, once two audits a day apart have seen it",
}
_REMOVALS = frozenset(
    {FaultKind.CACHED_FILE_UNFINISHED, FaultKind.OBJECT_UNKNOWN, FaultKind.UPLOAD_UNFINISHED}
)
_ONLY_TOLD = frozenset({FaultKind.ANOTHER_FRAME, FaultKind.ARCHIVED_FILE_GONE})


class NoticeKind(StrEnum):
    """What is worth knowing and no fault."""

    FRAMES_OF_OTHERS = (
        "frames in the archive, of recorded cameras and types, that these records do not know; "
        "if they should, audit with --ours"
    )
    FILES_OF_OTHERS = (
        "files in the store, beside recorded ones, that these records know nothing of; if they "
        "are yours, audit with --ours"
    )
    ARCHIVE_NEEDED = "files in the store that only the archive can say more of, and none is named"
    FRAMES_UNDECIDED = "frames of which the archive does not say what it has"
    FILES_UNDECIDED = "files that the store does not let us look at"

    @property
    def is_undecided(self) -> bool:
        """Whether there may be faults that could not be seen this time."""
        return self in {NoticeKind.FRAMES_UNDECIDED, NoticeKind.FILES_UNDECIDED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault.

    Attributes
    ----------
    kind : FaultKind
        What is wrong.
    name : str
        With which frame, or which file.
    found : str
        What was found where.
    what : mapping
        What tells it from other faults, and what a repair needs: names, checksums, keys.
    seen_at : datetime
        When, UTC.
    """

    kind: FaultKind
    name: str
    found: str
    what: Mapping[str, Any]
    seen_at: datetime

    @property
    def fingerprint(self) -> str:
        """The same for the same fault in every audit."""
        said = json.dumps([self.kind, self.what], sort_keys=True, default=str)
        return hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()

    @property
    def remedy(self) -> str:
        """What a repair would do."""
        return self.kind.remedy

    def sighting(self) -> Sighting:
        """Return it as it is written down."""
        return Sighting(
            fingerprint=self.fingerprint,
            kind=self.kind,
            name=self.name,
            found=self.found,
            what=self.what,
            seen_at=self.seen_at,
        )

    @classmethod
    def of_sighting(cls, sighting: Sighting) -> Finding:
        """Return what was written down."""
        return cls(
            kind=FaultKind(sighting.kind),
            name=sighting.name,
            found=sighting.found,
            what=dict(sighting.what),
            seen_at=sighting.seen_at,
        )


def kind_of(word: str) -> FaultKind:
    """Return the kind that a word names.

    Raises
    ------
    ConfigurationError
        If it names none.
    """
    try:
        return FaultKind(word)
    except ValueError:
        msg = f"there is no fault {word!r}; there are: {', '.join(FaultKind)}"
        raise ConfigurationError(msg) from None
