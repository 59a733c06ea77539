"""The match keys of imported versions; of many that are alike, the keys are made once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from calrecords.matching import MatchSet
from calrecords.records.importing_known import KnownFrame
from calrecords.records.importing_rows import ImportRow
from calrecords.records.importing_words import AT
from calrecords.records.match_fields import COLUMNS, KeyMaker

_OF_IDENTITY = ("obstype", "is_master", "site", "camera")
_TIMES = frozenset({"created", "public_date"})
_REMEMBERED = 50_000


class RowKeys:
    """Makes the match keys of versions that are about to be recorded.

    Parameters
    ----------
    sets : sequence of MatchSet
        The sets that versions are indexed by.
    """

    def __init__(self, sets: Sequence[MatchSet]) -> None:
        self._maker = KeyMaker(sets)
        fields = frozenset(name for one in sets for name in one.fields) & COLUMNS.keys()
        self._of_version = sorted(fields & AT.keys())
        self._places = [AT[name] for name in self._of_version] + [AT["attributes"]]
        self._has_names = bool(fields & {"basename", "instrument"})
        self._known: dict[tuple[Any, ...], list[bytes]] = {}

    def of(self, frame: KnownFrame, row: ImportRow, values: Sequence[Any]) -> list[bytes]:
        """Return the keys of a version, one for each set that applies to it.

        Parameters
        ----------
        frame : KnownFrame
            Its frame.
        row : ImportRow
            What it is recorded from.
        values : sequence
            What is recorded, in the order of `importing_words.COLUMNS`.
        """
        names = (frame.basename, frame.instrument or row.instrument) if self._has_names else ()
        alike = (*frame.identity, *names, *[values[at] for at in self._places])
        found = self._known.get(alike)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            columns = self._columns(frame, row, values)
            found = self._maker.keys(frame.identity[0], columns, row.attributes)
            self._known[alike] = found
        return found

    def _columns(self, frame: KnownFrame, row: ImportRow, values: Sequence[Any]) -> dict[str, Any]:
        """Return the facts that keys are made of, by the names of their fields."""
        columns: dict[str, Any] = dict(zip(_OF_IDENTITY, frame.identity, strict=True))
        columns["basename"] = frame.basename
        columns["instrument"] = frame.instrument or row.instrument
        for name in self._of_version:
            columns[name] = values[AT[name]]
            if name in _TIMES and isinstance(columns[name], str):
                columns[name] = datetime.fromisoformat(columns[name]).replace(tzinfo=UTC)
        columns["dateobs"] = row.dateobs
        return columns
