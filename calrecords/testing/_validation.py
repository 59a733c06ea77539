"""What the archive refuses in a frame that is posted, and in which words."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from calrecords.testing._answers import CrashError, RefusalError
from calrecords.testing._frames import timestamp

TEXT_LENGTHS = {
    "proposal_id": 200,
    "instrument_id": 64,
    "target_name": 200,
    "site_id": 3,
    "telescope_id": 4,
    "primary_optical_element": 100,
}
VERSION_LENGTHS = {"key": 32, "md5": 32, "extension": 20}
BASENAME_LENGTH = 1000
LARGEST_ID = 2**31 - 1
LONGEST_NUMBER = 1000
REDUCTION_LEVELS = (-(2**15), 2**15 - 1)
REQUIRED = (
    "basename",
    "area",
    "version_set",
    "headers",
    "observation_day",
    "configuration_type",
    "related_frame_filenames",
)
NULLABLE = (
    "area",
    "observation_date",
    "exposure_time",
    "public_date",
    "observation_id",
    "request_id",
)
_INTEGER = re.compile(r"[+-]?\d+(?:\.0*)?")
_WRONG_TIME = (
    "Datetime has wrong format. Use one of these formats instead:"
    " YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
_WRONG_DAY = "Date has wrong format. Use one of these formats instead: YYYYMMDD, YYYY-MM-DD."

Taken = Callable[[str, str], bool]
"""Says whether a version has a value in a column, ``key`` or ``md5``."""


class _InvalidError(Exception):
    """A value that is refused, with what the archive says of it."""

    def __init__(self, said: Any) -> None:
        super().__init__(said)
        self.said = [said] if isinstance(said, str) else said


def check_frame(
    record: Mapping[str, Any],
    *,
    observation_types: Sequence[str],
    taken: Taken,
    partial: bool = False,
) -> dict[str, Any]:
    """Return the fields of a posted frame as they are stored.

    Parameters
    ----------
    record : mapping
        The body of the request.
    observation_types : sequence of str
        The archive's closed list.
    taken : callable
        Says whether a version's key or md5 is there already.
    partial : bool
        Whether fields may be left out.

    Raises
    ------
    RefusalError
        With status 400 and what is wrong with each field.
    CrashError
        Where the archive fails instead of refusing.
    """
    checks = _checks(observation_types, taken)
    fields: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, check in checks.items():
        if name not in record:
            if name in REQUIRED and not partial:
                errors[name] = ["This field is required."]
            continue
        try:
            fields[name] = _not_null(name, record[name], check)
        except _InvalidError as error:
            errors[name] = error.said
    if errors:
        raise RefusalError(400, errors)
    if len(fields.get("basename", "")) > BASENAME_LENGTH or _holds_null(fields.get("headers")):
        raise CrashError
    return fields


def _checks(observation_types: Sequence[str], taken: Taken) -> dict[str, Callable[[Any], Any]]:
    def text(name: str) -> Callable[[Any], str]:
        return lambda value: _text(value, longest=TEXT_LENGTHS[name], blank=True)

    def number(value: Any) -> int:
        return _integer(value, 0, LARGEST_ID)

    return {
        "basename": _text,
        "area": _polygon,
        "version_set": lambda value: _versions(value, taken),
        "headers": lambda value: value,
        "reduction_level": lambda value: _integer(value, *REDUCTION_LEVELS),
        "observation_day": _day,
        "observation_date": _time,
        "proposal_id": text("proposal_id"),
        "instrument_id": text("instrument_id"),
        "target_name": text("target_name"),
        "site_id": text("site_id"),
        "telescope_id": text("telescope_id"),
        "exposure_time": _number,
        "primary_optical_element": text("primary_optical_element"),
        "public_date": _time,
        "configuration_type": lambda value: _choice(value, observation_types),
        "observation_id": number,
        "request_id": number,
        "related_frame_filenames": _names,
    }


def _not_null(name: str, value: Any, check: Callable[[Any], Any]) -> Any:
    if value is not None:
        return check(value)
    if name in NULLABLE:
        return None
    raise _InvalidError("This field may not be null.")


def _holds_null(value: Any) -> bool:
    """Say whether a NUL character, which PostgreSQL cannot store, is anywhere in a document."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item:
                return True
        elif isinstance(item, dict):
            pending += item.keys()
            pending += item.values()
        elif isinstance(item, list):
            pending += item
    return False


