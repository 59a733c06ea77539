"""What the OCS functions answer: records, versions, and that a frame is there already."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveFrame, ArchiveVersion
from calrecords.compat.ocs_ingester._connections import Connection
from calrecords.datafiles import DataFile, check_archivable
from calrecords.errors import (
    ConfigurationError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    UnsupportedFileTypeError,
    VersionExistsError,
)
from calrecords.workflows.results import IngestResult


def record_of(data_file: DataFile) -> dict[str, Any]:
    """Return a record with the two fields more that the OCS ingester sends."""
    mapping, header = data_file.mapping, data_file.header
    return {
        **check_archivable(data_file),
        "frame_basename": header.get(mapping.thumbnail_frame_basename),
        "size": header.get(mapping.thumbnail_size, ""),
    }


def answer_of(connection: Connection, data_file: DataFile, result: IngestResult) -> dict[str, Any]:
    """Return the record of an ingested file, filled in as the OCS ingester does.

    Raises
    ------
    RecordNotFoundError
        If the result has no frame ID.
    StoredFileNotFoundError
        If the archive's frame has no version with the bytes of this file.
    """
    frame = result.frame
    if frame is None or frame.frame_id is None:
        msg = f"{result.path}: ingested, but without a frame ID"
        raise RecordNotFoundError(msg)
    archived = result.archived or connection.cal.lookup(frame.frame_id)
    md5 = data_file.digest().md5
    version = _version_in(archived, md5)
    return {
        **record_of(data_file),
        "version_set": [version_of(version.version_key, md5, data_file.extension)],
        **told_of(archived, md5),
    }


def told_of(frame: ArchiveFrame, md5: str) -> dict[str, Any]:
    """Return what the OCS ingester adds to a record from the archive's answer.

    Raises
    ------
    StoredFileNotFoundError
        If the frame has no version with this checksum.
    """
    return {
        "frameid": frame.frame_id,
        "filename": frame.basename + frame.version.extension,
        "url": _version_in(frame, md5).url,
    }


def _version_in(frame: ArchiveFrame, md5: str) -> ArchiveVersion:
    version = frame.version_with(md5)
    if version is None:
        msg = f"frame {frame.frame_id} ({frame.basename}) has no version with md5 {md5}"
        raise StoredFileNotFoundError(msg)
    return version


def version_of(key: str, md5: str, extension: str) -> dict[str, str]:
    """Return a version as the OCS ingester has it."""
    return {"key": key, "md5": md5, "extension": extension}


def already_there(result: IngestResult) -> VersionExistsError:
    """Return the error that says that a file is in the archive, and as which frame."""
    name = Path(result.path).name
    return VersionExistsError(
        f"{name}: a version with this md5 already exists; it is frame {result.frame_id}"
    )


def no_thumbnails(size: str | None) -> Exception:
    """Return the error that says that the archive's thumbnail interface is not spoken."""
    if size is None:
        return ConfigurationError("thumbnail_size must be given for a thumbnail")
    return UnsupportedFileTypeError(
        "the archive's thumbnail interface is not spoken; leave is_thumbnail out to ingest the"
        " picture as a frame of its own, or go on using ocs_ingester for thumbnails"
    )
