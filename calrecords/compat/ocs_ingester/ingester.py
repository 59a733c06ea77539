"""The five functions of `ocs_ingester.ingester` 3.2.0, with calrecords behind them.

Names, arguments, and the keys and values of answers are the originals'. What follows differs
on purpose. Of what is kept, and when a frame is there:

- A frame is also recorded in the records database, and a call that was interrupted anywhere is
  completed by calling again, or by ``calrecords resume``: nothing is in the archive without
  its frame ID here. A database belongs to one archive; where CALRECORDS_DB_URL names one, or
  API_ROOT is not set, calls with an `api_root` other than the first are refused.
- The archive's ``/versions/?md5=`` is not believed where it does not filter, so that a frame is
  not said to exist because others do. A frame that is there raises NonFatalDoNotRetryError, as
  before, and the message names its frame ID.
- `upload_file_to_file_store` leaves an intent in the journal. What `ingest_archive_record` does
  not register after it, ``calrecords resume`` does, and so does whoever next stores other bytes
  under this basename; with the record of the file itself, not one that was edited. Once its
  bytes are registered under another basename or with another `api_root`, that is over. In a
  folder, the file is at its path once it is registered.
- `ingest_archive_record` of a version that the archive has under this name returns the answer
  again, where the original fails; under another name it raises NonFatalDoNotRetryError, as the
  call that does it all, where the original raises DoNotRetryError.

Of what is taken, and in which words:

- What the archive would refuse (its list of observation types, lengths, extensions) is refused
  before anything is stored, and most of it by the validation. `upload_file_to_file_store` asks
  the archive for its list, if one is named.
- A damaged or half-written file is refused, where the original ingests it, and so is one that
  is not what its extension says. Metadata do not stand in for a FITS header that is broken.
- A file may have any name that ends in a known extension: ``a.b.fits`` is the basename ``a.b``,
  and the related frame ``a.b``, too. Letters, digits and ``._+-`` make a name, nothing else.
- A field has one type and form: the night is text as YYYYMMDD, the exposure time a float.
- Metadata are mended as a FITS header is, also those of a document: null values are plain, and
  names of related frames lose their extension; the archive would take the name with it for
  another frame. Numbers of numpy and times may be among them, lists and dictionaries not. The
  caller's dictionary stays as it is.

Of settings and surroundings:

- Settings are read at each call, not when the module is imported. Without API_ROOT there is no
  archive, where the original has http://127.0.0.1:8000/ and a token of its own; FILESTORE_TYPE
  is ``local`` by default, where the original throws files away.
- Every failure is one of the four exceptions, where the original lets a lost connection, a
  value that is not JSON, or a file that cannot be written escape as whatever they are.
- Every request has a deadline, connections are kept, and a transient failure is tried again
  before BackoffRetryError is raised.
- The archive's thumbnail interface is not spoken: ``is_thumbnail=True`` is refused. A ``.jpg``
  with metadata is ingested as a frame.
- No metrics are sent, and there are no `ocs_ingester.archive` and `ocs_ingester.settings`; for
  the command ``ocs_ingest_frame`` there is ``calrecords ingest``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from os import PathLike
from typing import Any, BinaryIO

from calrecords.archive import ArchiveFrame
from calrecords.compat.ocs_ingester._answers import (
    already_there,
    answer_of,
    no_thumbnails,
    record_of,
    told_of,
    version_of,
)
from calrecords.compat.ocs_ingester._connections import (
    Connection,
    Connections,
    StoredError,
    ending_when_stored,
)
from calrecords.compat.ocs_ingester._given import demand_version_and_record, md5_of
from calrecords.datafiles import DataFile
from calrecords.errors import (
    CalRecordsError,
    FileStoreUnavailableError,
    RecordNotFoundError,
    VersionExistsError,
)
from calrecords.vocabulary import split_filename
from calrecords.workflows.results import IngestOutcome

_log = logging.getLogger(__name__)
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

    Where it has, and an ingestion of this file was interrupted before it was recorded, that is
    completed first.

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
    md5 = md5_of(fileobj)
    name = getattr(fileobj, "name", None)
    if isinstance(name, str):
        basename = split_filename(name)[0]
        if _is_recorded(connection, basename, md5):
            return True
        frame = connection.archive.find(basename)
        if frame is not None and frame.version_with(md5) is not None:
            connection.cal.resume(basename=basename)
            return True
    return connection.archive.has_version(md5) is True


def validate_fits_and_create_archive_record(
    fileobj: BinaryIO,
    path: str | PathLike[str] | None = None,
    file_metadata: dict[str, Any] | None = None,
    required_headers: Collection[str] | None = None,
    blacklist_headers: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the archive record of a file, less its version; nothing is stored.

    Parameters
    ----------
    fileobj : binary file
        Read from its start.
    path : str or path, optional
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
        return record_of(data_file)


def upload_file_to_file_store(
    fileobj: BinaryIO,
    path: str | PathLike[str] | None = None,
    file_metadata: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Put a file into the file store, and return its version: key, md5 and extension.

    The intent is in the journal: should `ingest_archive_record` never be called,
    ``calrecords resume`` registers the file, with the record of the file itself, and so does
    whoever next stores other bytes under this basename. A file that the archive has is not
    stored again.

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
    demand_version_and_record(version, record)
    connection = _connections.get(api_root, auth_token)
    frame = _registered(connection, version, record)
    connection.cal.resume(basename=frame.basename)
    if not _is_recorded(connection, frame.basename, version["md5"]):
        connection.cal.adopt(frame.frame_id)
        _hand_over(connection, frame, version["md5"])
    record["version_set"] = [version]
    record.update(told_of(frame, version["md5"]))
    return record


def upload_file_and_ingest_to_archive(
    fileobj: BinaryIO,
    path: str | PathLike[str] | None = None,
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
        raise no_thumbnails(thumbnail_size)
    connection = _connections.get(api_root, auth_token)
    with connection.cal.on_disk(fileobj, path) as place:
        data_file = connection.open_file(place, file_metadata, required_headers, blacklist_headers)
        result = connection.cal.ingest(data_file)
        if result.outcome is IngestOutcome.ALREADY_THERE:
            raise already_there(result)
        return answer_of(connection, data_file, result)


def _registered(
    connection: Connection, version: dict[str, str], record: dict[str, Any]
) -> ArchiveFrame:
    try:
        return connection.archive.create_frame(
            {name: value for name, value in record.items() if name != "version_set"},
            version_key=version["key"],
            md5=version["md5"],
            extension=version["extension"],
        )
    except VersionExistsError:
        connection.cal.resume(basename=str(record.get("basename")))  # ends it in the journal, too
        raise


def _hand_over(connection: Connection, frame: ArchiveFrame, md5: str) -> None:
    """End the intent of an upload that was registered under another name, or elsewhere."""
    to = f"frame {frame.frame_id} ({frame.basename}) of {connection.archive.root}"
    try:
        usual = _connections.get()
        besides = frame.basename if usual is connection else None
        usual.cal.hand_over(md5, to, besides=besides)
    except CalRecordsError as error:
        _log.warning("%s: its upload stays unfinished in the journal: %s", to, error)


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
            return version_of(key, digest.md5, data_file.extension)
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
    store.publish(stored)
    return version_of(stored.version_key, digest.md5, data_file.extension)