def _text(value: Any, *, longest: int | None = None, blank: bool = False) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _InvalidError("Not a valid string.")
    text = str(value).strip()
    if not text and not blank:
        raise _InvalidError("This field may not be blank.")
    said = []
    if longest is not None and len(text) > longest:
        said.append(f"Ensure this field has no more than {longest} characters.")
    if "\0" in text:
        said.append("Null characters are not allowed.")
    if said:
        raise _InvalidError(said)
    return text


def _integer(value: Any, least: int, most: int) -> int:
    text = str(value).strip()
    if len(text) > LONGEST_NUMBER:
        raise _InvalidError("String value too large.")
    if not _INTEGER.fullmatch(text):
        raise _InvalidError("A valid integer is required.")
    number = int(text.partition(".")[0])
    if number > most:
        raise _InvalidError(f"Ensure this value is less than or equal to {most}.")
    if number < least:
        raise _InvalidError(f"Ensure this value is greater than or equal to {least}.")
    return number


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _InvalidError("A valid number is required.") from None
    if not math.isfinite(number):
        raise _InvalidError("A valid number is required.")
    return number


def _choice(value: Any, choices: Sequence[str]) -> str:
    if str(value) not in choices:
        raise _InvalidError(f'"{value}" is not a valid choice.')
    return str(value)


def _time(value: Any) -> str:
    try:
        moment = datetime.fromisoformat(value)
        return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (TypeError, ValueError, OverflowError):
        raise _InvalidError(_WRONG_TIME) from None


def _day(value: Any) -> str:
    text = str(value)
    if re.fullmatch(r"\d{8}|\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            pass
    raise _InvalidError(_WRONG_DAY)


def _polygon(value: Any) -> Any:
    try:
        rings = [[[float(x), float(y)] for x, y in ring] for ring in value["coordinates"]]
        closed = all(len(ring) >= 4 and ring[0] == ring[-1] for ring in rings)
    except (KeyError, TypeError, ValueError):
        closed = False
    if not closed or not rings or value.get("type") != "Polygon":
        raise _InvalidError(f"Invalid polygon: {value}")
    return {"type": "Polygon", "coordinates": rings}


def _names(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _InvalidError(f'Expected a list of items but got type "{type(value).__name__}".')
    names, errors = [], {}
    for index, item in enumerate(value):
        try:
            names.append(_not_null("", item, _text))
        except _InvalidError as error:
            errors[str(index)] = error.said
    if errors:
        raise _InvalidError(errors)
    return names


def _versions(value: Any, taken: Taken) -> list[dict[str, str]]:
    if not isinstance(value, list):
        said = f'Expected a list of items but got type "{type(value).__name__}".'
        raise _InvalidError({"non_field_errors": [said]})
    versions: list[dict[str, str]] = []
    errors: list[dict[str, Any]] = []
    for item in value:
        version, wrong = _version(item, taken)
        versions.append(version)
        errors.append(wrong)
    if any(errors):
        raise _InvalidError(errors)
    return versions


def _version(item: Any, taken: Taken) -> tuple[dict[str, str], dict[str, Any]]:
    if not isinstance(item, dict):
        said = f"Invalid data. Expected a dictionary, but got {type(item).__name__}."
        return {}, {"non_field_errors": [said]}
    version: dict[str, str] = {}
    errors: dict[str, Any] = {}
    for name, longest in VERSION_LENGTHS.items():
        if name not in item:
            errors[name] = ["This field is required."]
            continue
        try:
            version[name] = _version_text(name, item[name], longest, taken)
        except _InvalidError as error:
            errors[name] = error.said
    return version, errors


def _version_text(name: str, value: Any, longest: int, taken: Taken) -> str:
    text: str = _not_null("", value, lambda given: _text(given, longest=longest))
    if name != "extension" and taken(name, text):
        raise _InvalidError(f"version with this {name} already exists.")
    return text
