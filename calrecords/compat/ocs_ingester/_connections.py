"""One connection for each set of settings, kept while the settings stay as they are."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calrecords.archive import ArchiveClient, ObservationPortal
from calrecords.compat.ocs_ingester._given import checked_metadata, keywords
from calrecords.datafiles import DataFile, DataFileFactory, HeaderMapping
from calrecords.errors import ConfigurationError
from calrecords.forking import start_anew_after_fork
from calrecords.workflows.connection import connect
from calrecords.workflows.facade import CalibrationRecords
from calrecords.workflows.parts import make_factory, make_mapping, make_portal
from calrecords.workflows.results import IngestStep
from calrecords.workflows.settings import Settings, fingerprint

_ends_when_stored: ContextVar[bool] = ContextVar("ends_when_stored", default=False)


class StoredError(Exception):
    """The bytes are in the file store, and no more was asked for."""


@contextmanager
def ending_when_stored() -> Iterator[None]:
    """Let an ingestion inside the block end with `StoredError` once its bytes are stored."""
    token = _ends_when_stored.set(True)
    try:
        yield
    finally:
        _ends_when_stored.reset(token)


def _on_step(step: IngestStep) -> None:
    if step is IngestStep.STORED and _ends_when_stored.get():
        raise StoredError


@dataclass(frozen=True, slots=True)
class Connection:
    """What one call of the OCS functions works with.

    Attributes
    ----------
    cal : CalibrationRecords
        Records, file store and archive.
    factory : DataFileFactory
        Opens files.
    mapping : HeaderMapping
        Which header keyword gives which fact.
    portal : ObservationPortal or None
        Knows the tags of proposals.
    """

    cal: CalibrationRecords
    factory: DataFileFactory
    mapping: HeaderMapping
    portal: ObservationPortal | None

    @property
    def archive(self) -> ArchiveClient:
        """The archive.

        Raises
        ------
        ConfigurationError
            If none is named.
        """
        if self.cal.archive is None:
            msg = (
                "no archive is named; set API_ROOT and AUTH_TOKEN, or pass api_root and auth_token"
            )
            raise ConfigurationError(msg)
        return self.cal.archive

    def open_file(
        self,
        path: Path,
        metadata: dict[str, Any] | None,
        required: Collection[str] | None = None,
        blacklist: Collection[str] | None = None,
    ) -> DataFile:
        """Return the data file at a path, with other required or dropped keywords if given.

        Raises
        ------
        DataFileError
            If the file cannot be used.
        ConfigurationError
            If an argument is not what it must be.
        """
        changes: dict[str, Any] = {}
        if required is not None:
            changes["required"] = keywords(required, "required_headers")
        if blacklist is not None:
            changes["blacklist"] = keywords(blacklist, "blacklist_headers")
        mapping = replace(self.mapping, **changes)
        return self.factory.open(path, mapping=mapping, metadata=checked_metadata(metadata))

    def close(self) -> None:
        """Close what was made for it."""
        self.cal.close()
        if self.portal is not None:
            self.portal.close()


class Connections:
    """Connections by their settings, shared by the threads of a process."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], Connection] = {}
        self._last: dict[tuple[str | None, str | None], tuple[object, Connection]] = {}
        self._lock = threading.Lock()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Take a lock that no thread of the parent process holds."""
        self._lock = threading.Lock()

    def get(self, api_root: str | None = None, auth_token: str | None = None) -> Connection:
        """Return the connection for these arguments and the settings as they are now.

        Raises
        ------
        ConfigurationError
            If a setting is wrong.
        SchemaError
            If the records database has another schema, or belongs to another archive.
        """
        asked, now = (api_root, auth_token), fingerprint()
        with self._lock:
            before, connection = self._last.get(asked, (None, None))
            if connection is None or before != now:
                connection = self._connection(_settings(api_root, auth_token))
                self._last[asked] = now, connection
            return connection

    def _connection(self, settings: Settings) -> Connection:
        key = tuple(repr(value.value) for value in settings.values())
        if key not in self._made:
            self._made[key] = _connected(settings)
        return self._made[key]

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            made, self._made, self._last = list(self._made.values()), {}, {}
        for connection in made:
            connection.close()


def _settings(api_root: str | None, auth_token: str | None) -> Settings:
    """Return the settings, with what the arguments of an OCS function change in them."""
    usual = Settings()
    given: dict[str, Any] = {"api_root": api_root, "auth_token": auth_token}
    sources = {value.setting.name: value.source for value in usual.values()}
    if sources["sky_area"] == "default":
        given["sky_area"] = True  # the OCS ingester sends it for every frame
    if sources["db_url"] == "default" and _is_another(api_root, usual["api_root"]):
        given["db_url"] = _database_of(str(api_root), usual["db_url"])
    return Settings(given)


def _is_another(api_root: str | None, usual: str | None) -> bool:
    return bool(api_root and usual) and str(api_root).rstrip("/") != str(usual).rstrip("/")


def _database_of(api_root: str, usual: str) -> str:
    """Return a file beside the default database, since that belongs to one archive."""
    name = hashlib.sha256(api_root.rstrip("/").encode()).hexdigest()[:12]
    return str(Path(usual).with_name(f"records-{name}.sqlite"))


def _connected(settings: Settings) -> Connection:
    cal = connect(
        db=settings["db_url"],
        archive=settings["api_root"],
        token=settings["auth_token"],
        on_step=_on_step,
    )
    portal = make_portal(settings)
    return Connection(cal, make_factory(settings, portal), make_mapping(settings), portal)
