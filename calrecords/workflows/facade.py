"""The one object that a pipeline holds: its connection to records, store and archive."""

from __future__ import annotations

import operator
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from calrecords.archive import ArchiveClient, ArchiveFrame, ObservationPortal
from calrecords.datafiles.hdus import open_hdu_list
from calrecords.errors import ConfigurationError, RecordNotFoundError
from calrecords.filestore import FileStore
from calrecords.frames import CalibrationFrame
from calrecords.records import Journal, RecordDatabase
from calrecords.selection import Selection
from calrecords.vocabulary import split_filename
from calrecords.workflows.adopting import Adopter
from calrecords.workflows.auditing import Auditing
from calrecords.workflows.calibration_sets import CalibrationSets
from calrecords.workflows.choosing_many import ChoosingMany
from calrecords.workflows.fetch import Fetcher, FetchSource
from calrecords.workflows.impact import Impacting
from calrecords.workflows.importing import Importing
from calrecords.workflows.ingest import Ingester
from calrecords.workflows.intake import Intake
from calrecords.workflows.judging import Judging
from calrecords.workflows.overriding import Overriding
from calrecords.workflows.parts import make_cache, make_factory, make_mapping, why_no_archive
from calrecords.workflows.querying import ROW_LIMIT, find_frames
from calrecords.workflows.results import IngestResult, IngestStep
from calrecords.workflows.settings import Settings
from calrecords.workflows.spool import Spool, spool_folder
from calrecords.workflows.tables import frame_table
from calrecords.workflows.tracing import Tracing

if TYPE_CHECKING:
    from astropy.table import Table

    from calrecords.datafiles.hdus import HDUList

FrameLike = CalibrationFrame | IngestResult | Selection | int | str
"""What names a frame: a frame, a result, a selection, a frame ID, or a basename."""


