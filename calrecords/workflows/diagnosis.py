"""Whether everything that calrecords depends on is as it must be."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from calrecords.archive import ArchiveClient
from calrecords.errors import CalRecordsError
from calrecords.filestore import DummyStore, FileStore
from calrecords.frames import digest_stream
from calrecords.records import Journal, RecordDatabase
from calrecords.records.engine import WAL_IS_SAFE_FROM
from calrecords.workflows.cache import FileCache
from calrecords.workflows.parts import make_archive, make_cache, make_factory, make_store
from calrecords.workflows.settings import Settings

_PROBE_KEY = "calrecords-doctor/probe"
_PROBE = b"calrecords looks whether what it stores comes back\n"


class Health(StrEnum):
    """How a finding is to be taken."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    subject : str
        What was looked at.
    health : Health
        How it is.
    message : str
        What was found, and what to do.
    """

    subject: str
    health: Health
    message: str


def diagnose(settings: Settings) -> Iterator[Finding]:
    """Look at settings, database, file store, archive and cache, one after the other."""
    source = settings.file or "no file; environment and defaults"
    yield Finding("settings", Health.OK, f"read from {source}")
    yield _look("data files", lambda: _data_files(settings))
    yield _look("records", lambda: _records(RecordDatabase(settings["db_url"])))
    yield from _sqlite(settings)
    yield _look("file store", lambda: _store(make_store(settings)))
    yield _look("archive", lambda: _archive(make_archive(settings)))
    yield _look("cache", lambda: _cache(make_cache(settings)))


def _look(subject: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, Health.OK, check())
    except _WorthKnowing as warning:
        return Finding(subject, Health.WARNING, str(warning))
    except CalRecordsError as error:
        return Finding(subject, Health.FAILURE, str(error))


class _WorthKnowing(Exception):  # noqa: N818 - a finding, not an error
    """All is well, but somebody should know this."""


def _data_files(settings: Settings) -> str:
    return f"extensions {', '.join(make_factory(settings).extensions)}"


def _records(database: RecordDatabase) -> str:
    if not database.exists():
        msg = f"{database.place} does not exist yet; it is made at the first use"
        raise _WorthKnowing(msg)
    try:
        database.check()
        journal = Journal(database)
        state = f"{database.place}, {database.count()} frames"
        unfinished, failed = len(journal.unfinished()), len(journal.failed())
    finally:
        database.close()
    if unfinished or failed:
        msg = (
            f"{state}; {unfinished} ingestions are unfinished (run: calrecords resume), "
            f"{failed} ended in a failure (run: calrecords resume --failed)"
        )
        raise _WorthKnowing(msg)
    return state


def _sqlite(settings: Settings) -> Iterator[Finding]:
    if RecordDatabase(settings["db_url"]).is_server:
        return
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM:
        yield Finding("SQLite", Health.OK, f"version {version}, write-ahead log")
        return
    safe = ".".join(map(str, WAL_IS_SAFE_FROM))
    message = f"version {version}, rollback journal: the write-ahead log is safe from {safe} on"
    yield Finding("SQLite", Health.OK, message)


def _store(store: FileStore) -> str:
    if isinstance(store, DummyStore):
        msg = "FILESTORE_TYPE is dummy: every file is thrown away"
        raise _WorthKnowing(msg)
    digest = digest_stream(io.BytesIO(_PROBE))
    try:
        store.check(for_archive=True)
        stored = store.put(_PROBE_KEY, io.BytesIO(_PROBE), digest)
        try:
            store.copy_to(stored, io.BytesIO())
        finally:
            store.delete(stored)
    finally:
        store.close()
    return f"{store!r}: what was put came back"


def _archive(archive: ArchiveClient | None) -> str:
    if archive is None:
        msg = "none is named; set API_ROOT and AUTH_TOKEN to ingest"
        raise _WorthKnowing(msg)
    with archive:
        types = sorted(archive.observation_types())
    return f"{archive.root} takes {', '.join(types)}"


def _cache(cache: FileCache) -> str:
    cache.check()
    return str(cache.folder)
