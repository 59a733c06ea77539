"""Taking over the records of a BANZAI database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calrecords.records.banzai import BanzaiDatabase
from calrecords.records.importing_reports import ImportReport
from calrecords.workflows.facade import CalibrationRecords


def demand_banzai_database(database: str | Path) -> None:
    """Make sure that a file or a URL is a BANZAI database that can be read.

    Parameters
    ----------
    database : str or Path
        Its SQLite file, or its URL.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read, or the server does not know the login.
    DataFileNotFoundError
        If there is no such file.
    SchemaError
        If it lacks a table or a column that BANZAI has.
    RecordsUnavailableError
        If it cannot be reached.
    """
    BanzaiDatabase(database).check()


def import_banzai_records(
    cal: CalibrationRecords,
    database: str | Path,
    *,
    known_from: Any = None,
    dry_run: bool = False,
) -> ImportReport:
    """Record every frame that a BANZAI database has, and say what became of each.

    ``is_bad`` becomes the verdict bad, and a frame that is not bad stays unmarked; the years
    1000 and 3000 are open ends; a validity range ends a microsecond later than BANZAI's, whose
    last moment belongs to it. Doing it again changes nothing, and takes over what is new.

    Parameters
    ----------
    cal : CalibrationRecords
        Where they are recorded.
    database : str or Path
        Its SQLite file, or its URL; nothing is written to it.
    known_from : time or "created", optional
        From when on the frames count as known; by default from now on.
    dry_run : bool, optional
        Write nothing, and say what would become of the rows.

    Raises
    ------
    CalRecordsError
        As `demand_banzai_database` and `CalibrationRecords.import_records` say.
    """
    source = database if isinstance(database, str) and "://" in database else Path(database)
    return cal.import_records(source, format="banzai", known_from=known_from, dry_run=dry_run)
