"""Frames as rows of an astropy Table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from calrecords.frames import CalibrationFrame

if TYPE_CHECKING:
    from astropy.table import Table

Column = tuple[str, type, str | None]
"""Name, type and unit of a column; times and other words are text."""

_COLUMNS: tuple[Column, ...] = (
    ("frame_id", int, None),
    ("filename", str, None),
    ("obstype", str, None),
    ("is_master", bool, None),
    ("reduction_level", int, None),
    ("site", str, None),
    ("camera", str, None),
    ("instrument", str, None),
    ("telescope", str, None),
    ("filter", str, None),
    ("binning", str, None),
    ("configuration_mode", str, None),
    ("exposure_time", float, "s"),
    ("ccd_temperature", float, "deg_C"),
    ("ccd_measured_temperature", float, "deg_C"),
    ("dateobs", str, None),
    ("dayobs", str, None),
    ("created", str, None),
    ("public_date", str, None),
    ("object", str, None),
    ("proposal", str, None),
    ("pipeline_name", str, None),
    ("pipeline_version", str, None),
    ("verdict", str, None),
    ("md5", str, None),
)
_BLANK: dict[type, Any] = {int: 0, float: float("nan"), str: "", bool: False}


def frame_table(frames: Sequence[CalibrationFrame]) -> Table:
    """Return one row for each frame; what is not known is masked.

    Times are ISO 8601 text in UTC; exposure times have the unit s, temperatures deg C.
    """
    return make_table(_COLUMNS, [row_of(frame) for frame in frames])


def make_table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with these columns; what is None is masked.

    Parameters
    ----------
    columns : sequence of Column
        The columns, which an empty table has too.
    rows : sequence of mapping
        Values by column, as `plain_value` gives them.
    """
    import numpy as np
    from astropy.table import MaskedColumn, Table

    made = [
        MaskedColumn(
            np.array(
                [_BLANK[kind] if row[name] is None else row[name] for row in rows],
                dtype=kind if rows or kind is not str else "U1",
            ),
            name=name,
            mask=np.array([row[name] is None for row in rows], dtype=bool),
            unit=unit,
        )
        for name, kind, unit in columns
    ]
    return Table(made, copy=False)


def row_of(frame: CalibrationFrame) -> dict[str, Any]:
    """Return a frame as plain values, in the order of the table's columns."""
    row = {}
    for name, kind, _ in _COLUMNS:
        value = frame.version.md5 if name == "md5" else getattr(frame, name)
        row[name] = plain_value(value, kind)
    return row


def plain_value(value: Any, kind: type) -> Any:
    """Return a value as a column of this type holds it; None stays None."""
    return value if value is None else _text(value) if kind is str else kind(value)


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    return str(value)
