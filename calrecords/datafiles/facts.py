"""From a header to the facts that calrecords records and rules match."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.fibers import lit_fibers
from calrecords.datafiles.mapping import LCO_MAPPING, HeaderMapping
from calrecords.datafiles.repairs import invalid_keyword, is_null, read_day, read_time
from calrecords.frames import FrameFacts
from calrecords.vocabulary import (
    Binning,
    canonical_configuration_mode,
    canonical_obstype,
    split_filename,
)

_UTC_NAMES = frozenset({"UTC", "UT", "GMT"})
_CATALOG = "CATALOG"
_NUMBER = re.compile(r"\d{1,18}")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}")
_TRUTH = {"T": True, "TRUE": True, "F": False, "FALSE": False}


def read_facts(
    header: Mapping[str, HeaderValue],
    mapping: HeaderMapping = LCO_MAPPING,
    *,
    name: str = "the header",
    is_master: bool | None = None,
    dayobs_rule: str = "header",
) -> FrameFacts:
    """Return what a header says, in our words.

    Parameters
    ----------
    header : mapping
        As `DataFile.header` has it: null values are None or empty texts.
    mapping : HeaderMapping
        Which keyword gives which fact.
    name : str
        File name, for messages, and to leave out of a frame's inputs the frame itself.
    is_master : bool, optional
        Whether it was made by combining several frames; by default as the header says, and
        False where it does not say.
    dayobs_rule : {"header", "metadata", "dateobs"}
        What gave the night.

    Raises
    ------
    InvalidKeywordError
        If site, camera or observation type is empty, or a value is not of its kind, or times
        are not in UTC.
    """
    _demand_utc(header, mapping, name)
    read = _Reader(header, name)
    camera = read.needed(mapping.instrument_id)
    obstype = canonical_obstype(read.needed(mapping.configuration_type))
    dayobs = read_day(header, mapping.observation_day, name)
    return FrameFacts(
        obstype=obstype,
        site=read.needed(mapping.site_id),
        camera=camera,
        instrument=read.text(mapping.instrument_name) or camera,
        telescope=read.text(mapping.telescope_id),
        dateobs=read_time(header, mapping.observation_date, name),
        dayobs=dayobs,
        dayobs_rule=None if dayobs is None else dayobs_rule,
        is_master=read.truth(mapping.is_master) if is_master is None else is_master,
        reduction_level=read.whole_number(mapping.reduction_level),
        filter=read.text(mapping.primary_optical_element),
        binning=read.binning(mapping.binning),
        configuration_mode=canonical_configuration_mode(header.get(mapping.configuration_mode)),
        exposure_time=read.number(mapping.exposure_time),
        ccd_temperature=read.number(mapping.ccd_temperature),
        ccd_measured_temperature=read.number(mapping.ccd_measured_temperature),
        created=read_time(header, mapping.created, name),
        public_date=read_time(header, mapping.public_date, name),
        object=read.text(mapping.target_name),
        proposal=read.text(mapping.proposal_id),
        pipeline_name=read.text(mapping.pipeline_name),
        pipeline_version=read.text(mapping.pipeline_version),
        inputs=tuple(_inputs(header, mapping, split_filename(name)[0], obstype)),
        attributes=_attributes(header, mapping),
    )


def _attributes(
    header: Mapping[str, HeaderValue], mapping: HeaderMapping
) -> dict[str, HeaderValue]:
    """Return further facts: keywords as they are, and what is derived from one."""
    as_written = {key: header[key] for key in mapping.attributes if not is_null(header.get(key))}
    return {**as_written, **lit_fibers(header.get(mapping.fiber_contents))}


def related_basenames(
    header: Mapping[str, HeaderValue], mapping: HeaderMapping
) -> Iterator[tuple[str, str]]:
    """Yield keyword and basename of each frame that a repaired header calls related."""
    for keyword in mapping.related_frames:
        value = header.get(keyword)
        if not is_null(value):
            yield keyword, str(value)


def _inputs(
    header: Mapping[str, HeaderValue], mapping: HeaderMapping, own: str, obstype: str
) -> Iterator[tuple[str, str]]:
    """Yield what the frame was made from; not itself, nor a catalogue made from it."""
    for keyword, basename in related_basenames(header, mapping):
        is_product = keyword == mapping.catalog_target_frame and obstype != _CATALOG
        if basename != own and not is_product:
            yield keyword, basename
    for keyword in _numbered(header, mapping.input_frame_prefix):
        if not is_null(header[keyword]):
            yield keyword, split_filename(str(header[keyword]))[0]


def _numbered(header: Mapping[str, HeaderValue], prefix: str) -> list[str]:
    """Return the keywords that are a prefix and a number, in the order of the numbers."""
    if not prefix:
        return []
    found = [
        key for key in header if key.startswith(prefix) and _NUMBER.fullmatch(key, len(prefix))
    ]
    return sorted(found, key=lambda key: int(key[len(prefix) :]))


def _demand_utc(header: Mapping[str, HeaderValue], mapping: HeaderMapping, name: str) -> None:
    """Refuse times that are not in UTC; no time scale means UTC (FITS Standard 4.0, 9.2.1)."""
    scale = header.get(mapping.time_scale)
    if not is_null(scale) and str(scale).strip().upper() not in _UTC_NAMES:
        raise invalid_keyword(name, mapping.time_scale, scale, "UTC, which all times must be in")


class _Reader:
    """Reads one kind of value at a time from one header, naming the keyword in each error."""

    def __init__(self, header: Mapping[str, HeaderValue], name: str) -> None:
        self._header = header
        self._name = name

    def _invalid(self, keyword: str, wanted: str) -> Exception:
        return invalid_keyword(self._name, keyword, self._header.get(keyword), wanted)

    def text(self, keyword: str) -> str | None:
        value = self._header.get(keyword)
        return None if is_null(value) else str(value).strip()

    def needed(self, keyword: str) -> str:
        value = self.text(keyword)
        if value is None:
            raise self._invalid(keyword, "a name")
        return value

    def number(self, keyword: str) -> float | None:
        value: Any = self._header.get(keyword)
        if is_null(value):
            return None
        try:
            number = math.inf if isinstance(value, bool) else float(value)
        except (ValueError, OverflowError) as error:
            raise self._invalid(keyword, "a number") from error
        if math.isinf(number):
            raise self._invalid(keyword, "a finite number")
        return None if math.isnan(number) else number

    def whole_number(self, keyword: str) -> int | None:
        value = self._header.get(keyword)
        if is_null(value):
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value.strip()):
            return int(value)
        raise self._invalid(keyword, "a whole number")

    def truth(self, keyword: str) -> bool:
        value = self._header.get(keyword)
        if is_null(value):
            return False
        if isinstance(value, bool) or value in {0, 1}:
            return bool(value)
        truth = _TRUTH.get(str(value).strip().upper())
        if truth is None:
            raise self._invalid(keyword, "true or false")
        return truth

    def binning(self, keyword: str) -> Binning | None:
        value = self._header.get(keyword)
        if is_null(value):
            return None
        try:
            return Binning.parse(value)
        except ValueError as error:
            raise self._invalid(keyword, "a binning such as '2 2'") from error
