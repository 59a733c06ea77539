"""Frames and versions as the Science Archive describes them.

What is needed is read strictly: a whole number for the ID, a text for the basename, a list
of versions. Fields that are absent are None, fields that are new are passed over, so that
another release of the archive can still be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from calrecords.errors import StoredFileNotFoundError
from calrecords.vocabulary import canonical_obstype, parse_day, parse_time

LARGEST_ID = 2**63 - 1
"""The largest frame ID that a record can hold."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ArchiveVersion:
    """One stored file of a frame, as the archive lists it.

    Attributes
    ----------
    id : int
        The archive's number of this version.
    version_key : str
        What the file store calls this version.
    md5 : str
        Hexadecimal digest, as it was registered.
    extension : str
        With its dot, for example ``.fits.fz``.
    created : datetime or None
        When it was registered, UTC.
    url : str or None
        Where the file could be had when the archive was asked. It may be signed and it
        expires, so it is never printed, compared or kept, and a pickle or a copy has none.
    """

    id: int
    version_key: str
    md5: str
    extension: str
    created: datetime | None
    url: str | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what a pickle holds: all but the address."""
        kept = (self.id, self.version_key, self.md5, self.extension, self.created)
        return type(self), kept


@dataclass(frozen=True, slots=True)
class ArchiveFrame:
    """A frame as the archive describes it.

    Attributes
    ----------
    frame_id : int
        The archive's number of this frame.
    basename : str
        File name without any extension; unique in the archive.
    obstype : str
        Observation type, upper case; empty where the archive does not say.
    site, telescope, camera : str or None
        Where and with what it was taken.
    filter : str or None
        The bandpass element.
    reduction_level : int or None
        0 is raw.
    dateobs : datetime or None
        Start of the exposure, UTC.
    dayobs : date or None
        The night.
    exposure_time : float or None
        Seconds the shutter was open.
    proposal : str or None
        Identifier of the proposal.
    object : str or None
        The sky object.
    public_date : datetime or None
        When it becomes public, UTC.
    observation_id, request_id : int or None
        Numbers of the observation and of the request that asked for it.
    versions : tuple of ArchiveVersion
        Newest first; empty for a frame that was registered without a file.
    related_frame_ids : tuple of int
        Frame IDs; some may be placeholders that answer "no such frame".
    """

    frame_id: int
    basename: str
    obstype: str
    site: str | None
    telescope: str | None
    camera: str | None
    filter: str | None
    reduction_level: int | None
    dateobs: datetime | None
    dayobs: date | None
    exposure_time: float | None
    proposal: str | None
    object: str | None
    public_date: datetime | None
    observation_id: int | None
    request_id: int | None
    versions: tuple[ArchiveVersion, ...]
    related_frame_ids: tuple[int, ...] = ()

    @property
    def version(self) -> ArchiveVersion:
        """The newest version.

        Raises
        ------
        StoredFileNotFoundError
            If the frame was registered without a file.
        """
        if not self.versions:
            msg = f"frame {self.frame_id} ({self.basename}) has no file in the archive"
            raise StoredFileNotFoundError(msg)
        return self.versions[0]

    def version_with(self, md5: str) -> ArchiveVersion | None:
        """Return the version with this checksum, in any case of letters, or None."""
        wanted = md5.lower()
        return next((v for v in self.versions if v.md5.lower() == wanted), None)


def parse_frame(data: object) -> ArchiveFrame:
    """Return the frame that a JSON answer describes.

    Raises
    ------
    ValueError
        If it describes none: no whole number for the ID, no basename, no list of versions,
        or a field that holds something else than its kind of value.
    """
    row = _mapping(data, "a frame")
    basename = _required(row, "basename", str)
    if not basename:
        msg = "'basename' is empty"
        raise ValueError(msg)
    return ArchiveFrame(
        frame_id=parse_id(row.get("id")),
        basename=basename,
        obstype=canonical_obstype(_optional(row, "configuration_type", _text) or ""),
        site=_optional(row, "site_id", _text),
        telescope=_optional(row, "telescope_id", _text),
        camera=_optional(row, "instrument_id", _text),
        filter=_optional(row, "primary_optical_element", _text),
        reduction_level=_optional(row, "reduction_level", _whole),
        dateobs=_optional(row, "observation_date", _time),
        dayobs=_optional(row, "observation_day", _day),
        exposure_time=_optional(row, "exposure_time", _number),
        proposal=_optional(row, "proposal_id", _text),
        object=_optional(row, "target_name", _text),
        public_date=_optional(row, "public_date", _time),
        observation_id=_optional(row, "observation_id", _whole),
        request_id=_optional(row, "request_id", _whole),
        versions=_newest_first([parse_version(v) for v in _required(row, "version_set", list)]),
        related_frame_ids=tuple(parse_id(i) for i in _optional(row, "related_frames", _list) or ()),
    )


def parse_version(data: object) -> ArchiveVersion:
    """Return the version that a JSON answer describes.

    Raises
    ------
    ValueError
        If its number, key, md5 or extension is missing or of another kind.
    """
    row = _mapping(data, "a version")
    return ArchiveVersion(
        id=parse_id(row.get("id")),
        version_key=_required(row, "key", str),
        md5=_required(row, "md5", str),
        extension=_required(row, "extension", str),
        created=_optional(row, "created", _time),
        url=_optional(row, "url", _text),
    )


def parse_id(value: object) -> int:
    """Return an ID of the archive.

    Raises
    ------
    ValueError
        If it is no whole number from 0 to `LARGEST_ID`.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        msg = "an ID is missing, or no whole number below 2^63"
        raise ValueError(msg)
    return value


def _newest_first(versions: list[ArchiveVersion]) -> tuple[ArchiveVersion, ...]:
    dated = [(v.created, v) for v in versions if v.created is not None]
    if len(dated) < len(versions):
        return tuple(versions)
    return tuple(v for _, v in sorted(dated, key=lambda pair: pair[0], reverse=True))


def _mapping(data: object, what: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        msg = f"{what} should be a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault, not a caller
    return data


def _required(row: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    value = row.get(name)
    if not isinstance(value, kind):
        msg = f"'{name}' is missing or no {kind.__name__}"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault, not a caller
    return value


def _optional(row: Mapping[str, Any], name: str, read: Callable[[Any], _T]) -> _T | None:
    value = row.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except (ValueError, OverflowError):
        msg = f"'{name}' holds a value that cannot be read"
        raise ValueError(msg) from None


def _kind(value: object, kinds: tuple[type, ...]) -> None:
    if isinstance(value, bool) or not isinstance(value, kinds):
        msg = f"a {type(value).__name__} where {kinds[0].__name__} was expected"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault, not a caller


def _text(value: Any) -> str:
    _kind(value, (str,))
    return str(value)


def _whole(value: Any) -> int:
    _kind(value, (int,))
    return int(value)


def _number(value: Any) -> float:
    _kind(value, (float, int))
    return float(value)


def _list(value: Any) -> list[Any]:
    _kind(value, (list,))
    return list(value)


def _time(value: Any) -> datetime:
    return parse_time(_text(value))


def _day(value: Any) -> date:
    return parse_day(_text(value))
