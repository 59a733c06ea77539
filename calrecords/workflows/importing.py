"""Taking over many records at once: from mappings, a file, or the database of BANZAI."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calrecords.errors import ConfigurationError
from calrecords.records.banzai import BanzaiDatabase
from calrecords.records.importing import Importer, ImportOrder, Numbered
from calrecords.records.importing_files import FileFormat, format_of, read_file
from calrecords.records.importing_reports import PROBLEMS_KEPT, ImportReport
from calrecords.workflows.known_frames import KnowsFrames

if TYPE_CHECKING:
    from calrecords.archive import ArchiveClient

AUTHOR = "import"
"""Who marks imported frames, where a row does not say."""

CREATED = "created"
"""In place of a time: each frame is known from when its file was made."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where rows come from.

    Attributes
    ----------
    name : str
        As it may be shown.
    rows : generator
        Number and row of each.
    """

    name: str
    rows: Generator[Numbered, None, None]


class Importing(KnowsFrames):
    """The verb of `CalibrationRecords` that takes over many records."""

    archive: ArchiveClient | None

    def import_records(
        self,
        rows: Iterable[Mapping[str, Any]] | str | Path,
        *,
        format: str | None = None,
        known_from: Any = None,
        author: str = AUTHOR,
        reason: str | None = None,
        dry_run: bool = False,
        problems_kept: int = PROBLEMS_KEPT,
        progress: Callable[[ImportReport], None] | None = None,
    ) -> ImportReport:
        """Record many frames at once, and say what became of each row.

        No file is moved and no archive is asked. What is recorded stays as it is: a row adds a
        frame or a version, or says what was not known yet (a frame ID, a checksum, a first
        verdict); a row that contradicts the records is named as a conflict. Importing the same
        rows again changes nothing. Rows are read and recorded a few thousand at a time; where
        an import was interrupted, running it again completes it.

        Parameters
        ----------
        rows : iterable of mapping, str or Path
            Mappings in our words; or a file with one JSON object a line, or a CSV file whose
            first line names the columns; or the database of BANZAI, as a SQLite file or a URL.

            A row needs ``basename`` or ``filename``, ``obstype``, ``site`` and ``camera``. It
            may have ``frame_id``, every other word of `CalibrationFrame` and `FrameVersion`,
            ``inputs`` (pairs of keyword and basename), ``known_from``, and ``verdict_reason``,
            ``verdict_author``, ``verdict_known_from``, and the same of ``validity``. Times
            without an offset in text are UTC. Further facts go into ``attributes``, in CSV into
            columns named ``attributes.NAME``.
        format : {"jsonl", "csv", "banzai"}, optional
            How a file is written; by default as its name says.
        known_from : time or "created", optional
            From when on frames count as known, where a row does not say: for selections as of
            an earlier time. By default from now on.
        author, reason : str, optional
            Who marks frames, and why, where a row does not say.
        dry_run : bool, optional
            Write nothing, and say what would become of the rows; a frame that is there twice,
            far apart, then counts twice.
        problems_kept : int, optional
            How many refused rows, and how many conflicts, the report names; all are counted.
        progress : callable, optional
            Called with the report so far, each few thousand rows.

        Raises
        ------
        ConfigurationError
            If it cannot be told what the rows are.
        DataFileNotFoundError
            If there is no such file.
        InvalidRecordError
            If the first line of a CSV file names columns that are not ours.
        SchemaError
            If a database is not BANZAI's, or if the records are of another archive.
        RecordsUnavailableError
            If a database cannot be reached.
        """
        source = _source_of(rows, format)
        if self.archive is not None:
            self._database.demand_archive(self.archive.root)
        order = ImportOrder(
            source=source.name,
            reason=reason or f"imported from {source.name}",
            author=author,
            known_from=known_from,
            is_dry_run=dry_run,
            problems_kept=problems_kept,
            on_frame_ids=self._bind_to_archive,
            progress=progress,
        )
        with closing(source.rows):
            if not dry_run:
                # else the first choice would have all of them to index
                self._database.ensure_match_sets(self.rules.match_sets())
            return Importer(self._database, order).run(source.rows)

    def _bind_to_archive(self) -> None:
        if self.archive is not None:
            self._database.belongs_to(self.archive.root)


def _source_of(rows: Any, written: str | None) -> _Source:
    """Return where rows come from."""
    try:
        chosen = None if written is None else FileFormat(written)
    except ValueError:
        known = ", ".join(FileFormat)
        msg = f"format={written!r}: write one of {known}"
        raise ConfigurationError(msg) from None
    if isinstance(rows, str | Path):
        return _stored_source(rows, chosen)
    if isinstance(rows, Mapping) or not isinstance(rows, Iterable):
        msg = f"rows are many mappings, a file or a URL, not one {type(rows).__name__}"
        raise ConfigurationError(msg)
    return _Source("rows", _numbered(rows))


def _stored_source(place: str | Path, chosen: FileFormat | None) -> _Source:
    if isinstance(place, str) and "://" in place:
        if chosen not in (None, FileFormat.BANZAI):
            msg = f"a URL is of a BANZAI database, and of no {chosen} file"
            raise ConfigurationError(msg)
        return _banzai_source(place)
    path = Path(place).expanduser()
    found = format_of(path) if chosen is None else chosen
    if found is FileFormat.BANZAI:
        return _banzai_source(path)
    return _Source(path.name, read_file(path, found))


def _banzai_source(place: str | Path) -> _Source:
    database = BanzaiDatabase(place)
    database.check()
    return _Source(database.place, database.rows())


def _numbered(rows: Iterable[Any]) -> Generator[Numbered, None, None]:
    yield from enumerate(rows, 1)
