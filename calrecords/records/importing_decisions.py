"""What becomes of each row of a chunk, decided before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from calrecords.records.importing_known import KnownFrame, KnownVersion, Recorded
from calrecords.records.importing_reports import RowOutcome
from calrecords.records.importing_rows import ImportRow
from calrecords.records.importing_words import AT, CONTENT, FACTS, MARKS

_FACTS = slice(AT[FACTS[0]], AT[FACTS[-1]] + 1)
_ATTRIBUTES, _CREATED, _EXTENSION = AT["attributes"], AT["created"], AT["extension"]
_KNOWN_FROM = AT["known_from"]
_MD5, _MODE, _VERDICT, _VERSION_KEY = (
    *(AT["md5"], AT["configuration_mode"], AT["verdict"], AT["version_key"]),
)
_IDENTITY = ("obstype", "is_master", "site", "camera")
_VALIDITY = slice(AT["good_after"], AT["good_until"] + 1)
_FRAME_ID_OWNED = (
    "frame ID {} is recorded for {}; is this of another archive, or was the frame renamed there?"
)


class ConflictError(ValueError):
    """A row contradicts what is recorded; the message says in what."""


@dataclass(slots=True)
class Decisions:
    """What a chunk is to write.

    Attributes
    ----------
    new_frames : list of KnownFrame
        Frames without a row.
    new_versions : list of (KnownFrame, KnownVersion)
        Versions without a row.
    changed_frames : dict
        Frames that get a frame ID.
    changed_versions : dict
        What recorded versions get, by the number of their row.
    verdicts, validities : list of (KnownVersion, ImportRow)
        What is to be added to the histories.
    redated_frames : list of KnownFrame
        Frames of which another recorded version may be the newest now.
    """

    new_frames: list[KnownFrame] = field(default_factory=list)
    new_versions: list[tuple[KnownFrame, KnownVersion]] = field(default_factory=list)
    changed_frames: dict[int, int] = field(default_factory=dict)
    changed_versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    verdicts: list[tuple[KnownVersion, ImportRow]] = field(default_factory=list)
    validities: list[tuple[KnownVersion, ImportRow]] = field(default_factory=list)
    redated_frames: list[KnownFrame] = field(default_factory=list)


class Decider:
    """Decides row by row; a row sees what the rows before it would record.

    Parameters
    ----------
    recorded : Recorded
        What is recorded.
    rows : list of ImportRow
        The chunk.
    now : datetime
        When it is recorded, UTC.
    spelled_now : object
        The same, as the database spells it.
    """

    def __init__(
        self, recorded: Recorded, rows: list[ImportRow], now: datetime, spelled_now: Any
    ) -> None:
        self._now, self._spelled_now = now, spelled_now
        self._frames = recorded.frames([row.basename for row in rows])
        numbers = [row.frame_id for row in rows if row.frame_id is not None]
        self._owners = recorded.owners(numbers)
        known = {
            version.id
            for frame in self._frames.values()
            for version in frame.versions
            if version.id is not None
        }
        self._has_verdicts = recorded.marked("verdicts", known)
        self._has_validities = recorded.marked("validity_changes", known)
        self.decisions = Decisions()

    def decide(self, row: ImportRow) -> RowOutcome:
        """Return what becomes of a row, and keep what it is to write.

        Raises
        ------
        ConflictError
            If it contradicts what is recorded; then nothing of it is kept.
        """
        frame = self._frames.get(row.basename)
        if row.frame_id is not None:
            self._demand_number(row, frame)
        if frame is None:
            self._record(self._new_frame(row), row)
            return RowOutcome.RECORDED
        _demand_identity(row, frame)
        version = matching_version(row, frame.versions)
        if version is None:
            self._number(frame, row.frame_id)
            self._record(frame, row)
            return RowOutcome.RECORDED
        _demand_same_facts(row, version)
        learned = self._learned(row, version)
        is_numbered = self._number(frame, row.frame_id)
        self._complete(version, row, learned)
        if "archived_at" in learned and len(frame.versions) > 1:
            self.decisions.redated_frames.append(frame)
        return RowOutcome.COMPLETED if learned or is_numbered else RowOutcome.ALREADY_THERE

    def _new_frame(self, row: ImportRow) -> KnownFrame:
        identity = (row.obstype, bool(row.is_master), row.site, row.camera)
        frame = KnownFrame(row.basename, identity, row.frame_id, instrument=row.instrument)
        self._frames[row.basename] = frame
        if row.frame_id is not None:
            self._owners[row.frame_id] = row.basename
        self.decisions.new_frames.append(frame)
        return frame

    def _record(self, frame: KnownFrame, row: ImportRow) -> None:
        values = list(row.values)
        values[_MODE] = values[_MODE] or "default"
        values[_ATTRIBUTES] = values[_ATTRIBUTES] or "{}"
        values[_VERDICT] = values[_VERDICT] or "unknown"
        values[_KNOWN_FROM] = values[_KNOWN_FROM] or self._spelled_now
        since = row.known_from or self._now
        version = KnownVersion(values, self._spelled_now, since, row)
        frame.versions.append(version)
        self.decisions.new_versions.append((frame, version))
        if row.verdict is not None:
            self.decisions.verdicts.append((version, row))
        if row.validity is not None:
            self.decisions.validities.append((version, row))

    def _demand_number(self, row: ImportRow, frame: KnownFrame | None) -> None:
        owner = self._owners.get(row.frame_id or 0)
        if owner not in (None, row.basename):
            raise ConflictError(_FRAME_ID_OWNED.format(row.frame_id, owner))
        if frame is not None and frame.frame_id not in (None, row.frame_id):
            msg = f"recorded with frame ID {frame.frame_id}, and the row has {row.frame_id}"
            raise ConflictError(msg)

    def _number(self, frame: KnownFrame, frame_id: int | None) -> bool:
        """Give a frame the archive's number; return whether it had none."""
        if frame_id is None or frame.frame_id is not None:
            return False
        frame.frame_id = frame_id
        self._owners[frame_id] = frame.basename
        if frame.id is not None:
            self.decisions.changed_frames[frame.id] = frame_id
        return True

    def _learned(self, row: ImportRow, version: KnownVersion) -> dict[str, Any]:
        """Return what a row says of a recorded version that is not known of it yet."""
        learned: dict[str, Any] = {}
        for name in CONTENT:
            given, recorded = row.values[AT[name]], version.values[AT[name]]
            if given is None or given == recorded:
                continue
            if recorded is None:
                learned[name] = given
            else:
                msg = f"recorded with {name} {recorded}, and the row has {given}"
                raise ConflictError(msg)
        if row.verdict is not None and self._is_news(
            version, row, slice(_VERDICT, _VERDICT + 1), self._has_verdicts
        ):
            learned["verdict"] = row.values[_VERDICT]
        if row.validity is not None and self._is_news(
            version, row, _VALIDITY, self._has_validities
        ):
            for name in MARKS[1:]:
                learned[name] = row.values[AT[name]]
        return learned

    def _is_news(
        self, version: KnownVersion, row: ImportRow, part: slice, marked: set[int]
    ) -> bool:
        """Return whether what a row says of verdict or validity was never said before."""
        given, recorded = row.values[part], version.values[part]
        if given == recorded:
            return False
        if any(value not in (None, "unknown") for value in recorded) or version.id in marked:
            what = "verdict" if part != _VALIDITY else "validity"
            msg = f"its {what} is {_shown(recorded)} here, and {_shown(given)} in the row"
            raise ConflictError(msg)
        return True

    def _complete(self, version: KnownVersion, row: ImportRow, learned: dict[str, Any]) -> None:
        if learned:
            version.values = list(version.values)
        for name, value in learned.items():
            version.values[AT[name]] = value
        if version.id is not None and learned:
            self.decisions.changed_versions.setdefault(version.id, {}).update(learned)
        if "verdict" in learned:
            self.decisions.verdicts.append((version, row))
        if "good_after" in learned:
            self.decisions.validities.append((version, row))


