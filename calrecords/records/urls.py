"""Where a records database is: read from what a user wrote, and shown without secrets."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from sqlalchemy import exc
from sqlalchemy.engine import URL, make_url

from calrecords.errors import ConfigurationError

HOW_TO_WRITE = "write sqlite:///FILE or postgresql://USER@HOST/NAME"

_HALF_A_URL = re.compile(
    r"(sqlite|postgres(ql)?)(\+\w+)?(:|//)|/{0,2}[^/:@]+:[^@]*@[^/]", re.IGNORECASE
)
_NAMES_WITH_VALUES = re.compile(
    r"\s*(export\s+)?(host|hostaddr|port|dbname|user|service|PG\w+|CALRECORDS_\w+)\s*="
    r"|\s*\w+\s*=[^/.]*$|.*password\s*=",
    re.DOTALL | re.IGNORECASE,
)
"""What libpq or a shell would read; a file that has such a name is written ``./NAME=VALUE``."""

_NO_TEXT = re.compile("[\ud800-\udfff]")
_NO_FILE = frozenset({"", ":memory:"})


def database_url(database: str | Path) -> URL:
    """Return the URL of a records database, given as a URL or as a SQLite file.

    The path of a SQLite file is made absolute, so that it stays the same file when the
    process changes its working directory.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read, or names a database that calrecords does not support.
    """
    if isinstance(database, Path):
        return _sqlite_url(str(database))
    if "://" not in database:
        if _HALF_A_URL.match(database) or _NAMES_WITH_VALUES.match(database):
            raise ConfigurationError(f"CALRECORDS_DB_URL cannot be read; {HOW_TO_WRITE}")
        return _sqlite_url(database)
    url = _parsed(database)
    kind = url.get_backend_name()
    if kind in {"postgresql", "postgres"}:
        if _NO_TEXT.search(database):
            msg = (
                "CALRECORDS_DB_URL holds bytes that are no UTF-8; write it in UTF-8, or the "
                "password into ~/.pgpass"
            )
            raise ConfigurationError(msg)
        if "@" in f"{url.host}{url.database}{_not_an_option(database)}":
            msg = (
                "CALRECORDS_DB_URL has one @ too many; in a password write %40 for @, %3F for ?, "
                "%2F for /"
            )
            raise ConfigurationError(msg)
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        msg = f"records live in SQLite or PostgreSQL, not in {kind}; change CALRECORDS_DB_URL"
        raise ConfigurationError(msg)
    if url.query or url.host:
        msg = "the URL of a SQLite file has no host and no options; write sqlite:///FILE"
        raise ConfigurationError(msg)
    return _sqlite_url(url.database or "")


def shown(url: URL) -> str:
    """Return a database URL as it may be shown: without password and options."""
    readable = (url.database or "").encode(errors="backslashreplace").decode()
    return url.set(query={}, database=readable or None).render_as_string(hide_password=True)


def _not_an_option(database: str) -> str:
    """Return what stands among the options of a URL with a login, and gives none a value."""
    _, _, options = database.partition("@")[2].partition("?")
    return "".join(part for part in options.split("&") if "=" not in part)


def _parsed(database: str) -> URL:
    with suppress(exc.ArgumentError, ValueError):
        return make_url(database)
    msg = f"CALRECORDS_DB_URL cannot be read; {HOW_TO_WRITE}"
    raise ConfigurationError(msg)  # out here, so that it holds nothing of what was written


def _sqlite_url(file: str) -> URL:
    if file in _NO_FILE:
        msg = "records in memory would be lost; name a file: sqlite:///FILE"
        raise ConfigurationError(msg)
    try:
        path = Path(file).expanduser().absolute()
    except RuntimeError:
        msg = f"there is no home folder to put into {file}; change CALRECORDS_DB_URL"
        raise ConfigurationError(msg) from None
    if "\0" in file:
        msg = "the name of a records file holds a NUL character; change CALRECORDS_DB_URL"
        raise ConfigurationError(msg)
    return URL.create("sqlite", database=str(path))
