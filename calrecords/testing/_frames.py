"""The archive's frames, versions and users in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calrecords.testing._areas import covers, intersects

TEXT_COLUMNS = (
    "proposal_id",
    "instrument_id",
    "target_name",
    "site_id",
    "telescope_id",
    "primary_optical_element",
    "configuration_type",
)
COLUMNS = (
    "basename",
    "area",
    "headers",
    "reduction_level",
    "observation_day",
    "observation_date",
    "exposure_time",
    "public_date",
    "observation_id",
    "request_id",
    *TEXT_COLUMNS,
)
_JSON_COLUMNS = ("area", "headers")
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    basename TEXT NOT NULL UNIQUE,
    created TEXT NOT NULL,
    area TEXT,
    headers TEXT,
    reduction_level INTEGER NOT NULL DEFAULT 0,
    observation_day TEXT,
    observation_date TEXT,
    exposure_time REAL,
    public_date TEXT,
    observation_id INTEGER,
    request_id INTEGER,
    {", ".join(f"{name} TEXT NOT NULL DEFAULT ''" for name in TEXT_COLUMNS)}
);
CREATE INDEX IF NOT EXISTS frames_by_date ON frames (observation_date, id);
CREATE TABLE IF NOT EXISTS versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    frame_id INTEGER NOT NULL REFERENCES frames (id) ON DELETE CASCADE,
    created TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    md5 TEXT NOT NULL UNIQUE,
    extension TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS versions_by_frame ON versions (frame_id, created);
CREATE TABLE IF NOT EXISTS related (
    frame_id INTEGER NOT NULL REFERENCES frames (id) ON DELETE CASCADE,
    other_id INTEGER NOT NULL REFERENCES frames (id) ON DELETE CASCADE,
    PRIMARY KEY (frame_id, other_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS users (
    token TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    is_staff INTEGER NOT NULL,
    is_superuser INTEGER NOT NULL
);
"""

_IS_SEEN = "EXISTS (SELECT 1 FROM versions WHERE frame_id = frames.id AND versions.created <= ?)"


def timestamp(moment: datetime) -> str:
    """Return an aware time as stored: UTC, microseconds, and so sortable as text."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@dataclass(frozen=True, slots=True)
class User:
    """Who holds a token.

    Attributes
    ----------
    name : str
        What the profile shows.
    is_staff, is_superuser : bool
        The two rights of the archive: asking for versions, and writing frames.
    """

    name: str
    is_staff: bool
    is_superuser: bool


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One frame with what hangs on it.

    Attributes
    ----------
    fields : mapping
        The row of the frame; ``area`` and ``headers`` parsed.
    versions : sequence of mapping
        Rows of its versions, newest first.
    related : sequence of int
        Identifiers of related frames, ascending.
    """

    fields: Mapping[str, Any]
    versions: Sequence[Mapping[str, Any]]
    related: Sequence[int]


