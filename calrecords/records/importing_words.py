"""The words that a row of an import may use, and where each one goes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

CONTENT = ("version_key", "md5", "sha256", "size", "key", "archived_at")
"""What may be learned of a version later."""

FACTS = (
    *("telescope", "filter", "binning", "configuration_mode", "exposure_time"),
    *("ccd_temperature", "ccd_measured_temperature", "reduction_level", "dateobs", "dayobs"),
    *("created", "public_date", "object", "proposal", "pipeline_name", "pipeline_version"),
    "attributes",
)
"""What a version's record says for good; a row that says otherwise is a conflict."""

MARKS = ("verdict", "good_after", "good_until")
COLUMNS = (*CONTENT, "extension", *FACTS, *MARKS, "dayobs_rule", "known_from")
"""Columns of a version that a row fills, in the order of `ImportRow.values`."""

AT = {name: at for at, name in enumerate(COLUMNS)}

_MARKING = tuple(
    f"{what}_{part}"
    for what in ("verdict", "validity")
    for part in ("reason", "author", "known_from")
)
_OTHERS = ("basename", "filename", "frame_id", "obstype", "is_master", "site", "camera")
PLACES = (*COLUMNS, *_OTHERS, "instrument", "inputs", *_MARKING)
"""Every word that a row may use itself, the columns first."""

PLACE = {name: at for at, name in enumerate(PLACES)}

WORDS = tuple(sorted([*PLACES, "version"]))
"""Every word that a row may use."""

_OF_VERSION = frozenset({"version_key", "md5", "sha256", "size", "extension", "key"})
TIMES = frozenset(name for name in PLACES if name.endswith("_known_from")) | {
    *("dateobs", "created", "public_date", "archived_at", "good_after", "good_until", "known_from")
}
"""Words that say a point in time."""


class BadRowError(ValueError):
    """A row cannot be recorded; the message says which word of it is at fault."""


def demand_words(names: tuple[Any, ...]) -> None:
    """Make sure that these are words that a row may use.

    Raises
    ------
    BadRowError
        If one is not; the message names the one that may be meant.
    """
    for name in names:
        if name not in PLACE:
            raise BadRowError(_unknown(name))


def _unknown(name: Any) -> str:
    near = difflib.get_close_matches(str(name)[:100], WORDS, 1)
    hint = f"is {near[0]} meant? A" if near else "a"
    return f"{str(name)[:100]!r} is no word that a row uses; {hint} further fact goes in attributes"


def flattened(row: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Return a row without its part ``version``, whose values become its own.

    Raises
    ------
    BadRowError
        If that part is none, or says something else than the row.
    """
    version = row["version"]
    flat = {name: value for name, value in row.items() if name != "version"}
    if version is None:
        return flat
    if not isinstance(version, Mapping):
        msg = f"version is of type {type(version).__name__}, not a mapping"
        raise BadRowError(msg)
    for name, value in version.items():
        if name not in _OF_VERSION:
            msg = f"version has {name!r:.100}, which is none of {', '.join(sorted(_OF_VERSION))}"
            raise BadRowError(msg)
        if flat.setdefault(name, value) != value:
            msg = f"{name} is given twice, and not alike"
            raise BadRowError(msg)
    return flat
