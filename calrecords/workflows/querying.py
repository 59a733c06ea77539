"""Questions to the records, in whatever spelling a user has them."""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Mapping
from typing import Any

from calrecords.errors import ConfigurationError
from calrecords.frames import CalibrationFrame
from calrecords.records import FrameFilter, RecordDatabase
from calrecords.vocabulary import Binning, Verdict, parse_day, parse_time

log = logging.getLogger(__name__)

ROW_LIMIT = 1000
"""How many rows a query gives unless it is told otherwise."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        msg = "write text"
        raise TypeError(msg)
    return value


def _truth(value: Any) -> bool:
    if value not in (True, False):
        msg = "write True or False"
        raise ValueError(msg)
    return bool(value)


_READ: dict[str, Callable[[Any], Any]] = {
    "start": parse_time,
    "end": parse_time,
    "dayobs": parse_day,
    "binning": Binning.parse,
    "verdict": Verdict,
    "is_master": _truth,
    "all_versions": _truth,
    "reduction_level": operator.index,
}


def find_frames(
    database: RecordDatabase, row_limit: int, criteria: Mapping[str, Any]
) -> list[CalibrationFrame]:
    """Return the frames that match, newest observation first; -1 is no limit.

    Raises
    ------
    ConfigurationError
        If a criterion is unknown, or has a value that cannot be used.
    """
    try:
        limit = None if operator.index(row_limit) < 0 else row_limit
    except TypeError:
        msg = f"row_limit={row_limit!r}: write a whole number; -1 is no limit"
        raise ConfigurationError(msg) from None
    frames = database.find(_filter(criteria), None if limit is None else limit + 1)
    if limit is not None and len(frames) > limit:
        log.warning("only the first %d frames are listed; row_limit=-1 lists all", limit)
    return frames[:limit]


def _filter(criteria: Mapping[str, Any]) -> FrameFilter:
    known = FrameFilter.__dataclass_fields__
    if unknown := sorted(set(criteria) - set(known)):
        msg = f"cannot query by {', '.join(unknown)}; known are {', '.join(known)}"
        raise ConfigurationError(msg)
    values: dict[str, Any] = {}
    for name, value in criteria.items():
        try:
            read: Callable[[Any], Any] = _READ.get(name, _text)
            values[name] = None if value is None else read(value)
        except (TypeError, ValueError) as error:
            msg = f"cannot query by {name}={value!r}: {error}"
            raise ConfigurationError(msg) from None
    return FrameFilter(**values)
