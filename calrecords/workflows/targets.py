"""What a caller may call a target, and what rules see of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from calrecords.datafiles import DataFile
from calrecords.datafiles.facts import read_facts
from calrecords.datafiles.mapping import HeaderMapping
from calrecords.datafiles.repairs import normalised
from calrecords.errors import InvalidTargetError
from calrecords.frames import CalibrationFrame, FrameFacts
from calrecords.selection import Target, make_target
from calrecords.vocabulary import KNOWN_EXTENSIONS
from calrecords.workflows.results import IngestResult


def target_of(
    target: Any,
    fields: Mapping[str, str],
    mapping: HeaderMapping,
    recorded: Callable[[Any], CalibrationFrame],
    opened: Callable[[str | Path], DataFile],
) -> Target:
    """Return a target from whatever describes it.

    Parameters
    ----------
    target : path, Header, mapping, DataFile, FrameFacts, CalibrationFrame, IngestResult or str
        What needs a calibration.
    fields : mapping
        Our names for an observatory's, for mappings.
    mapping : HeaderMapping
        Which keyword gives which fact, for headers.
    recorded : callable
        Gives a frame of the records.
    opened : callable
        Gives a data file.

    Raises
    ------
    InvalidTargetError
        If it is none of these, or lacks what every target needs.
    DataFileError, RecordNotFoundError
        If a file cannot be used, or a basename is not recorded.
    """
    if hasattr(target, "cards"):
        return make_target(_facts_of_header(target, mapping))
    if isinstance(target, Mapping):
        if fields:
            target = {fields.get(name, name): value for name, value in target.items()}
        return make_target(target)
    if isinstance(target, str | Path) and is_path(target):
        target = opened(target)
    if isinstance(target, DataFile):
        return _of_file(target)
    if isinstance(target, FrameFacts | CalibrationFrame):
        return make_target(target)
    if isinstance(target, str | int | IngestResult):
        return make_target(recorded(target))
    msg = (
        f"a target is a path, a header, a mapping, a data file, a frame or a basename, not a "
        f"{type(target).__name__}"
    )
    raise InvalidTargetError(msg)


def is_path(target: str | Path) -> bool:
    """Return whether a word is a path: it holds a separator, or ends in a known extension."""
    text = str(target)
    return (
        isinstance(target, Path)
        or "/" in text
        or "\\" in text
        or text.lower().endswith(KNOWN_EXTENSIONS)
    )


def _facts_of_header(header: Any, mapping: HeaderMapping) -> FrameFacts:
    """Return what an astropy header says; undefined values say nothing."""
    values = {
        str(keyword).upper(): value
        for keyword, value in header.items()
        if isinstance(value, str | bool | int | float)
    }
    return read_facts(normalised(values, mapping), mapping)


def _of_file(file: DataFile) -> Target:
    try:
        made = make_target(file.facts)
    except InvalidTargetError as error:
        msg = f"{file.path}: {error}"
        raise InvalidTargetError(msg) from error
    return Target({**made.values, "basename": file.basename}, made.dateobs, file.basename)
