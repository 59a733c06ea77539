"""What choosing asks of the records: candidates outward in time, and what somebody forced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from calrecords.frames import CalibrationFrame
from calrecords.matching import Probe
from calrecords.records.bulk_probing import nearest, nearest_briefly
from calrecords.records.candidate_rows import BriefFrame, Dialect
from calrecords.records.database import RecordDatabase
from calrecords.records.known_then import as_known_at
from calrecords.records.overrides import ANY_OVERRIDE, find_override
from calrecords.records.probing import Candidates, candidates
from calrecords.records.reading import get_version


class Choices:
    """The candidates of one records database.

    Parameters
    ----------
    database : RecordDatabase
        Where they are recorded.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database
        self._dialect = Dialect(is_sqlite=not database.is_server)

    def candidates(self, probe: Probe, *, first: int = 1) -> Candidates:
        """Return what a probe asks for, outward in time; see `probing.candidates`.

        Raises
        ------
        RecordError
            If the database cannot be asked.
        """
        known = None if probe.as_of is None else partial(self._as_known, probe.as_of)
        ask = self._database.ask
        return candidates(ask, self._dialect, probe, first=first, known_then=known)

    def nearest(self, probes: Sequence[Probe]) -> list[CalibrationFrame | None]:
        """Return for each probe the first candidate; see `bulk_probing.nearest`.

        Raises
        ------
        RecordError
            If the database cannot be asked.
        """
        return nearest(self._database.ask, self._dialect, probes)

    def nearest_briefly(self, probes: Sequence[Probe]) -> list[BriefFrame | None]:
        """Return for each probe which is the first candidate; see `nearest`."""
        return nearest_briefly(self._database.ask, self._dialect, probes)

    def has_overrides(self) -> bool:
        """Return whether anybody ever forced a calibration."""
        return bool(self._database.ask(ANY_OVERRIDE, {}))

    def _as_known(
        self, moment: datetime, frames: dict[int, CalibrationFrame]
    ) -> dict[int, CalibrationFrame]:
        with self._database.read() as connection:
            return as_known_at(connection, frames, moment)

    def forced(
        self,
        caltype: str,
        *,
        basename: str | None,
        site: str | None,
        camera: str | None,
        dateobs: datetime,
        as_of: datetime | None = None,
    ) -> tuple[CalibrationFrame, str] | None:
        """Return what somebody forced for a target, and why; see `overrides.find_override`.

        Where `has_overrides` is false, or candidates say so, it need not be asked for.
        """
        with self._database.read() as connection:
            override = find_override(
                connection,
                caltype,
                basename=basename,
                site=site,
                camera=camera,
                dateobs=dateobs,
                as_of=as_of,
            )
            if override is None:
                return None
            frame = get_version(connection, override.version_id)
            if as_of is not None:
                frame = as_known_at(connection, {override.version_id: frame}, as_of)[
                    override.version_id
                ]
        return frame, override.reason
