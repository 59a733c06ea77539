"""From settings to the parts: which database, which store, which archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveClient, ObservationPortal
from calrecords.datafiles import (
    DataFileFactory,
    HeaderMapping,
    installed_data_file_classes,
    load_data_file_class,
)
from calrecords.errors import ConfigurationError
from calrecords.filestore import DummyStore, FileStore, FileSystemStore
from calrecords.workflows.cache import FileCache
from calrecords.workflows.offline import WHY_OFFLINE
from calrecords.workflows.settings import Settings, header_settings


def expanded(path: str | Path) -> Path:
    """Return a path, its ``~`` expanded where there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def given_settings(
    *,
    db: str | Path | None = None,
    archive: str | None = None,
    token: str | None = None,
    store: str | Path | None = None,
    cache: str | Path | None = None,
    rules: str | Path | None = None,
    config: str | Path | None = None,
    offline: bool | None = None,
) -> dict[str, Any]:
    """Return the arguments of `connect` by the names of their settings.

    Raises
    ------
    ConfigurationError
        If `store` is neither a folder nor a bucket.
    """
    named = {
        "config": config,
        "db_url": db,
        "api_root": archive,
        "auth_token": token,
        "cache_dir": cache,
        "rules": rules,
    }
    given: dict[str, Any] = {
        name: None if value is None else str(value) for name, value in named.items()
    }
    given["offline"] = offline
    return {**given, **_store_settings(str(store))} if store else given


def _store_settings(place: str) -> dict[str, Any]:
    if place.startswith("s3://"):
        bucket = place.removeprefix("s3://").strip("/")
        if not bucket or "/" in bucket:
            msg = f"store {place!r}: write s3://BUCKET; the archive fixes the paths in it"
            raise ConfigurationError(msg)
        return {"filestore_type": "s3", "bucket": bucket}
    if "://" in place:
        msg = f"store {place!r}: give a folder, s3://BUCKET, or a FileStore object"
        raise ConfigurationError(msg)
    return {"filestore_type": "local", "filesystem_storage_root_dir": place}


def make_store(settings: Settings) -> FileStore:
    """Return the file store that the settings name; nothing is asked of it yet.

    Raises
    ------
    ConfigurationError
        If FILESTORE_TYPE is unknown, or S3 lacks its bucket.
    """
    kind = settings["filestore_type"].lower()
    if kind == "local":
        return FileSystemStore(
            settings.folder("filesystem_storage_root_dir"),
            base_url=settings["filesystem_storage_base_url"],
        )
    if kind == "s3":
        return _make_s3_store(settings)
    if kind == "dummy":
        return DummyStore()
    msg = f"FILESTORE_TYPE is {kind!r}; write local, s3 or dummy"
    raise ConfigurationError(msg)


def _make_s3_store(settings: Settings) -> FileStore:
    from calrecords.filestore import S3Store, make_s3_client

    if not settings["bucket"]:
        msg = "FILESTORE_TYPE is s3, and no bucket is named; set BUCKET"
        raise ConfigurationError(msg)
    client = make_s3_client(
        endpoint_url=settings["s3_endpoint_url"],
        region=settings["aws_default_region"],
        addressing_style=settings["s3_addressing_style"],
        signature_version=settings["s3_signature_version"],
    )
    return S3Store(client, settings["bucket"], ia_after_days=settings["s3_days_to_ia_storage"])


def make_cache(settings: Settings) -> FileCache:
    """Return the cache that the settings name; nothing is made yet."""
    return FileCache(
        settings.folder("cache_dir"),
        max_bytes=settings["cache_max_bytes"],
        lock_timeout_s=settings["cache_lock_timeout_s"],
        read_only=settings["cache_read_only"],
    )


def make_archive(settings: Settings) -> ArchiveClient | None:
    """Return a client of the archive that the settings name; None where they name none."""
    if not settings["api_root"]:
        return None
    return ArchiveClient(
        settings["api_root"],
        settings["auth_token"],
        allow_plain_http=settings["allow_plain_http"],
    )


def make_mapping(settings: Settings) -> HeaderMapping:
    """Return which header keyword gives which fact."""
    return HeaderMapping(
        **{field: settings[setting.name] for field, setting in header_settings().items()}
    )


def make_portal(settings: Settings) -> ObservationPortal | None:
    """Return the portal that knows proposals' tags; None where the settings name none."""
    if not settings["observation_portal_base_url"] or settings["offline"]:
        return None
    return ObservationPortal(
        settings["observation_portal_base_url"],
        settings["observation_portal_api_token"],
        allow_plain_http=settings["allow_plain_http"],
    )


def make_factory(settings: Settings, portal: ObservationPortal | None = None) -> DataFileFactory:
    """Return what opens data files, with the classes that the settings name.

    Parameters
    ----------
    settings : Settings
        Classes by extension, and whether the sky area is wanted.
    portal : ObservationPortal, optional
        Asked for the tags of proposals, on which it depends when a frame becomes public.

    Raises
    ------
    ConfigurationError
        If a class cannot be had, or is no data file class.
    """
    own = {
        extension: load_data_file_class(name)
        for extension, name in settings["filetype_mapping_overrides"].items()
    }
    return DataFileFactory(
        installed_data_file_classes(own),
        proposal_tags=None if portal is None else portal.proposal_tags,
        sky_area=settings["sky_area"],
    )


def why_no_archive(settings: Settings) -> str:
    """Return why there is no archive to ask, and what to do."""
    if settings["offline"]:
        return f"{WHY_OFFLINE} to ask the archive"
    return (
        "no archive is named, so there is no frame ID to be had; set API_ROOT and AUTH_TOKEN "
        "(or pass archive= and token=), or use `register` to record the file without an archive"
    )
