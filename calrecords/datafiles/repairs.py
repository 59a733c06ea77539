"""What is done to a header between the file and the archive: nulls, night, public date.

The rules are those by which the Observatory Control System's archive library fills its records,
so that a frame ingested by either is described in the same words. A night that the header lacks
is derived from the observation date, as there, but never without a warning: where midnight UTC
falls within the night, the derived night can be the wrong one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.mapping import HeaderMapping
from calrecords.datafiles.shown import shown
from calrecords.errors import InvalidKeywordError
from calrecords.vocabulary import canonical_obstype, parse_day, parse_time, split_filename

logger = logging.getLogger(__name__)

_DAYS_PRIVATE = 999 * 365
_LONGEST_KEYWORD = 80
_MOST_NUMBER = 10**70

ProposalTags: TypeAlias = Callable[[str], Collection[str]]
"""Gives the tags of a proposal by its ID."""


def invalid_keyword(name: str, keyword: str, value: object, wanted: str) -> InvalidKeywordError:
    """Return the error that names file, keyword and value, and what to do.

    Parameters
    ----------
    name : str
        Of the file.
    wanted : str
        What the value should be.
    """
    msg = (
        f"{name}: {keyword} is {shown(value)}, not {wanted};"
        " correct the header, or give the right value as metadata"
    )
    return InvalidKeywordError(msg)


def checked_metadata(metadata: Mapping[str, Any], name: str) -> dict[str, HeaderValue]:
    """Return metadata with values that a header can hold; times become ISO text.

    Raises
    ------
    InvalidKeywordError
        If a key or a value could not be in a card of 80 characters: a key that is no text or
        has too many letters, a whole number of more than 70 digits, a list, a mapping or
        another object, a text with a NUL.
    """
    checked: dict[str, HeaderValue] = {}
    for keyword, given in metadata.items():
        value = given.item() if getattr(given, "shape", None) == () else given
        if isinstance(value, date):
            value = value.isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            value = None
        if not _is_keyword(keyword):
            wanted = f"given for a text of at most {_LONGEST_KEYWORD} letters"
            raise invalid_keyword(name, shown(keyword), given, wanted)
        if not isinstance(value, bool | int | float | str | None):
            raise invalid_keyword(name, keyword, given, "a number, a text, a time or None")
        if isinstance(value, int) and abs(value) >= _MOST_NUMBER:
            raise invalid_keyword(name, keyword, value, "a number of at most 70 digits")
        if isinstance(value, str) and not _is_text(value):
            raise invalid_keyword(name, keyword, value, "a text of letters without NUL")
        checked[keyword] = value
    return checked


def _is_keyword(keyword: object) -> bool:
    return isinstance(keyword, str) and len(keyword) <= _LONGEST_KEYWORD and _is_text(keyword)


def _is_text(value: str) -> bool:
    """Return whether JSON and databases can hold a text."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def normalised(header: Mapping[str, HeaderValue], mapping: HeaderMapping) -> dict[str, HeaderValue]:
    """Return a header without blacklisted keywords, its null values made plain.

    A null value becomes None where the archive wants a number, else an empty text; there any
    text with "none" in it is null too. Names of related frames lose directory and extension.
    """
    numbers = {
        mapping.observation_id,
        mapping.configuration_id,
        mapping.request_id,
        mapping.requestgroup_id,
    }
    blacklist, nulls = frozenset(mapping.blacklist), frozenset(mapping.null_values)
    result: dict[str, HeaderValue] = {}
    for keyword, value in header.items():
        if keyword in blacklist:
            continue
        if isinstance(value, str) and value in nulls:
            value = None if keyword in numbers else ""
        elif isinstance(value, str) and keyword in numbers and "none" in value.lower():
            value = None
        result[keyword] = value
    for keyword in mapping.related_frames:
        named = result.get(keyword)
        if isinstance(named, str) and named:
            result[keyword] = split_filename(named)[0]
    return result


