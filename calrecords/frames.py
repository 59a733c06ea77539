"""What the parts of calrecords hand to each other: frozen values, never database rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from calrecords.vocabulary import Binning, IngestionState, Verdict

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

CHUNK_BYTES = 1 << 20
"""How much of a file is in memory at a time, in bytes."""


_LARGE_BYTES = 8 * CHUNK_BYTES
"""Bytes from which on a checksum is worth a thread of its own."""


def _fact(meaning: str, unit: str = "", default: Any = None) -> Any:
    return field(default=default, metadata={"meaning": meaning, "unit": unit})


@dataclass(frozen=True, kw_only=True)
class FrameFacts:
    """What the header of a frame says, in our words; `fact_table` lists meanings and units.

    Every fact but the first four is None where the header does not say.
    """

    obstype: str = _fact("observation type, upper case", default="")
    site: str = _fact("code of the site", default="")
    camera: str = _fact("the detector unit", default="")
    dateobs: datetime | None = _fact("start of the exposure", "UTC")
    instrument: str = _fact("name of the instrument; by default the camera's", default="")
    telescope: str | None = _fact("code of the telescope")
    is_master: bool = _fact("made by combining several frames", default=False)
    reduction_level: int | None = _fact("0 is raw")
    filter: str | None = _fact("the bandpass element")
    binning: Binning | None = _fact("detector pixels per image pixel, x then y", "pixel")
    configuration_mode: str = _fact("readout mode of the camera", default="default")
    exposure_time: float | None = _fact("time the shutter was open", "s")
    ccd_temperature: float | None = _fact("set-point of the detector", "deg C")
    ccd_measured_temperature: float | None = _fact("measured at the detector", "deg C")
    dayobs: date | None = _fact("the night")
    dayobs_rule: str | None = _fact("what gave the night: header, metadata or dateobs")
    created: datetime | None = _fact("when the file was made", "UTC")
    public_date: datetime | None = _fact("when it becomes public", "UTC")
    object: str | None = _fact("the sky object")
    proposal: str | None = _fact("identifier of the proposal")
    pipeline_name: str | None = _fact("software that made it")
    pipeline_version: str | None = _fact("version of that software")
    inputs: tuple[tuple[str, str], ...] = _fact(
        "(keyword, basename) of frames it was made from", default=()
    )
    attributes: Mapping[str, Any] = field(
        default_factory=dict,
        hash=False,
        metadata={"meaning": "further header facts that rules may match", "unit": ""},
    )


def fact_table() -> list[tuple[str, str, str]]:
    """Return one row (name, meaning, unit) for each of the `FrameFacts`."""
    return [(f.name, f.metadata["meaning"], f.metadata["unit"]) for f in fields(FrameFacts)]


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """What the bytes of a file are, found in one pass.

    Attributes
    ----------
    md5, sha256 : str
        Lower-case hexadecimal digests of the whole file.
    size : int
        Length in bytes.
    """

    md5: str
    sha256: str
    size: int


class HashBeside:
    """A checksum that is computed beside all else that is done with the chunks of a long file.

    It is one chunk behind, so that the next one is read meanwhile; a short file is not worth
    a thread. Use it as a context manager.

    Parameters
    ----------
    name : str
        ``md5`` or ``sha256``.
    """

    def __init__(self, name: str) -> None:
        self._hash = hashlib.new(name, usedforsecurity=False)
        self._size = 0
        self._thread: Executor | None = None
        self._last: Future[None] | None = None

    def __enter__(self) -> HashBeside:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown()

    def update(self, chunk: bytes) -> None:
        """Take the next chunk, which must not be changed afterwards."""
        self._size += len(chunk)
        if self._size <= _LARGE_BYTES:
            self._hash.update(chunk)
            return
        if self._thread is None:
            self._thread = _one_thread()
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(self._hash.update, chunk)

    def hexdigest(self) -> str:
        """Return the checksum of all chunks, lower-case hexadecimal."""
        if self._last is not None:
            self._last.result()
        return self._hash.hexdigest()


def digest_stream(
    source: BinaryIO, *, sink: Callable[[bytes], object] | None = None
) -> ContentDigest:
    """Return the digest of what is left in a stream, in flat memory.

    Parameters
    ----------
    source : binary file
        Read from where it stands to its end.
    sink : callable, optional
        Given each chunk of bytes in turn, for example the ``write`` of another file.
    """
    sha256 = hashlib.sha256()
    size = 0
    with HashBeside("md5") as md5:
        while chunk := source.read(CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
            if sink is not None:
                sink(chunk)
        return ContentDigest(md5.hexdigest(), sha256.hexdigest(), size)


def _one_thread() -> Executor:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, "calrecords-digest")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One version of a file in a file store.

    Attributes
    ----------
    key : str
        Slash path inside the store.
    version_key : str
        What the store, and so the archive, calls this version.
    md5 : str or None
        Lower-case hexadecimal digest, where it is known.
    sha256 : str or None
        Lower-case hexadecimal digest, where it is known.
    size : int or None
        Length in bytes, where it is known.
    is_new : bool
        Whether the call that returned it wrote it; not compared.
    """

    key: str
    version_key: str
    md5: str | None = None
    sha256: str | None = None
    size: int | None = None
    is_new: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class FrameVersion:
    """One stored file of a frame; the newest is current.

    Attributes
    ----------
    version_key : str or None
        What the store and the archive call this version; None where neither has it.
    md5, sha256 : str or None
        Lower-case hexadecimal digests; None where the record came without them.
    size : int or None
        Length in bytes.
    extension : str
        With its dot, for example ``.fits.fz``.
    key : str or None
        Slash path inside the file store; None where the store's copy is not known.
    """

    version_key: str | None
    md5: str | None
    sha256: str | None
    size: int | None
    extension: str
    key: str | None

    def stored(self) -> StoredFile | None:
        """Return its place in the file store; None where that is not known."""
        if self.key is None or self.version_key is None:
            return None
        return StoredFile(self.key, self.version_key, self.md5, self.sha256, self.size)


