"""One row of an import: a mapping in our words, checked, and spelled as the database holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from calrecords.errors import ConfigurationError
from calrecords.records.importing_values import (
    AttributesReader,
    Reader,
    binning_of,
    day_of,
    demand_no_fault,
    inputs_of,
    md5_of,
    mode_of,
    number_of,
    obstype_of,
    remembering,
    sha256_of,
    text_of,
    time_of,
    truth_of,
    verdict_of,
    whole_number_of,
)
from calrecords.records.importing_words import (
    AT,
    COLUMNS,
    PLACE,
    PLACES,
    TIMES,
    BadRowError,
    demand_words,
    flattened,
)
from calrecords.vocabulary import split_filename

_KEPT_AS_TIMES = ("dateobs", "created", "known_from")
_READERS: dict[str, Reader] = {
    "binning": binning_of,
    "configuration_mode": mode_of,
    "dayobs": day_of,
    "frame_id": whole_number_of("frame_id", 0),
    "inputs": inputs_of,
    "is_master": truth_of,
    "md5": md5_of,
    "obstype": obstype_of,
    "reduction_level": whole_number_of("reduction_level"),
    "sha256": sha256_of,
    "size": whole_number_of("size", 0),
    "verdict": verdict_of,
    **dict.fromkeys(("exposure_time", "ccd_temperature", "ccd_measured_temperature"), number_of),
}
_RARELY_ALIKE = frozenset({"basename", "filename", "frame_id", "md5", "sha256", "version_key"}) | {
    *("key", "size", "inputs", "attributes")
}
_SURELY_SHORT = 100
_PLANS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a database is handed times and nights.

    Attributes
    ----------
    time, day : callable
        Return what its driver takes.
    """

    time: Callable[[datetime], Any]
    day: Callable[[date], Any]


SQLITE_SPELLING = Spelling(
    time=lambda moment: moment.isoformat(" ", "microseconds")[:26],
    day=date.isoformat,
)
PLAIN_SPELLING = Spelling(time=lambda moment: moment, day=lambda day: day)


@dataclass(slots=True)
class Marking:
    """Why, by whom and since when something is said of a version.

    Attributes
    ----------
    reason, author : str or None
        As the row says.
    known_from : object
        Since when, as the database spells a time; None where the row does not say.
    """

    reason: str | None
    author: str | None
    known_from: Any


class ImportRow:
    """A row that can be recorded.

    Attributes
    ----------
    basename : str
        The frame.
    frame_id : int or None
        The archive's number.
    obstype, site, camera, instrument : str
        What the frame is, and where it is from.
    is_master : bool or None
        None where the row does not say.
    values : list
        One for each of `COLUMNS`, as the database spells it.
    dateobs, known_from : datetime or None
        As they are in `values`, but as times, UTC.
    attributes : mapping
        Further facts, as they were given.
    inputs : tuple
        Pairs of keyword and basename.
    verdict, validity : Marking or None
        What is said of the verdict and of the validity, where the row does.
    """

    __slots__ = (
        *("attributes", "basename", "camera", "dateobs", "frame_id", "inputs", "instrument"),
        *("is_master", "known_from", "obstype", "site", "validity", "values", "verdict"),
    )

    def __init__(self, found: list[Any], spell_time: Callable[[datetime], Any]) -> None:
        place = PLACE
        self.basename: str = found[place["basename"]]
        self.frame_id: int | None = found[place["frame_id"]]
        self.obstype: str = found[place["obstype"]]
        self.is_master: bool | None = found[place["is_master"]]
        self.site: str = found[place["site"]]
        self.camera: str = found[place["camera"]]
        self.instrument: str = found[place["instrument"]] or self.camera
        self.inputs: tuple[tuple[str, str], ...] = found[place["inputs"]] or ()
        self.attributes: Mapping[str, Any] = {}
        self.verdict: Marking | None = None
        self.validity: Marking | None = None
        if given := found[AT["attributes"]]:
            self.attributes, found[AT["attributes"]] = given
        self.dateobs: datetime | None = found[AT["dateobs"]]
        self.known_from: datetime | None = found[AT["known_from"]]
        for name in _KEPT_AS_TIMES:
            if (moment := found[AT[name]]) is not None:
                found[AT[name]] = spell_time(moment)
        if found[AT["verdict"]] not in (None, "unknown"):
            self.verdict = Marking(*found[place["verdict_reason"] : place["validity_reason"]])
        if found[AT["good_after"]] is not None or found[AT["good_until"]] is not None:
            self.validity = Marking(*found[place["validity_reason"] :])
        self.values = found[: len(COLUMNS)]


