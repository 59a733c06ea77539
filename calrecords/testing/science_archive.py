"""A Science Archive on loopback: real HTTP, SQLite behind it."""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from calrecords.errors import ConfigurationError
from calrecords.testing._endpoints import Api
from calrecords.testing._frames import FrameStore, User
from calrecords.testing._http import LoopbackServer
from calrecords.testing._serialize import Serializer
from calrecords.testing.faults import Faults, matches

DEFAULT_OBSERVATION_TYPES = (
    "BIAS",
    "DARK",
    "EXPOSE",
    "SPECTRUM",
    "LAMPFLAT",
    "SKYFLAT",
    "STANDARD",
    "TRAILED",
    "GUIDE",
    "EXPERIMENTAL",
    "CATALOG",
)
"""Observation types that the archive takes as it is delivered; all others are refused."""


def _open_store(path: Path, *, durable: bool) -> FrameStore:
    try:
        return FrameStore(path, durable=durable)
    except sqlite3.Error as error:
        msg = f"the archive cannot keep its frames in {path} ({error}); name another file"
        raise ConfigurationError(msg) from error


class ScienceArchive:
    """A Science Archive for tests and demonstrations, which behaves like version 2.7.2.

    It answers on 127.0.0.1 from the moment it is made; close it, or use it as a context
    manager. By default it has the faults of the release: ``/versions/?md5=`` does not
    filter, counts are estimates, a 201 may not be readable, an unknown extension is
    stored and poisons every list.

    Parameters
    ----------
    files : Path, optional
        Root folder of a file-system store. The archive serves it under ``files/`` and a
        version's URL follows from the frame's current fields and newest extension, so
        that all versions of a frame share one URL.
    url_for : callable, optional
        Given a store path and a version's key, returns the URL of the file, for example
        a presigned one. With neither, URLs lead to nothing, as with the dummy store.
    token : str, optional
        Token of a user who is both staff and superuser; by default a fresh one.
    observation_types : sequence of str
        The closed list of observation types.
    md5_filter_works : bool
        Whether ``/versions/?md5=`` filters; in the released 2.7.2 it does not.
    database : Path, optional
        SQLite file, which outlives the archive; by default a temporary one.
    port : int
        Port to answer on; 0 takes a free one.

    Attributes
    ----------
    root : str
        Address of the API, with a slash at its end.
    token : str
        As above.
    faults : Faults
        What shall break on the way.

    Raises
    ------
    ConfigurationError
        If both `files` and `url_for` are given, the database cannot be opened, or the
        port is taken.

    Examples
    --------
    >>> import urllib.request
    >>> with ScienceArchive() as archive:
    ...     with urllib.request.urlopen(archive.root + "health/") as answer:
    ...         answer.read()
    b'"ok"'
    """

    def __init__(
        self,
        *,
        files: Path | None = None,
        url_for: Callable[[str, str], str] | None = None,
        token: str | None = None,
        observation_types: Sequence[str] = DEFAULT_OBSERVATION_TYPES,
        md5_filter_works: bool = False,
        database: Path | None = None,
        port: int = 0,
    ) -> None:
        if files is not None and url_for is not None:
            msg = "an archive has one store: give files or url_for, not both"
            raise ConfigurationError(msg)
        self._temporary = tempfile.TemporaryDirectory() if database is None else None
        path = database or Path(self._temporary.name if self._temporary else "") / "archive.db"
        self.token = token or secrets.token_hex(20)
        self.faults = Faults()
        self._users = 0
        self._lock = threading.Lock()
        self._store = _open_store(path, durable=database is not None)
        self._store.add_user(self.token, User("calrecords", is_staff=True, is_superuser=True))
        self._url_for = url_for
        self._has_files = files is not None
        api = Api(self._store, Serializer(self._url), observation_types, files)
        api.md5_filter_works = md5_filter_works
        self._api = api
        try:
            self._server = LoopbackServer(port, api, self.faults)
        except (OSError, OverflowError) as error:
            self._discard()
            msg = f"the archive cannot answer on port {port} ({error}); port 0 takes a free one"
            raise ConfigurationError(msg) from error
        self.root = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._is_closed = False
        self._server.start()

    def start(self) -> ScienceArchive:
        """Return the archive, which answers since it was made."""
        return self

    def close(self) -> None:
        """Stop answering and end every connection; a temporary database is removed."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._server.stop()
        self._discard()

    def _discard(self) -> None:
        self._store.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> ScienceArchive:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _url(self, path: str, version_key: str) -> str:
        if self._url_for is not None:
            return self._url_for(path, version_key)
        return f"{self.root}{'files' if self._has_files else 'dummy'}/{quote(path)}"

    @property
    def md5_filter_works(self) -> bool:
        """Whether ``/versions/?md5=`` filters; may be set while the archive answers."""
        return self._api.md5_filter_works

    @md5_filter_works.setter
    def md5_filter_works(self, works: bool) -> None:
        self._api.md5_filter_works = works

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path with query of every request, in the order they came."""
        return list(self._server.requests)

    def count(self, method: str | None = None, path: str | None = None) -> int:
        """Return how many requests there were.

        Parameters
        ----------
        method : str, optional
            Of this method, upper case.
        path : str, optional
            At this path, without its query, where ``*`` stands for anything.
        """
        asked = self._server.requests[:]
        return sum(matches(verb, at.partition("?")[0], method, path) for verb, at in asked)

    def clear_requests(self) -> None:
        """Forget the requests and connections so far."""
        self._server.requests.clear()
        self._server.connections = 0

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._server.connections

    def add_user(self, *, is_staff: bool, is_superuser: bool) -> str:
        """Make a user and return their token.

        Parameters
        ----------
        is_staff : bool
            Whether they may ask for versions.
        is_superuser : bool
            Whether they may write frames. Who may not cannot read frames either: the
            archive would ask the observation portal for their proposals and fails.
        """
        with self._lock:
            self._users += 1
            name = f"user-{self._users}"
        token = secrets.token_hex(20)
        self._store.add_user(token, User(name, is_staff=is_staff, is_superuser=is_superuser))
        return token

    def frames(self) -> list[dict[str, Any]]:
        """Return every stored frame, placeholders too, with its versions newest first."""
        return [
            {
                **frame.fields,
                "related_frames": list(frame.related),
                "versions": [dict(version) for version in frame.versions],
            }
            for frame in self._store.frames()
        ]

    def versions(self) -> list[dict[str, Any]]:
        """Return every stored version, oldest first."""
        return self._store.versions()

    def backdate(self, frame_id: int, *, seconds: float) -> None:
        """Let a frame have been created earlier; the archive deletes none under 10 minutes."""
        self._store.backdate(frame_id, seconds)