class FrameStore:
    """Frames in one SQLite file; safe to share between threads.

    Parameters
    ----------
    path : Path
        The file; made when there is none.
    durable : bool
        Whether what was answered must outlive a power cut.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._lock = threading.RLock()
        self._view = threading.local()
        self._db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=30.0
        )
        self._db.row_factory = sqlite3.Row
        try:
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            if not durable:
                self._db.execute("PRAGMA journal_mode = MEMORY")
            self._db.executescript(_SCHEMA)
            for name, compare in (("covers", covers), ("intersects", intersects)):
                self._db.create_function(f"area_{name}", 2, compare, deterministic=True)
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; what was committed stays in it."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make one transaction of what is done inside; one writer at a time."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def lagging(self, seconds: float) -> Iterator[None]:
        """Let this thread find no frames and versions that came in the last seconds.

        What was overwritten meanwhile is not as it was: only the newest is kept.
        """
        self._view.until = timestamp(datetime.now(UTC) - timedelta(seconds=seconds))
        try:
            yield
        finally:
            del self._view.until

    def _as_seen(
        self, where: str, parameters: Sequence[Any], seen: str
    ) -> tuple[str, Sequence[Any]]:
        """Return a condition that what this thread cannot see does not meet, and its values."""
        until = getattr(self._view, "until", None)
        if until is None:
            return where, parameters
        return f"{seen} AND ({where})", (until, *parameters)

    def _rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._db.execute(sql, parameters)]

    def add_user(self, token: str, user: User) -> None:
        """Let a token act for a user."""
        with self._lock:
            self._db.execute(
                "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?)",
                (token, user.name, user.is_staff, user.is_superuser),
            )

    def user(self, token: str) -> User | None:
        """Return the user for whom a token acts, if there is one."""
        rows = self._rows("SELECT * FROM users WHERE token = ?", (token,))
        if not rows:
            return None
        row = rows[0]
        return User(row["name"], bool(row["is_staff"]), bool(row["is_superuser"]))

    def has_version(self, column: str, value: str) -> bool:
        """Say whether a version has this ``key`` or ``md5``."""
        return bool(self._rows(f"SELECT 1 FROM versions WHERE {column} = ?", (value,)))

    def save(
        self,
        fields: Mapping[str, Any],
        versions: Sequence[Mapping[str, str]],
        related: Sequence[str],
    ) -> int:
        """Create a frame or update the one of this basename, and return its identifier.

        Call it inside `writing`.

        Raises
        ------
        sqlite3.IntegrityError
            If a version's key or md5 is there already.
        """
        frame_id = self._frame_named(fields["basename"])
        self.update(frame_id, fields)
        for name in related:
            other = self._frame_named(name)
            if other != frame_id:
                self._db.executemany(
                    "INSERT OR IGNORE INTO related VALUES (?, ?)",
                    [(frame_id, other), (other, frame_id)],
                )
        for version in versions:
            self._db.execute(
                "INSERT INTO versions (frame_id, created, key, md5, extension)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    frame_id,
                    timestamp(datetime.now(UTC)),
                    version["key"],
                    version["md5"],
                    version["extension"],
                ),
            )
        return frame_id

    def _frame_named(self, basename: str) -> int:
        rows = self._rows("SELECT id FROM frames WHERE basename = ?", (basename,))
        if rows:
            return int(rows[0]["id"])
        added = self._db.execute(
            "INSERT INTO frames (basename, created) VALUES (?, ?)",
            (basename, timestamp(datetime.now(UTC))),
        )
        return int(added.lastrowid or 0)

    def update(self, frame_id: int, fields: Mapping[str, Any]) -> None:
        """Overwrite the given columns of a frame; call it inside `writing`.

        Raises
        ------
        sqlite3.IntegrityError
            If another frame has this basename.
        """
        names = [name for name in COLUMNS if name in fields]
        if not names:
            return
        values = [
            json.dumps(fields[name])
            if name in _JSON_COLUMNS and fields[name] is not None
            else fields[name]
            for name in names
        ]
        self._db.execute(
            f"UPDATE frames SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?",
            (*values, frame_id),
        )

    def delete(self, frame_id: int) -> None:
        """Delete a frame with its versions and relations; call it inside `writing`."""
        self._db.execute("DELETE FROM frames WHERE id = ?", (frame_id,))

    def backdate(self, frame_id: int, seconds: float) -> None:
        """Let a frame and its versions have been created earlier, by a number of seconds."""
        with self.writing():
            for table, column in (("frames", "id"), ("versions", "frame_id")):
                for row in self._rows(f"SELECT * FROM {table} WHERE {column} = ?", (frame_id,)):
                    created = datetime.fromisoformat(row["created"]) - timedelta(seconds=seconds)
                    self._db.execute(
                        f"UPDATE {table} SET created = ? WHERE id = ?",
                        (timestamp(created), row["id"]),
                    )

    def count(self, table: str, where: str = "1", parameters: Sequence[Any] = ()) -> int:
        """Return how many rows of a table meet a condition."""
        if table == "frames":
            where, parameters = self._as_seen(where, parameters, _IS_SEEN)
        rows = self._rows(f"SELECT count(*) AS n FROM {table} WHERE {where}", parameters)
        return int(rows[0]["n"])

    def frames(
        self, where: str = "1", parameters: Sequence[Any] = (), tail: str = "ORDER BY id"
    ) -> list[StoredFrame]:
        """Return the frames that meet a condition, with what hangs on them."""
        where, parameters = self._as_seen(where, parameters, _IS_SEEN)
        with self._lock:
            rows = self._rows(f"SELECT * FROM frames WHERE {where} {tail}", parameters)
            return [self._with_parts(row) for row in rows]

    def _with_parts(self, row: dict[str, Any]) -> StoredFrame:
        for name in _JSON_COLUMNS:
            row[name] = None if row[name] is None else json.loads(row[name])
        where, values = self._as_seen("frame_id = ?", (row["id"],), "created <= ?")
        versions = self.versions(where, values, "ORDER BY created DESC, id DESC")
        related = self._rows(
            "SELECT other_id FROM related WHERE frame_id = ? ORDER BY other_id", (row["id"],)
        )
        return StoredFrame(row, versions, [other["other_id"] for other in related])

    def versions(
        self, where: str = "1", parameters: Sequence[Any] = (), tail: str = "ORDER BY id"
    ) -> list[dict[str, Any]]:
        """Return the rows of the versions that meet a condition."""
        return self._rows(f"SELECT * FROM versions WHERE {where} {tail}", parameters)
