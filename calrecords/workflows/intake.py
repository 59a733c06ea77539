"""How frames come in: ingested, registered, or taken up again where they were left."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from calrecords.datafiles import DataFile, DataFileFactory, HeaderMapping
from calrecords.errors import ConfigurationError
from calrecords.records import Journal
from calrecords.workflows.adopting import Adopter
from calrecords.workflows.ingest import Ingester
from calrecords.workflows.many import WORKERS, Input, take_many
from calrecords.workflows.parts import expanded
from calrecords.workflows.results import IngestResult
from calrecords.workflows.spool import Spool, filename_of, path_behind


class Intake:
    """The verbs of `CalibrationRecords` that bring frames in.

    Parameters
    ----------
    ingester : Ingester
        Takes one data file at a time.
    journal : Journal
        What was begun, and what failed.
    factory : DataFileFactory
        Opens data files.
    mapping : HeaderMapping
        Which header keyword gives which fact.
    spool : Spool
        Where the bytes of file objects are kept until they are recorded.
    adopter : callable
        Returns what records the archive's own frames, or raises where no archive is named.
    """

    def __init__(
        self,
        ingester: Ingester,
        journal: Journal,
        factory: DataFileFactory,
        mapping: HeaderMapping,
        spool: Spool,
        adopter: Callable[[], Adopter],
    ) -> None:
        self._ingester = ingester
        self._journal = journal
        self._factory = factory
        self._mapping = mapping
        self._spool = spool
        self._adopter = adopter

    def ingest(
        self,
        path: str | Path | DataFile | BinaryIO,
        *,
        filename: str | os.PathLike[str] | None = None,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> IngestResult:
        """Store a calibration frame, register it with the archive, and record its frame ID.

        A file that is there already changes nothing; other bytes under the same basename
        become a new version of the same frame. Interrupted anywhere, `resume` completes it.

        Parameters
        ----------
        path : str, Path, DataFile or binary file
            The file. A binary file is read from its start; one that is open on disk under its
            name is read there, anything else is first kept on disk, so that it can be resumed.
        filename : str or path, optional
            Name of a binary file; by default its own.
        is_master : bool, optional
            Whether it was made by combining several frames; by default as its header says,
            and False where the header does not say.
        metadata : mapping, optional
            Header keywords to add or to overrule.

        Returns
        -------
        IngestResult
            With ``.frame``, ``.outcome`` and ``.frame_id``.

        Raises
        ------
        ConfigurationError
            If no archive is named, or the store is not as it must be.
        DataFileError
            If the file cannot be used; nothing is stored.
        DuplicateRecordError
            If the basename is another frame's; nothing is stored.
        ArchiveError, FileStoreError, RecordError
            If a step failed; a `TransientError` can be resumed.
        """
        if isinstance(path, str | Path | DataFile):
            return self._ingester.ingest(self._opened(path, is_master, metadata))
        with self.on_disk(path, filename) as place:
            return self._ingester.ingest(self._opened(place, is_master, metadata))

    @contextmanager
    def on_disk(
        self, fileobj: BinaryIO, filename: str | os.PathLike[str] | None = None
    ) -> Iterator[Path]:
        """Yield where the bytes of a file object are on disk, under their name.

        A copy that has to be made stays as long as an unfinished ingestion needs it.

        Parameters
        ----------
        fileobj : binary file
            Read from its start.
        filename : str or path, optional
            Its name, perhaps with a folder; by default its own.

        Raises
        ------
        DataFileNotFoundError
            If it has no name, or cannot be read.
        ConfigurationError
            If the spool cannot be written.
        """
        name = filename_of(fileobj, filename)
        there = path_behind(fileobj, name)
        if there is not None:
            yield there
            return
        with ExitStack() as done, self._spool.keep(fileobj, name) as kept:
            done.callback(self._ingester.let_go, kept)
            yield kept

    def ingest_many(
        self,
        paths: Iterable[Input],
        *,
        workers: int = WORKERS,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
        progress: Callable[[IngestResult], None] | None = None,
    ) -> dict[Input, IngestResult]:
        """Ingest many frames, several at once; one outcome for each, by its input.

        What fails ends as a failure of its own, with its error, and touches no other. Files
        of one basename are ingested one after the other, in the order given. Interrupted, it
        begins no further file and finishes those that it is at.

        Parameters
        ----------
        paths : iterable of str, Path or DataFile
            The files; one that is given twice is taken once.
        workers : int, optional
            How many files are worked on at once.
        is_master, metadata : optional
            As for `ingest`, for every one of them.
        progress : callable, optional
            Called with each result as it is there, one at a time, in the calling thread.

        Returns
        -------
        dict
            An `IngestResult` for each input as it was given, in their order; its ``error``
            says why it failed.

        Raises
        ------
        ConfigurationError
            If `workers` is no whole number above 0, or an input is no file; nothing is begun.
        """
        return take_many(
            paths,
            lambda one: self.ingest(one, is_master=is_master, metadata=metadata),
            workers=workers,
            progress=progress,
        )

    def register(
        self,
        path: str | Path | DataFile,
        *,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> IngestResult:
        """Store and record a frame without the archive, for example a local bad-pixel mask.

        It gets no frame ID; ingesting the same file later gives it one. The parameters are
        those of `ingest`.

        Raises
        ------
        DataFileError
            If the file cannot be used; nothing is stored.
        DuplicateRecordError
            If the basename is another frame's; nothing is stored.
        FileStoreError, RecordError
            If a step failed; a `TransientError` can be resumed.
        """
        return self._ingester.register(self._opened(path, is_master, metadata))

    def adopt(
        self,
        frame_id: int,
        *,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> IngestResult:
        """Record a frame that the archive has already, without its bytes.

        Its newest version is recorded: of older ones the archive keeps no header. Facts come
        from the header that the archive keeps, repaired as a file's of that name is, and where
        that is silent from what the archive says of the frame. Checksum and version key are
        the archive's; size and SHA-256 are learned at the first `fetch`, or when the file is
        ingested. A frame that is recorded already changes nothing.

        Parameters
        ----------
        frame_id : int
            The archive's number.
        is_master : bool, optional
            Whether it was made by combining several frames; by default as its header says,
            and False where the header does not say.
        metadata : mapping, optional
            Header keywords to add or to overrule.

        Returns
        -------
        IngestResult
            Adopted, or already there.

        Raises
        ------
        ConfigurationError
            If no archive is named.
        FrameNotFoundError
            If the archive has no such frame, or hides it from this token.
        StoredFileNotFoundError
            If the frame has no file there.
        DataFileError
            If its header cannot be used.
        DuplicateRecordError
            If the basename is recorded for another frame.
        ArchiveError, RecordError
            If one of them cannot be reached, or refuses.
        """
        number = operator.index(frame_id)
        return self._adopter().adopt(number, is_master=is_master, metadata=metadata)

    def _opened(
        self,
        path: str | Path | DataFile,
        is_master: bool | None,
        metadata: Mapping[str, Any] | None,
    ) -> DataFile:
        if isinstance(path, DataFile):
            if is_master is not None or metadata is not None:
                msg = f"{path.filename}: give is_master and metadata where the data file is opened"
                raise ConfigurationError(msg)
            return path
        return self.open_file(path, is_master=is_master, metadata=metadata)

    def open_file(
        self,
        path: str | Path,
        *,
        is_master: bool | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> DataFile:
        """Return the data file at a path, its header read by the settings.

        Raises
        ------
        DataFileError
            If the file cannot be used.
        """
        return self._factory.open(
            expanded(path), mapping=self._mapping, metadata=metadata, is_master=is_master
        )

    def resume(
        self,
        *,
        basename: str | None = None,
        progress: Callable[[IngestResult], None] | None = None,
    ) -> list[IngestResult]:
        """Finish every ingestion that was interrupted; one result for each.

        Several processes may resume at once: they share the work, and none waits for another.
        What another one is still at in the end is in progress.

        Parameters
        ----------
        basename : str, optional
            Only those of this frame.
        progress : callable, optional
            Called with each result as soon as it is there.
        """
        return self._ingester.resume(progress, basename=basename)

    def hand_over(self, md5: str, to: str, *, besides: str | None = None) -> None:
        """End interrupted ingestions of bytes that were registered otherwise; see `Ingester`."""
        self._ingester.hand_over(md5, to, besides=besides)

    def failed_ingestions(self) -> list[IngestResult]:
        """Return the ingestions that ended in a failure, with what they said."""
        return [IngestResult.of_failure(entry) for entry in self._journal.failed()]