def matching_version(row: ImportRow, versions: list[KnownVersion]) -> KnownVersion | None:
    """Return the version that a row is of; None where it is of a new one.

    An md5 tells versions apart, and else a version key. Where one side has neither, they are
    the same if neither extension nor time of creation says otherwise.
    """
    for at in (_MD5, _VERSION_KEY):
        named = row.values[at]
        if named is not None:
            for version in versions:
                if version.values[at] == named:
                    return version
    alike = [version for version in versions if _may_be(row, version)]
    created = row.values[_CREATED]
    exact = [version for version in alike if version.values[_CREATED] == created]
    found = exact or alike
    return found[-1] if found else None


def _may_be(row: ImportRow, version: KnownVersion) -> bool:
    """Return whether nothing that both are known to be tells them apart."""
    return all(
        given in (None, "", recorded) or recorded in (None, "")
        for given, recorded in (
            (row.values[at], version.values[at])
            for at in (_MD5, _VERSION_KEY, _CREATED, _EXTENSION)
        )
    )


def _demand_identity(row: ImportRow, frame: KnownFrame) -> None:
    is_master = frame.identity[1] if row.is_master is None else row.is_master
    said = (row.obstype, is_master, row.site, row.camera)
    if said != frame.identity:
        differing = [
            f"{name} {recorded!r} (the row: {given!r})"
            for name, recorded, given in zip(_IDENTITY, frame.identity, said, strict=True)
            if recorded != given
        ]
        msg = f"another frame of this name is recorded, with {', '.join(differing)}"
        raise ConflictError(msg)


def _demand_same_facts(row: ImportRow, version: KnownVersion) -> None:
    given, recorded = row.values[_FACTS], version.values[_FACTS]
    if given == recorded:
        return
    differing = [
        f"{name} {was!r:.100} (the row: {value!r:.100})"
        for name, was, value in zip(FACTS, recorded, given, strict=True)
        if value is not None and value != was and not _is_same_json(name, was, value)
    ]
    if differing:
        msg = f"recorded with {', '.join(differing)}; `correct` mends a wrong fact"
        raise ConflictError(msg)


def _is_same_json(name: str, recorded: Any, given: Any) -> bool:
    return name == "attributes" and json.loads(recorded) == json.loads(given)


def _shown(values: list[Any]) -> str:
    return " to ".join("open" if value is None else str(value) for value in values)