class RowReader:
    """Reads the rows of one import; what comes again is read once.

    Parameters
    ----------
    spelling : Spelling
        Of the database.
    now : datetime
        No row may be known from a later time on, UTC.
    known_from : time, "created" or None
        From when on a frame counts as known, where its row does not say.

    Raises
    ------
    ConfigurationError
        If `known_from` cannot be used.
    """

    def __init__(self, spelling: Spelling, now: datetime, known_from: Any = None) -> None:
        self._spelling = spelling
        self._now = now
        self._spelled_now = spelling.time(now)
        self._is_known_from_created = known_from == "created"
        self._known_from = _moment_before(known_from, now)
        self._readers = {name: self._reader_of(name) for name in PLACES}
        self._plans: dict[tuple[Any, ...], list[tuple[Any, int, Reader]]] = {}

    def read(self, row: Any) -> ImportRow:
        """Return a row that can be recorded.

        Raises
        ------
        BadRowError
            If it is no mapping, uses a word that is not ours, lacks one that is needed, or
            has a value that cannot be recorded.
        """
        if not isinstance(row, Mapping):
            msg = f"is of type {type(row).__name__}, not a mapping"
            raise BadRowError(msg)
        if "version" in row:
            row = flattened(row)
        found: list[Any] = [None] * len(PLACES)
        name: Any = None
        try:
            for name, at, read in self._plan(row):
                value = row[name]
                if value is not None:
                    found[at] = read(value)
        except (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError) as error:
            if isinstance(error, BadRowError):
                raise
            raise BadRowError(_said(name, error)) from None
        self._complete(found)
        return ImportRow(found, self._spelling.time)

    def _plan(self, row: Mapping[Any, Any]) -> list[tuple[Any, int, Reader]]:
        names = tuple(row)
        plan = self._plans.get(names)
        if plan is None:
            demand_words(names)
            plan = [(name, PLACE[name], self._readers[name]) for name in names]
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            self._plans[names] = plan
        return plan

    def _reader_of(self, name: str) -> Reader:
        if name == "attributes":
            return AttributesReader()
        read = _READERS.get(name)
        if name in _KEPT_AS_TIMES:
            return time_of
        if name in TIMES:
            return _spelled(time_of, self._spelling.time)
        if name == "dayobs":
            read = _spelled(day_of, self._spelling.day)
        read = read or text_of(name)
        return read if name in _RARELY_ALIKE else remembering(read)

    def _complete(self, found: list[Any]) -> None:
        _cut_name(found)
        for name in ("obstype", "site", "camera"):
            if not found[PLACE[name]]:
                msg = f"{name} is missing"
                raise BadRowError(msg)
        after, until = found[AT["good_after"]], found[AT["good_until"]]
        if None not in (after, until) and after >= until:
            msg = f"good_until {until} is not after good_after {after}: it would never be valid"
            raise BadRowError(msg)
        if found[AT["known_from"]] is None:
            found[AT["known_from"]] = self._known_by_default(found[AT["created"]])
        for name in ("known_from", "verdict_known_from", "validity_known_from"):
            since = found[PLACE[name]]
            now = self._now if name in _KEPT_AS_TIMES else self._spelled_now
            if since is not None and since > now:
                msg = f"{name} {since} is in the future"
                raise BadRowError(msg)

    def _known_by_default(self, created: datetime | None) -> datetime | None:
        if self._is_known_from_created and created is not None and created <= self._now:
            return created
        return self._known_from


def _moment_before(known_from: Any, now: datetime) -> datetime | None:
    if known_from is None or known_from == "created":
        return None
    try:
        moment = time_of(known_from)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"known_from={known_from!r}: {error}; or write 'created'"
        raise ConfigurationError(msg) from None
    if moment is not None and moment > now:
        msg = f"known_from={known_from!r} is in the future"
        raise ConfigurationError(msg)
    return moment


def _cut_name(found: list[Any]) -> None:
    """Find basename and extension, which a file name gives too."""
    basename, extension = found[PLACE["basename"]], found[AT["extension"]]
    filename = found[PLACE["filename"]]
    if filename is not None:
        cut, end = split_filename(filename)
        if basename not in (None, cut) or extension not in (None, end):
            msg = f"filename {filename!r} does not agree with basename and extension"
            raise BadRowError(msg)
        basename, extension = cut, end
    if not basename:
        msg = "neither basename nor filename is given"
        raise BadRowError(msg)
    if "/" in basename or "\\" in basename:
        msg = f"basename {basename!r:.200} holds a slash"
        raise BadRowError(msg)
    for name, text in (("basename", basename), ("extension", extension)):
        if text is not None and (len(text) > _SURELY_SHORT or not text.isascii()):
            try:
                demand_no_fault(text, name)
            except ValueError as error:
                raise BadRowError(_said(name, error)) from None
    found[PLACE["basename"]], found[AT["extension"]] = basename, extension or ""


def _spelled(read: Reader, spell: Callable[[Any], Any]) -> Reader:
    def read_and_spell(value: Any) -> Any:
        found = read(value)
        return None if found is None else spell(found)

    return read_and_spell


def _said(name: Any, error: Exception) -> str:
    return f"{name}: {str(error) or type(error).__name__}"
