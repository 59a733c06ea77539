"""Our words for what the archive can be searched by, and what it calls each of them.

The archive ignores a filter that it does not know and one whose value is empty, and answers
with everything. So both are refused here, before anything is sent, and every frame that
comes back is compared with what was asked, where a frame shows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from calrecords.archive.areas import written_area
from calrecords.archive.models import LARGEST_ID, ArchiveFrame
from calrecords.errors import ArchiveRefusedError
from calrecords.vocabulary import canonical_obstype, parse_day, parse_time

_LONGEST_TEXT = 1000

Written: TypeAlias = str | list[str]
"""How a value is sent; several are sent under one name."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One way to narrow a search.

    Attributes
    ----------
    parameter : str
        What the archive calls it. Its names are case-sensitive.
    read : callable
        Returns the value in its one spelling, or raises ValueError.
    write : callable
        Returns how the archive wants the value.
    agrees : callable or None
        Whether a frame agrees with the value; None where a frame does not show it.
    """

    parameter: str
    read: Callable[[Any], Any]
    write: Callable[[Any], Written]
    agrees: Callable[[ArchiveFrame, Any], bool] | None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the archive's list of frames.

    Attributes
    ----------
    parameters : mapping
        As they are sent.
    asked : mapping
        The values that were asked for, by our words.
    """

    parameters: Mapping[str, Written]
    asked: Mapping[str, Any]

    def disagreement(self, frame: ArchiveFrame) -> str | None:
        """Return the word whose filter cannot have been applied to a frame, None if all were."""
        for word, value in self.asked.items():
            agrees = FILTERS[word].agrees
            if agrees is not None and not agrees(frame, value):
                return word
        return None


def question(
    filters: Mapping[str, object], ordering: str | Sequence[str] | None, *, with_related: bool
) -> Question:
    """Return what to ask of the archive.

    Parameters
    ----------
    filters : mapping
        Values by our words.
    ordering : str, sequence of str or None
        Our words (`ORDERINGS`), each with a minus before it to begin with the largest.
    with_related : bool
        Whether the frames shall name their related ones, which takes the archive longer.

    Raises
    ------
    ArchiveRefusedError
        If a word is unknown, or a value is empty or cannot be one.
    """
    asked = {word: _value(word, value) for word, value in filters.items()}
    parameters = {FILTERS[w].parameter: FILTERS[w].write(value) for w, value in asked.items()}
    parameters["ordering"] = _order(ordering)
    if not with_related:
        parameters["include_related_frames"] = "false"
    return Question(parameters, asked)


def _value(word: str, value: object) -> object:
    if word not in FILTERS:
        msg = (
            f"the archive cannot be searched by {word!r}, only by {', '.join(sorted(FILTERS))}; "
            "it was not asked"
        )
        raise ArchiveRefusedError(msg)
    if value is None or (isinstance(value, str) and not value.strip()):
        msg = (
            f"{word}={value!r}: the archive takes an empty value for no filter at all and cannot "
            f"be asked for frames without one; leave {word} out, and choose among what comes"
        )
        raise ArchiveRefusedError(msg)
    try:
        return FILTERS[word].read(value)
    except (ValueError, OverflowError) as error:
        failure = ArchiveRefusedError(f"{word}={value!r}: {error}; the archive was not asked")
    raise failure


def _order(ordering: str | Sequence[str] | None) -> str:
    words = [ordering] if isinstance(ordering, str) else list(ordering or ())
    names = []
    for word in words:
        bare = word.removeprefix("-")
        if bare not in ORDERINGS:
            msg = (
                f"the archive cannot order by {word!r}, only by {', '.join(sorted(ORDERINGS))}, "
                "with '-' for descending; it was not asked"
            )
            raise ArchiveRefusedError(msg)
        names.append(word[: len(word) - len(bare)] + ORDERINGS[bare])
    if not {"id", "-id"} & set(names):
        names.append("id")  # equal values would come in any order, and differ between pages
    return ",".join(names)


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"a text is needed, not {type(value).__name__}"
        raise ValueError(msg)  # noqa: TRY004 - told as any other value that cannot be asked
    if value != value.strip():
        msg = "the archive drops blanks at the ends of a value"
        raise ValueError(msg)
    if "\0" in value or len(value) > _LONGEST_TEXT:
        msg = f"the archive takes no NUL character, and no more than {_LONGEST_TEXT} others"
        raise ValueError(msg)
    return str(value)


def _obstype(value: object) -> str:
    return canonical_obstype(_text(value))


