"""The words of the field, as frozen types and canonical spellings.

Values that mean the same are spelled in one way here, before anything compares them:
a binning of ``2 2`` and ``2x2``, a configuration mode of ``N/A`` and ``default``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

KNOWN_EXTENSIONS = (
    ".fits.fz",
    ".fits.gz",
    ".tar.gz",
    ".fits",
    ".fit.fz",
    ".fit.gz",
    ".fit",
    ".fts",
    ".pdf",
    ".jpeg",
    ".jpg",
)
"""Extensions that are cut from a file name as a whole, longest first."""

_BINNING = re.compile(r"\s*(\d{1,3})(?:\s*[xX,]\s*|\s+)(\d{1,3})\s*")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_TIME = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[T ](?P<hour>\d{2}):(?P<minute>\d{2})"
    r"(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)
_COMPACT_DAY = re.compile(r"\d{8}")
_DEFAULT_MODES = frozenset({"", "N/A", "0", "NORMAL", "DEFAULT", "NONE"})


@dataclass(frozen=True, slots=True, order=True)
class Binning:
    """Detector pixels per image pixel, x then y; prints as ``2x2``.

    Attributes
    ----------
    x, y : int
        Detector pixels per image pixel along each axis, at least 1.

    Examples
    --------
    >>> Binning.parse("2 2")
    Binning(x=2, y=2)
    >>> str(Binning(1, 4))
    '1x4'
    """

    x: int
    y: int

    def __post_init__(self) -> None:
        if self.x < 1 or self.y < 1:
            msg = f"a binning counts from 1, not {self.x}x{self.y}"
            raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.x}x{self.y}"

    @classmethod
    def parse(cls, value: object) -> Binning:
        """Return the binning that a text (``2 2``, ``2x2``, ``2,2``) or a pair means.

        Raises
        ------
        ValueError
            If the value is not two whole numbers of at least 1.
        """
        if isinstance(value, Binning):
            return value
        if isinstance(value, tuple | list) and len(value) == 2:
            value = f"{value[0]} {value[1]}"
        match = _BINNING.fullmatch(str(value))
        if match is None:
            msg = f"cannot read {value!r} as a binning; write it as '2 2' or '2x2'"
            raise ValueError(msg)
        return cls(int(match[1]), int(match[2]))


class ObservationType(StrEnum):
    """Observation types that calrecords knows; others are kept as they are, in upper case."""

    BIAS = "BIAS"
    DARK = "DARK"
    SKYFLAT = "SKYFLAT"
    LAMPFLAT = "LAMPFLAT"
    BPM = "BPM"
    READNOISE = "READNOISE"
    ARC = "ARC"
    DOUBLE = "DOUBLE"
    TRACE = "TRACE"
    TARGET = "TARGET"
    EXPOSE = "EXPOSE"
    SPECTRUM = "SPECTRUM"
    STANDARD = "STANDARD"
    CATALOG = "CATALOG"
    GUIDE = "GUIDE"
    TRAILED = "TRAILED"
    EXPERIMENTAL = "EXPERIMENTAL"


class Verdict(StrEnum):
    """What somebody said of a version; one that nobody marked is unknown."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class IngestionState(StrEnum):
    """How far an ingestion has come; each state is written after its effect is durable."""

    INTENDED = "intended"
    STORED = "stored"
    ARCHIVED = "archived"
    RECORDED = "recorded"
    FAILED = "failed"


def canonical_obstype(value: object) -> str:
    """Return an observation type in upper case, without blanks around it."""
    return str(value).strip().upper()


def canonical_configuration_mode(value: object) -> str:
    """Return the readout mode's name; N/A, 0, normal and none all mean ``default``."""
    text = "" if value is None else str(value).strip()
    return "default" if text.upper() in _DEFAULT_MODES else text


def split_filename(name: str) -> tuple[str, str]:
    """Return the basename and the extension of a file name, its directory dropped.

    A known extension (`KNOWN_EXTENSIONS`) is cut as a whole, in any case of letters; of
    another name the part after the last dot is cut. The extension keeps its dot and case.

    Examples
    --------
    >>> split_filename("/data/bias.fits.fz")
    ('bias', '.fits.fz')
    >>> split_filename("a.b.FITS")
    ('a.b', '.FITS')
    >>> split_filename("notes")
    ('notes', '')
    """
    filename = name.replace("\\", "/").rsplit("/", 1)[-1]
    lower = filename.lower()
    for extension in KNOWN_EXTENSIONS:
        if lower.endswith(extension) and len(filename) > len(extension):
            return filename[: -len(extension)], filename[-len(extension) :]
    stem, dot, suffix = filename.rpartition(".")
    return (stem, dot + suffix) if stem else (filename, "")


def parse_time(value: Any) -> datetime:
    """Return a point in time as an aware UTC datetime.

    Parameters
    ----------
    value : astropy.time.Time, datetime or str
        A `Time` in any scale, an aware datetime, or ISO 8601 text, which is UTC unless it
        carries an offset. A date alone means its first instant. Digits past the
        microsecond are cut, as the Science Archive cuts them.

    Raises
    ------
    ValueError
        If a datetime is naive, or a text is not a full ISO 8601 date. A leap second
        (``:60``) is refused, as Python's datetimes cannot hold it; ``24:00`` is the next day.
    """
    if hasattr(value, "utc") and hasattr(value, "to_datetime"):
        return value.utc.to_datetime(timezone=UTC)  # type: ignore[no-any-return]
    if isinstance(value, datetime):
        if value.tzinfo is None:
            msg = f"the time {value.isoformat()} has no time zone; say which, for example UTC"
            raise ValueError(msg)
        return value.astimezone(UTC)
    return _parse_iso(str(value).strip())


def _parse_iso(text: str) -> datetime:
    if _ISO_DATE.fullmatch(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    match = _ISO_TIME.fullmatch(text)
    if match is None:
        msg = f"cannot read {text!r} as a time; write it as YYYY-MM-DDThh:mm:ss[.sss], UTC"
        raise ValueError(msg)
    if match["second"] == "60":
        msg = f"{text!r} is a leap second, which no record can hold; use the second before"
        raise ValueError(msg)
    end_of_day = match["hour"] == "24"
    if end_of_day and {match["minute"], match["second"] or "00"} != {"00"}:
        msg = f"{text!r} is past the end of its day"
        raise ValueError(msg)
    moment = datetime.fromisoformat(
        f"{match['day']}T{'00' if end_of_day else match['hour']}:{match['minute']}"
        f":{match['second'] or '00'}.{(match['fraction'] or '0')[:6].ljust(6, '0')}"
        f"{match['zone'] or '+00:00'}"
    )
    try:
        return moment.astimezone(UTC) + timedelta(days=int(end_of_day))
    except OverflowError as error:
        msg = f"{text!r} is not in the years 1 to 9999, UTC"
        raise ValueError(msg) from error


def parse_day(value: object) -> date:
    """Return a night's date from ``YYYYMMDD`` or ``YYYY-MM-DD`` text, or from a date.

    Raises
    ------
    ValueError
        If the text is no date in one of these two forms.
    """
    if isinstance(value, datetime):
        msg = "a night is a date, not a time"
        raise ValueError(msg)  # noqa: TRY004 - a datetime is a date, so its value is at fault
    if isinstance(value, date):
        return value
    text = str(value).strip()
    if _COMPACT_DAY.fullmatch(text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if not _ISO_DATE.fullmatch(text):
        msg = f"cannot read {value!r} as a night; write it as YYYYMMDD or YYYY-MM-DD"
        raise ValueError(msg)
    return date.fromisoformat(text)