def repair_observation_day(
    header: dict[str, HeaderValue], mapping: HeaderMapping, name: str
) -> bool:
    """Fill in the night from the observation date where the header has none.

    Returns
    -------
    bool
        Whether it was filled in; then a warning was logged.

    Raises
    ------
    InvalidKeywordError
        If the night or the observation date cannot be read.
    """
    keyword = mapping.observation_day
    if not is_null(header.get(keyword)):
        read_day(header, keyword, name)
        return False
    dateobs = read_time(header, mapping.observation_date, name)
    if dateobs is None:
        return False
    header[keyword] = compact_day(dateobs.date())
    logger.warning(
        "%s has no night in %s; took the UTC date of %s, %s, which is wrong where midnight UTC"
        " falls in the night; give %s as metadata to say which night it is",
        name,
        keyword,
        mapping.observation_date,
        header[keyword],
        keyword,
    )
    return True


def repair_public_date(
    header: dict[str, HeaderValue],
    mapping: HeaderMapping,
    basename: str,
    name: str,
    *,
    proposal_tags: ProposalTags | None = None,
) -> None:
    """Fill in when the frame becomes public, where the header does not say.

    What the tags of its proposal say goes first. Else calibrations and frames of public
    proposals are public from their observation date, private ones after 999 years, any other
    after `HeaderMapping.days_until_public`.

    Parameters
    ----------
    proposal_tags : callable, optional
        Given the ID of the frame's proposal, returns its tags; called only where it matters, and
        what it raises is not caught.

    Raises
    ------
    InvalidKeywordError
        If the public date or the observation date cannot be read.
    """
    if not is_null(header.get(mapping.public_date)):
        read_time(header, mapping.public_date, name)
        return
    dateobs = read_time(header, mapping.observation_date, name)
    if dateobs is None:
        return
    proposal = str(header.get(mapping.proposal_id) or "").strip()
    tags = frozenset(proposal_tags(proposal)) if proposal and proposal_tags else frozenset()
    days = _days_until_public(header, mapping, basename, tags)
    if days == 0:
        header[mapping.public_date] = header[mapping.observation_date]
        return
    try:
        public = dateobs.replace(tzinfo=None) + timedelta(days=days)
    except OverflowError as error:
        wanted = f"a time that still has a date {days} days later"
        raise invalid_keyword(name, mapping.observation_date, dateobs, wanted) from error
    header[mapping.public_date] = public.isoformat()


def _days_until_public(
    header: Mapping[str, HeaderValue], mapping: HeaderMapping, basename: str, tags: frozenset[str]
) -> int:
    if not tags.isdisjoint(mapping.private_proposal_tags):
        return _DAYS_PRIVATE
    if not tags.isdisjoint(mapping.public_proposal_tags):
        return 0
    obstype = canonical_obstype(header.get(mapping.configuration_type) or "")
    proposal = str(header.get(mapping.proposal_id) or "")
    if obstype in mapping.calibration_types or _holds(proposal, mapping.public_proposals):
        return 0
    if _holds(proposal, mapping.private_proposals) or _holds(basename, mapping.private_file_types):
        return _DAYS_PRIVATE
    return mapping.days_until_public


def _holds(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def compact_day(day: date) -> str:
    """Return a night as ``YYYYMMDD``; strftime would write the year 987 with three digits."""
    return day.isoformat().replace("-", "")


def is_null(value: HeaderValue) -> bool:
    """Return whether a header value is absent, undefined or a blank text."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_time(header: Mapping[str, HeaderValue], keyword: str, name: str) -> datetime | None:
    """Return a keyword's time, aware UTC, or None where it is null.

    Raises
    ------
    InvalidKeywordError
        If it is no time that a record can hold.
    """
    value = header.get(keyword)
    if is_null(value):
        return None
    try:
        return parse_time(value)
    except (ValueError, OverflowError) as error:
        raise invalid_keyword(name, keyword, value, f"a time ({error!s:.200})") from error


def read_day(header: Mapping[str, HeaderValue], keyword: str, name: str) -> date | None:
    """Return a keyword's date, or None where it is null.

    Raises
    ------
    InvalidKeywordError
        If it is no date.
    """
    value = header.get(keyword)
    if is_null(value):
        return None
    try:
        return parse_day(value)
    except (ValueError, OverflowError) as error:
        raise invalid_keyword(name, keyword, value, f"a night ({error!s:.200})") from error
