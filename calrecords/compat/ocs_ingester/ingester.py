"""The five functions of `ocs_ingester.ingester` 3.2.0, with calrecords behind them.

Names, arguments, and the keys and values of answers are the originals'. What follows differs
on purpose:

- A frame is also recorded in the records database, and a call that was interrupted anywhere is
  completed by calling again, or by ``calrecords resume``: nothing is in the archive without
  its frame ID here.
- The archive's ``/versions/?md5=`` is not believed where it does not filter, so that a frame is
  not said to exist because others do. A frame that is there raises NonFatalDoNotRetryError, as
  before, and the message names its frame ID.
- What the archive would refuse (its list of observation types, lengths, extensions) is refused
  before anything is stored. `upload_file_to_file_store` asks the archive for that, if one is
  named.
- `ingest_archive_record` of a version that the archive has under this name returns the answer
  again, where the original fails.
- Settings are read at each call, not when the module is imported. Without API_ROOT there is no
  archive, where the original has http://127.0.0.1:8000/ and a token of its own; FILESTORE_TYPE
  is ``local`` by default, where the original throws files away.
- Names of related frames lose their extension in metadata, too, as they do in a FITS header; the
  archive would take the name with it for another frame.
- A file may have any name that ends in a known extension: ``a.b.fits`` is the basename ``a.b``.
- A damaged or half-written file is refused, where the original ingests it.
- Every request has a deadline, connections are kept, and a transient failure is tried again
  before BackoffRetryError is raised.
- The archive's thumbnail interface is not spoken: ``is_thumbnail=True`` is refused. A ``.jpg``
  with metadata is ingested as a frame.
- No metrics are sent.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, BinaryIO

from calrecords.archive import ArchiveFrame, ArchiveVersion
from calrecords.compat.ocs_ingester._connections import (
    Connection,
    Connections,
    StoredError,
    ending_when_stored,
)
from calrecords.datafiles import DataFile, check_archivable
from calrecords.errors import (
    ConfigurationError,
    FileStoreUnavailableError,
    RecordNotFoundError,
    StoredFileNotFoundError,
    UnsupportedFileTypeError,
    VersionExistsError,
)
from calrecords.frames import digest_stream
from calrecords.vocabulary import split_filename
from calrecords.workflows.results import IngestOutcome, IngestResult

_UPLOADS = 10
"""How many older versions of a frame may have to be finished before a new one is stored."""

_connections = Connections()


def close_connections() -> None:
    """Let go of the connections that the functions here keep between calls."""
    _connections.close()


def frame_exists(
    fileobj: BinaryIO, api_root: str | None = None, auth_token: str | None = None
) -> bool:
    """Return whether the archive has a file with these bytes.

    Parameters
    ----------
    fileobj : binary file
        Read from its start.
    api_root : str, optional
        Root of the Science Archive; by default the setting API_ROOT.
    auth_token : str, optional
        Token of a superuser of the archive; by default the setting AUTH_TOKEN.

    Raises
    ------
    BackoffRetryError
        If the archive cannot be reached.
    DoNotRetryError
        If it refuses to tell.
    """
    connection = _connections.get(api_root, auth_token)
    fileobj.seek(0)
    md5 = digest_stream(fileobj).md5
    name = getattr(fileobj, "name", None)
    if isinstance(name, str):
        basename = split_filename(name)[0]
        if _is_recorded(connection, basename, md5):
            return True
        frame = connection.archive.find(basename)
        if frame is not None and frame.version_with(md5) is not None:
            return True
    return connection.archive.has_version(md5) is True


def validate_fits_and_create_archive_record(
    fileobj: BinaryIO,
    path: str | None = None,
    file_metadata: dict[str, Any] | None = None,
    required_headers: Collection[str] | None = None,
    blacklist_headers: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the archive record of a file, less its version; nothing is stored.

    Parameters
    ----------
    fileobj : binary file
        Read from its start.
    path : str, optional
        Name of the file; by default that of `fileobj`.
    file_metadata : dict, optional
        Header values by keyword, which go before those in the file.
    required_headers : collection of str, optional
        Keywords without which the file is refused; by default the setting REQUIRED_HEADERS.
    blacklist_headers : collection of str, optional
        Keywords that are dropped; by default the setting HEADER_BLACKLIST.

    Raises
    ------
    DoNotRetryError
        If the file is broken, or lacks a keyword.
    """
    connection = _connections.get()
    with connection.cal.on_disk(fileobj, path) as place:
        data_file = connection.open_file(place, file_metadata, required_headers, blacklist_headers)
        return _record(data_file)