def _obstypes(value: object) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        msg = "give a list of observation types"
        raise ValueError(msg)  # noqa: TRY004 - told as any other value that cannot be asked
    types = sorted({_obstype(item) for item in value})
    if not types or "" in types:
        msg = "the archive takes an empty value for no filter at all"
        raise ValueError(msg)
    return types


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_ID:
        msg = "a whole number from 0 to 2^63 - 1 is needed"
        raise ValueError(msg)
    return int(value)


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        msg = "a number of seconds is needed"
        raise ValueError(msg)  # noqa: TRY004 - told as any other value that cannot be asked
    if not math.isfinite(value) or value < 0:
        msg = "a number of seconds is finite and not negative"
        raise ValueError(msg)
    return float(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        msg = "True or False is needed"
        raise ValueError(msg)  # noqa: TRY004 - told as any other value that cannot be asked
    return value


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _write_flag(value: bool) -> str:
    return "true" if value else "false"


def _write_not(value: bool) -> str:
    return _write_flag(not value)


def _contains(text: str | None, part: str) -> bool:
    # the database compares in upper case, Python folds some letters that it does not
    return text is not None and (part.casefold() in text.casefold() or part.upper() in text.upper())


def _since(moment: datetime | None, start: datetime) -> bool:
    return moment is not None and moment >= start


def _until(moment: datetime | None, end: datetime) -> bool:
    return moment is not None and moment <= end


def _equal(parameter: str, name: str, read: Callable[[Any], Any] = _text) -> Filter:
    return Filter(parameter, read, str, lambda frame, value: getattr(frame, name) == value)


def _moment(parameter: str, name: str) -> Filter:
    return Filter(
        parameter, parse_time, _write_time, lambda frame, value: getattr(frame, name) == value
    )


FILTERS: Mapping[str, Filter] = {
    "start": Filter("start", parse_time, _write_time, lambda f, v: _since(f.dateobs, v)),
    "end": Filter("end", parse_time, _write_time, lambda f, v: _until(f.dateobs, v)),
    "dateobs": _moment("DATE_OBS", "dateobs"),
    "dayobs": Filter("dayobs", parse_day, date.isoformat, lambda f, v: f.dayobs == v),
    "basename": _equal("basename_exact", "basename"),
    "basename_contains": Filter("basename", _text, str, lambda f, v: _contains(f.basename, v)),
    "object": _equal("target_name_exact", "object"),
    "object_contains": Filter("target_name", _text, str, lambda f, v: _contains(f.object, v)),
    "has_object": Filter("empty_target_name", _flag, _write_not, lambda f, v: bool(f.object) is v),
    "public": Filter("public", _flag, _write_flag, None),
    "public_date": _moment("L1PUBDAT", "public_date"),
    "min_exposure_time": Filter(
        "exposure_time",
        _seconds,
        repr,
        lambda f, v: f.exposure_time is not None and f.exposure_time >= v,
    ),
    "obstype": _equal("configuration_type", "obstype", _obstype),
    "obstypes": Filter("include_configuration_type", _obstypes, list, lambda f, v: f.obstype in v),
    "exclude_obstypes": Filter(
        "exclude_configuration_type", _obstypes, list, lambda f, v: f.obstype not in v
    ),
    "exclude_calibrations": Filter("exclude_calibrations", _flag, _write_flag, None),
    "proposal": _equal("proposal_id", "proposal"),
    "camera": _equal("instrument_id", "camera"),
    "site": _equal("site_id", "site"),
    "telescope": _equal("telescope_id", "telescope"),
    "filter": _equal("primary_optical_element", "filter"),
    "reduction_level": _equal("reduction_level", "reduction_level", _whole),
    "observation_id": _equal("observation_id", "observation_id", _whole),
    "request_id": _equal("request_id", "request_id", _whole),
    "submitter": Filter("submitter", _text, str, None),
    "covers": Filter("covers", written_area, str, None),
    "intersects": Filter("intersects", written_area, str, None),
}
"""Every filter of the archive, under our word for it."""

ORDERINGS: Mapping[str, str] = {
    "frame_id": "id",
    "basename": "basename",
    "dateobs": "observation_date",
    "filter": "primary_optical_element",
    "obstype": "configuration_type",
    "proposal": "proposal_id",
    "camera": "instrument_id",
    "object": "target_name",
    "reduction_level": "reduction_level",
    "exposure_time": "exposure_time",
}
"""What the archive can order by; it passes over any other name without a word."""
