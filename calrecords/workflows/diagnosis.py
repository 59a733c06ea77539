"""Whether everything that calrecords depends on is as it must be."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from calrecords.errors import ConfigurationError, RecordsRefusedError
from calrecords.filestore import DummyStore, FileStore
from calrecords.frames import digest_stream
from calrecords.records import Journal, RecordDatabase
from calrecords.records.engine import WAL_IS_SAFE_FROM
from calrecords.records.inspecting import WRITE_AHEAD_LOG, demand_writable, software_of
from calrecords.workflows.cache import FileCache
from calrecords.workflows.diagnosis_archive import archive_findings
from calrecords.workflows.file_systems import MOUNTS, file_system_of, is_network
from calrecords.workflows.findings import Finding, Health, WorthKnowing, look
from calrecords.workflows.parts import (
    make_archive,
    make_cache,
    make_factory,
    make_portal,
    make_store,
)
from calrecords.workflows.settings import Settings

__all__ = ["Finding", "Health", "diagnose"]

_PROBE_KEY = "calrecords-doctor/probe"
_PROBE = b"calrecords looks whether what it stores comes back\n"


def diagnose(settings: Settings, *, mounts: Path = MOUNTS) -> Iterator[Finding]:
    """Look at settings, records, file systems, file store, archive, portal and cache, one by one.

    Parameters
    ----------
    settings : Settings
        Which ones.
    mounts : Path, optional
        What lists the mounted file systems.
    """
    source = settings.file or "no file; environment and defaults"
    yield Finding("settings", Health.OK, f"read from {source}")
    yield look("data files", lambda: _data_files(settings))
    try:
        database = RecordDatabase(settings["db_url"])
    except ConfigurationError as error:
        yield Finding("records", Health.FAILURE, str(error))
    else:
        yield from _database_findings(database, settings, mounts)
    yield look("file store", lambda: _store(make_store(settings)))
    try:
        archive = make_archive(settings)
    except ConfigurationError as error:
        yield Finding("archive", Health.FAILURE, str(error))
    else:
        yield from archive_findings(archive)
    if settings["observation_portal_base_url"]:
        yield look("observation portal", lambda: _portal(settings))
    yield look("cache", lambda: _cache(make_cache(settings)))


def _database_findings(
    database: RecordDatabase, settings: Settings, mounts: Path
) -> Iterator[Finding]:
    with closing(database):
        yield look("records", lambda: _records(database))
        yield look("database", lambda: _software(database))
        yield look("file systems", lambda: _file_systems(settings, database.file, mounts))


def _data_files(settings: Settings) -> str:
    return f"extensions {', '.join(make_factory(settings).extensions)}"


def _records(database: RecordDatabase) -> str:
    if not database.exists():
        msg = f"{database.place} does not exist yet; it is made at the first use"
        raise WorthKnowing(msg)
    database.check_tables()
    journal = Journal(database)
    state = f"{database.place}, {database.count()} frames"
    try:
        demand_writable(database)
    except RecordsRefusedError as error:
        msg = f"{state}, which can only be read: {error}"
        raise WorthKnowing(msg) from None
    unfinished, failed = len(journal.unfinished()), len(journal.failed())
    if unfinished or failed:
        msg = (
            f"{state}; {unfinished} ingestions are unfinished (run: calrecords resume), "
            f"{failed} ended in a failure (run: calrecords resume --failed)"
        )
        raise WorthKnowing(msg)
    return state


def _software(database: RecordDatabase) -> str:
    """Say which software it is, and how SQLite journals: its log can corrupt a database."""
    safe = ".".join(map(str, WAL_IS_SAFE_FROM))
    log = f"the write-ahead log, which can corrupt a database before {safe}, is"
    if not database.exists():
        is_safe = sqlite3.sqlite_version_info >= WAL_IS_SAFE_FROM
        return f"SQLite {sqlite3.sqlite_version}" + ("" if is_safe else f"; {log} not used")
    found = software_of(database)
    if found.journal_mode is None:
        return f"{found.name} {found.version}"
    said = f"{found.name} {found.version}, journal mode {found.journal_mode}"
    if found.has_safe_log:
        return said
    if found.journal_mode == WRITE_AHEAD_LOG:
        msg = (
            f"{said}; {log} in use, since others hold the file open with it; use a newer Python "
            "or SQLite in all processes that share it"
        )
        raise WorthKnowing(msg)
    return f"{said}; {log} not used"


def _file_systems(settings: Settings, records: Path | None, mounts: Path) -> str:
    """Say on what records and cache are: locks need not hold between machines."""
    places = {"cache": settings.folder("cache_dir")}
    advice = {"cache": "give each machine a cache of its own, or files are downloaded twice"}
    if records is not None:
        places = {"records": records, **places}
        advice["records"] = (
            "SQLite cannot trust its locks there, and a database can be damaged; keep it on a "
            "disk of this machine, or use PostgreSQL"
        )
    kinds = {name: file_system_of(place, mounts) for name, place in places.items()}
    if None in kinds.values():
        return "which ones these are cannot be told here; records and cache belong on local disks"
    shared = [
        f"{name} ({places[name]}): {kind} is a network file system; {advice[name]}"
        for name, kind in kinds.items()
        if kind is not None and is_network(kind)
    ]
    if shared:
        raise WorthKnowing("; ".join(shared))
    return ", ".join(f"{name} on {kind}" for name, kind in kinds.items())


def _store(store: FileStore) -> str:
    if isinstance(store, DummyStore):
        msg = "FILESTORE_TYPE is dummy: every file is thrown away"
        raise WorthKnowing(msg)
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


def _portal(settings: Settings) -> str:
    portal = make_portal(settings)
    if portal is None:
        return "not asked, since CALRECORDS_OFFLINE is set"
    with portal:
        portal.check()
        return f"{portal.root} answers, and takes the token"


def _cache(cache: FileCache) -> str:
    cache.check()
    return str(cache.folder)