def upload_file_to_file_store(
    fileobj: BinaryIO, path: str | None = None, file_metadata: dict[str, Any] | None = None
) -> dict[str, str]:
    """Put a file into the file store, and return its version: key, md5 and extension.

    The intent is in the journal: should `ingest_archive_record` never be called,
    ``calrecords resume`` registers the file. A file that the archive has is not stored again.

    Parameters
    ----------
    fileobj, path, file_metadata
        As for `validate_fits_and_create_archive_record`.

    Raises
    ------
    BackoffRetryError
        If the store or the archive cannot be reached.
    DoNotRetryError
        If the store is not as it must be, or the file is refused.
    """
    connection = _connections.get()
    with connection.cal.on_disk(fileobj, path) as place:
        data_file = connection.open_file(place, file_metadata)
        if connection.cal.archive is None:
            return _put(connection, data_file)
        return _upload(connection, data_file)


def ingest_archive_record(
    version: dict[str, str],
    record: dict[str, Any],
    api_root: str | None = None,
    auth_token: str | None = None,
) -> dict[str, Any]:
    """Register an uploaded file with the archive, and record it with its frame ID.

    Parameters
    ----------
    version : dict
        From `upload_file_to_file_store`.
    record : dict
        From `validate_fits_and_create_archive_record`; it is filled in, and returned.
    api_root, auth_token : str, optional
        As for `frame_exists`.

    Returns
    -------
    dict
        The record with ``version_set``, ``frameid``, ``filename`` and ``url``.

    Raises
    ------
    BackoffRetryError
        If the archive cannot be reached.
    NonFatalDoNotRetryError
        If the archive has the same bytes under another name.
    DoNotRetryError
        If the archive refuses the record.
    """
    connection = _connections.get(api_root, auth_token)
    frame = connection.archive.create_frame(
        {name: value for name, value in record.items() if name != "version_set"},
        version_key=version["key"],
        md5=version["md5"],
        extension=version["extension"],
    )
    connection.cal.resume(basename=frame.basename)
    if not _is_recorded(connection, frame.basename, version["md5"]):
        connection.cal.adopt(frame.frame_id)
    record["version_set"] = [version]
    record.update(_told(frame, version["md5"]))
    return record


def upload_file_and_ingest_to_archive(
    fileobj: BinaryIO,
    path: str | None = None,
    file_metadata: dict[str, Any] | None = None,
    required_headers: Collection[str] | None = None,
    blacklist_headers: Collection[str] | None = None,
    api_root: str | None = None,
    auth_token: str | None = None,
    is_thumbnail: bool = False,
    thumbnail_size: str | None = None,
) -> dict[str, Any]:
    """Store a file, register it with the archive, and record its frame ID, in one call.

    Parameters
    ----------
    fileobj, path, file_metadata, required_headers, blacklist_headers
        As for `validate_fits_and_create_archive_record`.
    api_root, auth_token : str, optional
        As for `frame_exists`.
    is_thumbnail : bool, optional
        Not supported: the archive's thumbnail interface is not spoken here.
    thumbnail_size : str, optional
        Size of the thumbnail.

    Returns
    -------
    dict
        The record that the archive was sent, with ``version_set``, and with the archive's
        ``frameid``, ``filename`` and ``url``. The URL may be signed: do not log or keep it.

    Raises
    ------
    NonFatalDoNotRetryError
        If the archive has this file already.
    BackoffRetryError
        If the store or the archive cannot be reached; calling again goes on where it stopped.
    DoNotRetryError
        If the file is refused, or a setting or right is wrong.
    """
    if is_thumbnail:
        raise _no_thumbnails(thumbnail_size)
    connection = _connections.get(api_root, auth_token)
    with connection.cal.on_disk(fileobj, path) as place:
        data_file = connection.open_file(place, file_metadata, required_headers, blacklist_headers)
        result = connection.cal.ingest(data_file)
        if result.outcome is IngestOutcome.ALREADY_THERE:
            raise _exists(result)
        return _answer(connection, data_file, result)


