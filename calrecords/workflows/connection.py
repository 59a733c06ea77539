"""How a pipeline gets its connection: from arguments and settings to the parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from calrecords.archive import ArchiveClient
from calrecords.filestore import FileStore
from calrecords.records import RecordDatabase
from calrecords.workflows.facade import CalibrationRecords
from calrecords.workflows.offline import offline_store
from calrecords.workflows.parts import given_settings, make_archive, make_portal, make_store
from calrecords.workflows.results import IngestStep
from calrecords.workflows.settings import Settings


def connect(
    *,
    db: str | Path | None = None,
    archive: str | ArchiveClient | None = None,
    token: str | None = None,
    store: str | Path | FileStore | None = None,
    cache: str | Path | None = None,
    rules: str | Path | None = None,
    config: str | Path | None = None,
    offline: bool | None = None,
    on_step: Callable[[IngestStep], None] | None = None,
) -> CalibrationRecords:
    """Connect to the records, the file store and the archive that the settings name.

    What is not given comes from the environment, a TOML file, or a default: without any
    setting, records are a SQLite file and the store a folder, both in the user's data
    directory, and there is no archive.

    Parameters
    ----------
    db : str or Path, optional
        The records database: a SQLite file, or a URL.
    archive : str or ArchiveClient, optional
        Root URL of the Science Archive, or a client of it.
    token : str, optional
        Token of a superuser of the archive.
    store : str, Path or FileStore, optional
        A folder, ``s3://BUCKET``, or a file store.
    cache : str or Path, optional
        Folder of downloaded frames.
    rules : str or Path, optional
        Which rules choose: a shipped name (``lco``, ``gemini``), or a TOML file.
    config : str or Path, optional
        A TOML file with settings.
    offline : bool, optional
        Ask no archive and no S3, even where one is named or passed in: what needs one raises
        ConfigurationError. Records, the cache and a store in a folder are used as ever.
    on_step : callable, optional
        Called with each `IngestStep` of an ingestion once it is reached.

    Returns
    -------
    CalibrationRecords
        A context manager; safe to share between threads, and usable after a fork, provided
        that no other thread is using it at that moment. It cannot be pickled: another
        process that is not a fork connects for itself.

    Raises
    ------
    ConfigurationError
        If a setting is wrong.
    SchemaError
        If the database has another schema, or belongs to another archive.
    RecordsUnavailableError
        If the database cannot be reached.
    """
    settings = Settings(
        given_settings(
            db=db,
            archive=archive if isinstance(archive, str) else None,
            token=token,
            store=None if isinstance(store, FileStore) else store,
            cache=cache,
            rules=rules,
            config=config,
            offline=offline,
        )
    )
    is_offline = settings["offline"]
    with ExitStack() as made:
        client = archive if isinstance(archive, ArchiveClient) else make_archive(settings)
        if client is not None and client is not archive:
            made.callback(client.close)
        files = store if isinstance(store, FileStore) else make_store(settings)
        if files is not store:
            made.callback(files.close)
        if is_offline:
            files = offline_store(files)
        portal = make_portal(settings)
        if portal is not None:
            made.callback(portal.close)
        database = RecordDatabase(settings["db_url"])
        made.callback(database.close)
        database.open()
        if client is not None:
            database.demand_archive(client.root)
        return CalibrationRecords(
            settings=settings,
            database=database,
            store=files,
            archive=None if is_offline else client,
            portal=portal,
            on_step=on_step,
            close=made.pop_all().close,
        )