@dataclass(frozen=True)
class CalibrationFrame:
    """A frame as it is recorded, with the facts of one of its versions.

    Attributes
    ----------
    frame_id : int or None
        The archive's number of this frame; None where it is in no archive.
    basename : str
        File name without any extension; unique, as in the archive.
    obstype : str
        Observation type, upper case.
    is_master : bool
        Whether it was made by combining several frames.
    reduction_level : int or None
        0 is raw.
    site, camera, instrument : str
        Where and with what it was taken.
    filter : str or None
        The bandpass element.
    binning : Binning or None
        Detector pixels per image pixel, x then y.
    configuration_mode : str
        Readout mode of the camera.
    exposure_time : float or None
        Seconds the shutter was open.
    ccd_temperature : float or None
        Set-point of the detector, deg C.
    dateobs : datetime
        Start of the exposure, UTC.
    dayobs : date or None
        The night.
    created : datetime or None
        When the file was made, UTC.
    verdict : Verdict
        Good, bad or unknown.
    good_after, good_until : datetime or None
        Half-open validity range ``[good_after, good_until)``, UTC; None is open.
    attributes : mapping
        Further header facts.
    version : FrameVersion
        Which stored file these facts are of.
    telescope : str or None
        Code of the telescope.
    ccd_measured_temperature : float or None
        Measured at the detector, deg C.
    public_date : datetime or None
        When it becomes public, UTC.
    object : str or None
        The sky object.
    proposal : str or None
        Identifier of the proposal.
    pipeline_name, pipeline_version : str or None
        Software that made it, and its version.
    """

    frame_id: int | None
    basename: str
    obstype: str
    is_master: bool
    reduction_level: int | None
    site: str
    camera: str
    instrument: str
    filter: str | None
    binning: Binning | None
    configuration_mode: str
    exposure_time: float | None
    ccd_temperature: float | None
    dateobs: datetime | None
    dayobs: date | None
    created: datetime | None
    verdict: Verdict
    good_after: datetime | None
    good_until: datetime | None
    attributes: Mapping[str, Any] = field(hash=False)
    version: FrameVersion
    telescope: str | None = None
    ccd_measured_temperature: float | None = None
    public_date: datetime | None = None
    object: str | None = None
    proposal: str | None = None
    pipeline_name: str | None = None
    pipeline_version: str | None = None

    @property
    def filename(self) -> str:
        """File name of this version, with its extension."""
        return self.basename + self.version.extension


@dataclass(frozen=True)
class Ingestion:
    """One row of the intent journal: what is being ingested, and how far it has come.

    Attributes
    ----------
    id : int
        Number of the journal row.
    state : IngestionState
        How far it has come.
    path : str
        The file it reads.
    basename, extension : str
        The frame's name, cut in two.
    digest : ContentDigest
        What the file held when the intent was written.
    facts : FrameFacts or None
        What its header says; None once it is recorded.
    archive_record : mapping or None
        What is sent to the archive, less the version; None where no archive is in play, and
        once it is recorded.
    key : str
        Slash path inside the file store.
    version_key : str or None
        What the store calls the version; None while nothing can be in the store.
    frame_id : int or None
        The archive's number; None until it is archived.
    archived_at : datetime or None
        When the archive stored the version, UTC; None until it is archived.
    content_type : str
        Media type of the file.
    error : str or None
        Class of the last error.
    message : str or None
        What the last error said.
    attempts : int
        How often it was tried.
    """

    id: int
    state: IngestionState
    path: str
    basename: str
    extension: str
    digest: ContentDigest
    facts: FrameFacts | None
    archive_record: Mapping[str, Any] | None
    key: str
    version_key: str | None = None
    frame_id: int | None = None
    archived_at: datetime | None = None
    content_type: str = ""
    error: str | None = None
    message: str | None = None
    attempts: int = 0