def _record(data_file: DataFile) -> dict[str, Any]:
    """Return a record with the two fields more that the OCS ingester sends."""
    mapping, header = data_file.mapping, data_file.header
    return {
        **check_archivable(data_file),
        "frame_basename": header.get(mapping.thumbnail_frame_basename),
        "size": header.get(mapping.thumbnail_size, ""),
    }


def _answer(connection: Connection, data_file: DataFile, result: IngestResult) -> dict[str, Any]:
    frame = result.frame
    if frame is None or frame.frame_id is None:
        msg = f"{result.path}: ingested, but without a frame ID"
        raise RecordNotFoundError(msg)
    archived = result.archived or connection.cal.lookup(frame.frame_id)
    md5 = data_file.digest().md5
    version = _version_in(archived, md5)
    return {
        **_record(data_file),
        "version_set": [_version(version.version_key, md5, data_file.extension)],
        **_told(archived, md5),
    }


def _told(frame: ArchiveFrame, md5: str) -> dict[str, Any]:
    """Return what the OCS ingester adds to a record from the archive's answer."""
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


def _version(key: str, md5: str, extension: str) -> dict[str, str]:
    return {"key": key, "md5": md5, "extension": extension}


def _is_recorded(connection: Connection, basename: str, md5: str) -> bool:
    try:
        return connection.cal.get(basename=basename, md5=md5).frame_id is not None
    except RecordNotFoundError:
        return False


def _upload(connection: Connection, data_file: DataFile) -> dict[str, str]:
    digest = data_file.digest()
    for _ in range(_UPLOADS):
        try:
            with ending_when_stored():
                result = connection.cal.ingest(data_file)
        except StoredError:
            stored = connection.cal.store.find(data_file.store_key, digest)
            key = None if stored is None else stored.version_key
        else:
            key = None if result.frame is None else result.frame.version.version_key
        if key is not None:
            return _version(key, digest.md5, data_file.extension)
    msg = f"{data_file.filename}: older versions of it are unfinished; run `calrecords resume`"
    raise FileStoreUnavailableError(msg)


def _put(connection: Connection, data_file: DataFile) -> dict[str, str]:
    digest = data_file.digest()
    store = connection.cal.store
    store.check()
    with data_file.path.open("rb") as source:
        stored = store.put(
            data_file.store_key,
            source,
            digest,
            content_type=data_file.content_type,
            dateobs=data_file.facts.dateobs,
        )
    return _version(stored.version_key, digest.md5, data_file.extension)


def _exists(result: IngestResult) -> VersionExistsError:
    return VersionExistsError(
        f"{result.path}: a version with this md5 already exists; it is frame {result.frame_id}"
    )


def _no_thumbnails(size: str | None) -> Exception:
    if size is None:
        return ConfigurationError("thumbnail_size must be given for a thumbnail")
    return UnsupportedFileTypeError(
        "the archive's thumbnail interface is not spoken; leave is_thumbnail out to ingest the"
        " picture as a frame of its own, or go on using ocs_ingester for thumbnails"
    )
