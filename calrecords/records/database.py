"""One records database: opened once, safe between threads, opened anew after a fork."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from calrecords.errors import ConfigurationError, SchemaError
from calrecords.forking import start_anew_after_fork
from calrecords.frames import CalibrationFrame, ContentDigest
from calrecords.matching import MatchSet
from calrecords.records import migrate, reading
from calrecords.records.completing import complete_version
from calrecords.records.direct_reads import DirectReads
from calrecords.records.engine import ANSWER_TIMEOUT_S, BUSY_TIMEOUT_S, as_writer, make_engine
from calrecords.records.faults import our_errors
from calrecords.records.match_sets import missing_sets, register_match_sets
from calrecords.records.models import Archive
from calrecords.records.naming import insert_once
from calrecords.records.reading import FrameFilter
from calrecords.records.recording import NewVersion, PartialDigest, record_version
from calrecords.records.storable import is_storable
from calrecords.records.urls import database_url, shown

_inherited: list[Engine] = []
"""Engines of a parent process: never used, and never closed, which would disturb the parent."""


class RecordDatabase:
    """The records of one pipeline.

    It may be shared between threads, and used after a fork: the child opens connections of
    its own. Fork while no transaction is open, since SQLite would take the parent's locks for
    the child's.

    Parameters
    ----------
    database : str or Path
        A SQLite file, or a URL: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.
    answer_timeout_s : float, optional
        Seconds that a server may take for one statement.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read.
    """

    def __init__(self, database: str | Path, *, answer_timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._url = database_url(database)
        self._answer_timeout_s = answer_timeout_s
        self._lock = threading.Lock()
        self._turn_lock = threading.RLock()
        self._engine: Engine | None = None
        self._writer: tuple[Engine, Engine] | None = None
        self._archive_root: str | None = None
        self._match_sets: frozenset[MatchSet] = frozenset()
        self._direct = DirectReads(self._connected, is_sqlite=not self.is_server)
        start_anew_after_fork(self)

    def __repr__(self) -> str:
        return f"RecordDatabase({shown(self._url)!r})"

    @property
    def place(self) -> str:
        """The database's URL, its password hidden."""
        return shown(self._url)

    @property
    def is_server(self) -> bool:
        """Whether a server keeps it, rather than a SQLite file."""
        return self._url.get_backend_name() != "sqlite"

    @property
    def file(self) -> Path | None:
        """The SQLite file; None where a server keeps it."""
        return None if self.is_server else Path(str(self._url.database))

    def open(self) -> None:
        """Make sure that the database can be used; a new SQLite file gets its schema.

        Raises
        ------
        ConfigurationError
            If the folder of a SQLite file cannot be made.
        SchemaError
            If the schema is not the one that this version needs.
        RecordsUnavailableError
            If the database cannot be reached.
        """
        if not self.is_server:
            self._make_folder()
            if self._is_brand_new():
                migrate.upgrade(self._url)
        self.check()

    def check(self) -> None:
        """Make sure that the schema is the one that this version needs.

        Raises
        ------
        SchemaError
            If it is older, newer or another one.
        RecordsUnavailableError
            If the database cannot be reached.
        """
        self._demand_existence()
        with self.read() as connection:
            migrate.check(connection)

    def check_tables(self) -> None:
        """Make sure that no table and no column is missing; see `migrate.check_tables`."""
        self.check()
        with self.read() as connection:
            migrate.check_tables(connection)

    def exists(self) -> bool:
        """Return whether there is a database; a server's is taken to exist."""
        if self.is_server:
            return True
        try:
            Path(str(self._url.database)).stat()
        except FileNotFoundError:
            return False
        except OSError:
            pass  # where we may not look, or cannot, opening it says why
        return True

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self._direct.close()
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = self._writer = None
            self._archive_root = None
            self._match_sets = frozenset()

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema up to a revision; see `migrate.upgrade` for errors."""
        if not self.is_server:
            self._make_folder()
        migrate.upgrade(self._url, revision)

    def downgrade(self, revision: str) -> None:
        """Take the schema back to a revision; see `migrate.downgrade` for errors."""
        self._demand_existence()
        migrate.downgrade(self._url, revision)

    def revision(self) -> str | None:
        """Return the revision of the schema; None where there is none yet."""
        if not self.exists():
            return None
        with self.read() as connection:
            return migrate.current(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for reading, in one transaction."""
        with our_errors(self._url), self._connected().begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session for writing, in one transaction; all of it lands, or nothing."""
        with (
            self.write_rows() as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def write_rows(self) -> Iterator[Connection]:
        """Give a connection for writing, in one transaction; all of it lands, or nothing."""
        with our_errors(self._url), self._turn(), self._writing().begin() as connection:
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let threads write one after the other where the database has one writer at a time.

        SQLite would have them look again and again, with pauses that grow.
        """
        taken = not self.is_server and self._turn_lock.acquire(timeout=BUSY_TIMEOUT_S)
        try:
            yield
        finally:
            if taken:
                self._turn_lock.release()

    def demand_archive(self, archive_root: str) -> None:
        """Refuse an archive that the frame IDs of this database are not of.

        A database that holds no frame ID yet suits any archive.

        Raises
        ------
        SchemaError
            If the frame IDs are another archive's.
        """
        bound = self._archive_root or self._read_archive_root()
        if bound is not None:
            self._demand_same(bound, archive_root)

    def belongs_to(self, archive_root: str) -> None:
        """Bind the database to an archive at the first use; later, refuse any other.

        Raises
        ------
        SchemaError
            If the frame IDs of this database are another archive's.
        """
        bound = self._archive_root or self._read_archive_root()
        if bound is None:
            table: sa.Table = Archive.__table__  # type: ignore[assignment]
            now = datetime.now(UTC)
            with self.write_rows() as connection:
                insert_once(connection, table, id=1, root=archive_root, recorded_at=now)
            bound = self._read_archive_root()
        self._demand_same(str(bound), archive_root)

    def _read_archive_root(self) -> str | None:
        """Return the archive that the database is bound to, which never changes once it is."""
        with self.read() as connection:
            self._archive_root = connection.scalar(sa.select(Archive.root))
        return self._archive_root

    def _demand_same(self, bound: str, archive_root: str) -> None:
        if bound != archive_root:
            msg = (
                f"{self.place} holds frame IDs of {bound}, which mean other frames at "
                f"{archive_root}; set API_ROOT back, or name another database"
            )
            raise SchemaError(msg)

    def get(
        self,
        *,
        basename: str | None = None,
        frame_id: int | None = None,
        md5: str | None = None,
        version_key: str | None = None,
    ) -> CalibrationFrame:
        """Return one frame; see `reading.get_frame`."""
        with self.read() as connection:
            return reading.get_frame(
                connection,
                basename=basename,
                frame_id=frame_id,
                md5=md5,
                version_key=version_key,
            )

    def ask(self, text: str, values: Mapping[str, Any] | Sequence[Any]) -> list[Sequence[Any]]:
        """Return the rows of one statement that the driver is given as it is.

        Raises
        ------
        RecordError
            If the database cannot be asked.
        """
        with our_errors(self._url):
            return self._direct.execute(text, values)

    def ensure_match_sets(self, sets: Collection[MatchSet]) -> None:
        """Make sure that versions are indexed by these match sets; see `register_match_sets`.

        What is known to be registered is not asked for again, so that this may be called before
        each choice.

        Raises
        ------
        RecordsRefusedError
            If one is not registered, and the database cannot be written.
        """
        if self._match_sets.issuperset(sets):
            return
        wanted = list(sets)
        with self.read() as connection:
            missing = missing_sets(connection, wanted)
        if missing:
            with self.write_rows() as connection:
                register_match_sets(connection, missing, datetime.now(UTC))
        self._match_sets |= frozenset(wanted)

    def record(self, new: NewVersion) -> CalibrationFrame:
        """Record a version that the journal need not know of; see `recording.record_version`."""
        with self.write_rows() as connection:
            record_version(connection, new, datetime.now(UTC))
            return reading.get_frame(connection, basename=new.basename, md5=new.digest.md5)

    def complete(
        self,
        frame: CalibrationFrame,
        digest: ContentDigest | PartialDigest,
        key: str | None = None,
        **learned: Any,
    ) -> CalibrationFrame:
        """Fill in what a version was recorded without; see `completing.complete_version`."""
        with self.write_rows() as connection:
            complete_version(connection, frame, digest, key, **learned)
            return reading.get_frame(connection, basename=frame.basename, md5=digest.md5)

    def find(self, wanted: FrameFilter, row_limit: int | None = None) -> list[CalibrationFrame]:
        """Return the frames that are wanted; see `reading.find_frames`."""
        with self.read() as connection:
            return reading.find_frames(connection, wanted, row_limit)

    def versions(self, basename: str) -> list[CalibrationFrame]:
        """Return every recorded version of a frame, newest first."""
        with self.read() as connection:
            return reading.versions_of(connection, basename)

    def with_md5(self, md5: str) -> list[CalibrationFrame]:
        """Return every recorded version with this content, whatever its name."""
        with self.read() as connection:
            return reading.versions_with_md5(connection, md5)

    def is_superseded(self, basename: str, archived_at: datetime | None) -> bool:
        """Return whether a version is recorded that the archive stored after `archived_at`."""
        with self.read() as connection:
            newest = reading.newest_archived_at(connection, basename)
        return newest is not None and archived_at is not None and newest > archived_at

    def is_recorded(self, basename: str, md5: str) -> bool:
        """Return whether a version is recorded, at the least cost: nearly always it is not."""
        if not is_storable(basename):
            return False
        text = self._direct.dialect.with_marks(reading.RECORDED)
        return bool(self.ask(text, {"basename": basename, "md5": md5}))

    def is_archived(self, basename: str, md5: str) -> bool:
        """Return whether a version is recorded as one that the archive has."""
        with self.read() as connection:
            return reading.is_archived(connection, basename, md5)

    def count(self) -> int:
        """Return how many frames are recorded."""
        with self.read() as connection:
            return reading.count_frames(connection)

    def _writing(self) -> Engine:
        engine = self._connected()
        with self._lock:
            if self._writer is None or self._writer[0] is not engine:
                self._writer = (engine, as_writer(engine))
            return self._writer[1]

    def _connected(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = make_engine(self._url, answer_timeout_s=self._answer_timeout_s)
            return self._engine

    def start_anew(self) -> None:
        """Leave the parent its connections, and its lock, which a thread of it may hold."""
        self._lock = threading.Lock()
        self._turn_lock = threading.RLock()
        self._direct.start_anew()
        if self._engine is not None:
            _inherited.append(self._engine)
        self._engine = self._writer = None

    def _demand_existence(self) -> None:
        if not self.exists():
            msg = f"{self.place} does not exist yet; run: calrecords db upgrade"
            raise SchemaError(msg)

    def _is_brand_new(self) -> bool:
        if not self.exists():
            return True
        with self.read() as connection:
            return migrate.is_new(connection)

    def _make_folder(self) -> None:
        folder = Path(str(self._url.database)).parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot make {folder} for the records (CALRECORDS_DB_URL): {error.strerror}"
            raise ConfigurationError(msg) from error
