"""The database library's errors, turned into ours: what failed, where, and what to do.

A message holds the first line of what the database said: further lines can quote whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exc
from sqlalchemy.engine import URL

from calrecords.errors import (
    CalRecordsError,
    ConfigurationError,
    DuplicateRecordError,
    InvalidRecordError,
    RecordsRefusedError,
    RecordsUnavailableError,
    SchemaError,
)
from calrecords.records.urls import shown

_UNIQUE = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"})
_MISSING = frozenset({"42P01", "42703"})
_REFUSED = frozenset({"42501", "25006", "SQLITE_PERM", "SQLITE_AUTH"})
_NO_DATABASE = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})
_BAD_LOGIN = frozenset({"28000", "28P01", "3D000", "3F000", "SQLITE_CANTOPEN"})
_BAD_LOGIN_SAYS = (
    "does not exist",
    "authentication failed",
    "no password supplied",
    "pg_hba.conf",
    "permission denied",
    "not permitted to log in",
    "does not support SSL",
    "certificate",
    "sslmode",
    "invalid connection option",
    "invalid integer value",
    "bad value for",
    "definition of service",
)
"""A server that turns a login away gives no code with it, only text."""

_DRIVERS = frozenset({"psycopg.Error", "sqlite3.Error"})
_BAD_VALUE = frozenset({"22", "54"})
_BAD_VALUE_SAYS = ("cannot adapt type", "Error binding parameter")


@contextmanager
def our_errors(url: URL) -> Iterator[None]:
    """Turn the database library's errors into ours.

    Raises
    ------
    RecordsUnavailableError
        If the database cannot be reached, or stays locked.
    ConfigurationError
        If the server does not know the login or the database, or the file cannot be opened.
    DuplicateRecordError
        If another row has this identity.
    InvalidRecordError
        If the database cannot hold a value.
    SchemaError
        If a table or a column is missing, or the file is no database.
    RecordsRefusedError
        If the database refuses for another reason, for example because it is read-only.
    """
    try:
        yield
    except exc.DBAPIError as error:
        raise _translated(error, shown(url)) from None
    except exc.TimeoutError:
        msg = "all database connections are in use; try again, or use fewer threads"
        raise RecordsUnavailableError(msg) from None
    except exc.StatementError as error:
        msg = f"the records cannot hold a value: {error.orig}"
        raise InvalidRecordError(msg) from None
    except (UnicodeEncodeError, OverflowError) as error:
        msg = f"the records cannot hold a value: {error}"
        raise InvalidRecordError(msg) from None
    except exc.SQLAlchemyError as error:
        msg = f"the records at {shown(url)} cannot do this: {type(error).__name__}"
        raise RecordsRefusedError(msg) from None
    except Exception as error:
        kind = _driver_error(error)
        if kind is None:
            raise
        wrapped: Any = exc.DBAPIError.instance(None, None, error, kind)
        raise _translated(wrapped, shown(url)) from None


def _driver_error(error: Exception) -> type[Exception] | None:
    """Return the root of a driver's errors, if this is one of its.

    What a driver raises while a new engine makes its first acquaintance with the database
    leaves the database library as it is.
    """
    return next((kind for kind in type(error).__mro__ if _name_of(kind) in _DRIVERS), None)


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _translated(error: exc.DBAPIError, place: str) -> CalRecordsError:
    reason = str(error.orig).strip().partition("\n")[0]
    code = _code(error.orig)
    if isinstance(error, exc.IntegrityError):
        if code in _UNIQUE:
            msg = f"the records refuse a second row with this identity: {reason}"
            return DuplicateRecordError(msg)
        return InvalidRecordError(f"the records cannot hold a value: {reason}")
    if code in _MISSING or reason.startswith(("no such table", "no such column")):
        return SchemaError(f"{place}: {reason}; run: calrecords db check")
    if code in _NO_DATABASE:
        msg = (
            f"{place} is no SQLite database, or a damaged one ({reason}); put a backup in its "
            "place, or name another: CALRECORDS_DB_URL=sqlite:///FILE"
        )
        return SchemaError(msg)
    return _refusal(error, code, reason, place)


def _refusal(error: exc.DBAPIError, code: str, reason: str, place: str) -> CalRecordsError:
    if code in _REFUSED or code.startswith("SQLITE_READONLY"):
        msg = (
            f"{place} cannot be written ({reason}); give us the right to, or name another: "
            "CALRECORDS_DB_URL=sqlite:///FILE"
        )
        return RecordsRefusedError(msg)
    if code in _BAD_LOGIN or (not code and any(said in reason for said in _BAD_LOGIN_SAYS)):
        return ConfigurationError(f"cannot open {place}: {reason}; change CALRECORDS_DB_URL")
    if (
        isinstance(error, exc.DataError)
        or code[:2] in _BAD_VALUE
        or code == "SQLITE_TOOBIG"
        or reason.startswith(_BAD_VALUE_SAYS)
    ):
        return InvalidRecordError(f"the records at {place} cannot hold a value: {reason}")
    transient = isinstance(error, exc.OperationalError | exc.InterfaceError)
    if transient and code != "SQLITE_ERROR":
        return RecordsUnavailableError(
            f"cannot use the records at {place}: {reason}; try again later"
        )
    return RecordsRefusedError(f"the records at {place} refused: {reason}")


def _code(original: Any) -> str:
    """Return PostgreSQL's five characters or SQLite's name of an error; empty without one."""
    found = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    return str(found or "")