class CalibrationRecords(
    ChoosingMany,
    Auditing,
    Intake,
    CalibrationSets,
    Impacting,
    Importing,
    Judging,
    Overriding,
    Tracing,
):
    """A pipeline's calibration records, with their file store and archive.

    Made by `connect`, which says what the parameters are.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: RecordDatabase,
        store: FileStore,
        archive: ArchiveClient | None,
        portal: ObservationPortal | None = None,
        on_step: Callable[[IngestStep], None] | None = None,
        close: Callable[[], None],
    ) -> None:
        self._close = close
        self.settings = settings
        self.store = store
        self.archive = archive
        self.cache = make_cache(settings)
        self._database = database
        why = why_no_archive(settings)
        self._fetcher = Fetcher(self.cache, store, archive, database, why_no_archive=why)
        spool = Spool(spool_folder(settings.folder("spool_dir"), database.place))
        steps = {} if on_step is None else {"on_step": on_step}
        super().__init__(
            Ingester(database, store, archive, spool=spool, why_no_archive=why, **steps),
            Journal(database),
            make_factory(settings, portal),
            make_mapping(settings),
            spool,
            self._make_adopter,
        )

    def __enter__(self) -> CalibrationRecords:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        root = None if self.archive is None else self.archive.root
        return f"<CalibrationRecords {self._database.place}, archive {root}>"

    def __reduce__(self) -> NoReturn:
        msg = (
            "records are connected to in each process: call calrecords.connect() there, and "
            "hand over paths, frames or frame IDs"
        )
        raise TypeError(msg)

    def close(self) -> None:
        """Close connections; an archive client or a store that was passed in stays open."""
        self.cache.close()
        self._close()

    def get(
        self,
        *,
        basename: str | None = None,
        frame_id: int | None = None,
        md5: str | None = None,
        version_key: str | None = None,
    ) -> CalibrationFrame:
        """Return a frame from the records, with its current version or the one named.

        Parameters
        ----------
        basename : str, optional
            The frame's name; a file name is cut to its basename.
        frame_id : int, optional
            The archive's number.
        md5, version_key : str, optional
            Which version is wanted.

        Raises
        ------
        ConfigurationError
            If nothing is asked for.
        DuplicateRecordError
            If frames of several names have this file, and no name is given.
        RecordNotFoundError
            If there is no such record.
        """
        name = None if basename is None else split_filename(str(basename))[0]
        number = None if frame_id is None else operator.index(frame_id)
        return self._database.get(basename=name, frame_id=number, md5=md5, version_key=version_key)

    def versions(self, frame: FrameLike) -> list[CalibrationFrame]:
        """Return every recorded version of a frame, newest first.

        Raises
        ------
        RecordNotFoundError
            If the frame is not recorded.
        """
        return self._database.versions(self._frame(frame).basename)

    def query(self, *, row_limit: int = ROW_LIMIT, **criteria: Any) -> Table:
        """Return the recorded frames that match, newest observation first.

        Parameters
        ----------
        row_limit : int, optional
            At most this many rows, with a warning in the log where there are more; -1 for all.
        **criteria
            ``obstype``, ``site``, ``camera``, ``instrument``, ``telescope``, ``filter``,
            ``configuration_mode``, ``object``, ``proposal``, ``pipeline_name``,
            ``pipeline_version``, ``basename``, ``is_master``, ``reduction_level`` and
            ``verdict`` must be equal; ``binning`` is text such as ``"2x2"``; ``dayobs`` is the
            night; ``start`` and ``end`` are a half-open range of dateobs ``[start, end)``, UTC;
            ``all_versions=True`` lists older versions too.

        Returns
        -------
        astropy.table.Table
            One row for each frame; without rows, but with its columns, where nothing matches.

        Raises
        ------
        ConfigurationError
            If a name or a value cannot be used.
        """
        return frame_table(find_frames(self._database, row_limit, criteria))

    def lookup(self, frame_id: int) -> ArchiveFrame:
        """Ask the archive for a frame by its ID: ``GET /frames/<id>/``.

        Raises
        ------
        ConfigurationError
            If no archive is named.
        FrameNotFoundError
            If the archive has no such frame, or hides it from this token.
        ArchiveError
            If the archive cannot be reached, or refuses.
        """
        return self._demand_archive().frame(operator.index(frame_id))

    def _demand_archive(self) -> ArchiveClient:
        if self.archive is None:
            raise ConfigurationError(why_no_archive(self.settings))
        return self.archive

    def _make_adopter(self) -> Adopter:
        archive = self._demand_archive()
        return Adopter(self._database, self.store, archive, self._factory, self._mapping)

    def fetch(
        self, frame: FrameLike, *, source: str | None = None, alternatives: bool = False
    ) -> Path:
        """Return a local path with the recorded bytes of a frame.

        Parameters
        ----------
        frame : CalibrationFrame, IngestResult, Selection, int or str
            A frame, with the version that is wanted; or a frame ID or a basename, for the
            current version.
        source : {"store", "archive"}, optional
            Take the bytes from there; by default from the cache, else the file store, else
            the archive.
        alternatives : bool, optional
            Where this version is nowhere any more, return a newer recorded version of the
            same frame, and say so in the log.

        Raises
        ------
        RecordNotFoundError
            If the frame is not recorded.
        ChecksumMismatchError
            If what can be had is not what was recorded.
        StoredFileNotFoundError
            If this version is nowhere any more.
        ArchiveError, FileStoreError
            If they cannot be reached, or refuse.
        """
        try:
            chosen = None if source is None else FetchSource(source)
        except ValueError:
            msg = f"source={source!r}: write 'store' or 'archive'"
            raise ConfigurationError(msg) from None
        return self._fetcher.fetch(self._frame(frame), chosen, alternatives=alternatives)

    def open(self, frame: FrameLike) -> HDUList:
        """Return the FITS file of a frame, verified and open for reading.

        Raises
        ------
        InvalidFrameError
            If the file is not FITS.
        CalRecordsError
            As `fetch` does.
        """
        return open_hdu_list(self.fetch(frame))

    def recorded(self, frame: FrameLike, *, md5: str | None = None) -> CalibrationFrame:
        """Return the record that a frame, a result, a frame ID or a basename names.

        Parameters
        ----------
        frame : CalibrationFrame, IngestResult, Selection, int or str
            What names it.
        md5 : str, optional
            Which version is wanted; by default the one in `frame`, else the current one.

        Raises
        ------
        RecordNotFoundError
            If there is no such record.
        """
        if md5 is not None:
            return self.get(basename=self._frame(frame).basename, md5=md5)
        return self._frame(frame)

    def _frame(self, frame: FrameLike) -> CalibrationFrame:
        if isinstance(frame, IngestResult):
            if frame.frame is None:
                msg = f"{frame.path}: was not ingested, so there is no frame"
                raise RecordNotFoundError(msg)
            return frame.frame
        if isinstance(frame, Selection):
            return frame.frame
        if isinstance(frame, CalibrationFrame):
            return frame
        if isinstance(frame, str):
            return self.get(basename=frame)
        return self.get(frame_id=operator.index(frame))
