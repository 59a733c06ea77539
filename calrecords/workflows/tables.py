"""Frames as rows of an astropy Table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from calrecords.frames import CalibrationFrame

if TYPE_CHECKING:
    from astropy.table import Table

_COLUMNS: tuple[tuple[str, type, str | None], ...] = (
    ("frame_id", int, None),
    ("filename", str, None),
    ("obstype", str, None),
    ("is_master", bool, None),
    ("reduction_level", int, None),
    ("site", str, None),
    ("camera", str, None),
    ("instrument", str, None),
    ("filter", str, None),
    ("binning", str, None),
    ("configuration_mode", str, None),
    ("exposure_time", float, "s"),
    ("ccd_temperature", float, "deg_C"),
    ("dateobs", str, None),
    ("dayobs", str, None),
    ("created", str, None),
    ("verdict", str, None),
    ("md5", str, None),
)
_BLANK: dict[type, Any] = {int: 0, float: float("nan"), str: "", bool: False}


def frame_table(frames: Sequence[CalibrationFrame]) -> Table:
    """Return one row for each frame; what is not known is masked.

    Times are ISO 8601 text in UTC; exposure times have the unit s, temperatures deg C.
    """
    from astropy.table import MaskedColumn, Table

    rows = [row_of(frame) for frame in frames]
    columns = [
        MaskedColumn(
            [_BLANK[kind] if row[name] is None else row[name] for row in rows],
            name=name,
            dtype=kind if rows or kind is not str else "U1",
            mask=[row[name] is None for row in rows],
            unit=unit,
        )
        for name, kind, unit in _COLUMNS
    ]
    return Table(columns)


def row_of(frame: CalibrationFrame) -> dict[str, Any]:
    """Return a frame as plain values, in the order of the table's columns."""
    row = {}
    for name, kind, _ in _COLUMNS:
        value = frame.version.md5 if name == "md5" else getattr(frame, name)
        row[name] = value if value is None else _text(value) if kind is str else kind(value)
    return row


def _text(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).replace("+00:00", "Z")
    return str(value)
