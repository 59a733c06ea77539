"""The calibration records of a BANZAI database, as rows in our words.

BANZAI keeps a frame in ``calimages``, beside ``instruments`` and ``sites``: times are naive
UTC, an open end of a validity range is the year 1000 or 3000, both ends belong to it, and what
must match is text in JSON. It knows neither checksums nor versions.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, RowMapping

from calrecords.errors import ConfigurationError, DataFileNotFoundError, SchemaError
from calrecords.records.engine import make_engine
from calrecords.records.faults import our_errors
from calrecords.records.importing_words import BadRowError
from calrecords.records.urls import database_url, shown

_OPEN_FROM, _OPEN_UNTIL = 1000, 3000
"""Years that stand for no beginning and no end."""

_NEEDED = {
    "calimages": {"id", "type", "filename", "dateobs", "instrument_id", "is_master", "is_bad"},
    "instruments": {"id", "site", "camera", "name"},
}
_OPTIONAL = ("frameid", "datecreated", "good_after", "good_until", "attributes")
_OUR_COLUMNS = ("configuration_mode", "binning", "filter", "ccd_temperature")
_NONE = frozenset({"", "None", "null"})
_READ_ONLY = {"mode": "ro", "uri": "true"}
_ROWS_AT_ONCE = 2000
_SMALLEST_STEP = timedelta(microseconds=1)


class BanzaiDatabase:
    """Reads a BANZAI database; nothing is written to it.

    Parameters
    ----------
    database : str or Path
        Its SQLite file, or its URL.

    Raises
    ------
    ConfigurationError
        If the URL cannot be read.
    """

    def __init__(self, database: str | Path) -> None:
        try:
            self._url: URL = database_url(database)
        except ConfigurationError as error:
            msg = str(error).replace("CALRECORDS_DB_URL", "the URL of the BANZAI database")
            raise ConfigurationError(msg) from None

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled.

        Raises
        ------
        TypeError
            Always.
        """
        msg = "a URL that may hold a password is not pickled; give it to each process"
        raise TypeError(msg)

    @property
    def place(self) -> str:
        """Its URL, without password and options."""
        return shown(self._url)

    def check(self) -> None:
        """Make sure that it is a BANZAI database.

        Raises
        ------
        SchemaError
            If it lacks a table or a column that BANZAI has.
        RecordsUnavailableError
            If it cannot be reached.
        """
        with self._connected() as connection:
            self._columns(connection)

    def rows(self) -> Generator[tuple[int, Any], None, None]:
        """Yield the number of each row of ``calimages``, and the row in our words.

        Raises
        ------
        SchemaError
            If this is no BANZAI database.
        RecordsUnavailableError
            If it cannot be reached.
        """
        with self._connected() as connection:
            statement = self._statement(self._columns(connection))
            last = -1
            while page := self._page(connection, statement, last):
                for row in page:
                    yield row["id"], _in_our_words(dict(row))
                last = page[-1]["id"]

    def _page(
        self, connection: Connection, statement: sa.Select[Any], last: int
    ) -> Sequence[RowMapping]:
        """Return the next rows, and hold no lock while they are worked on."""
        page = connection.execute(statement, {"last": last}).mappings().all()
        connection.rollback()
        return page

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._url.get_backend_name() == "sqlite" and not Path(str(self._url.database)).is_file():
            msg = f"{self.place}: there is no such file"
            raise DataFileNotFoundError(msg)
        engine = _reading_engine(self._url)
        try:
            with our_errors(self._url), engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def _columns(self, connection: Connection) -> set[str]:
        """Return the columns of ``calimages``; older databases have fewer."""
        inspector = sa.inspect(connection)
        found: dict[str, set[str]] = {}
        for table, needed in _NEEDED.items():
            there = inspector.has_table(table)
            found[table] = {c["name"] for c in inspector.get_columns(table)} if there else set()
            if missing := sorted(needed - found[table]):
                msg = (
                    f"{self.place} is no BANZAI database: it has no table {table}"
                    if not there
                    else f"{self.place} is no BANZAI database that can be read: {table} has no "
                    f"column {', '.join(missing)}"
                )
                raise SchemaError(msg)
        return found["calimages"]

    def _statement(self, columns: set[str]) -> sa.Select[Any]:
        names = sorted(_NEEDED["calimages"] | (set(_OPTIONAL) & columns))
        images = sa.table("calimages", *(_column(name) for name in names))
        instruments = sa.table("instruments", *map(sa.column, sorted(_NEEDED["instruments"])))
        return (
            sa.select(images, instruments.c.site, instruments.c.camera, instruments.c.name)
            .select_from(images.outerjoin(instruments, images.c.instrument_id == instruments.c.id))
            .where(images.c.id > sa.bindparam("last"))
            .order_by(images.c.id)
            .limit(_ROWS_AT_ONCE)
        )


def _reading_engine(url: URL) -> Engine:
    """Return an engine that cannot write; a SQLite file keeps its journal as it is."""
    if url.get_backend_name() != "sqlite":
        return make_engine(url).execution_options(postgresql_readonly=True)
    file = f"file:{quote(str(url.database))}"
    return sa.create_engine(URL.create("sqlite", database=file, query=_READ_ONLY))


def _column(name: str) -> sa.ColumnClause[Any]:
    """Return a column, read as plainly as the database has it."""
    return sa.column(name, sa.Text() if name == "attributes" else sa.types.NullType())


def _in_our_words(row: Mapping[str, Any]) -> Any:
    """Return a row of ``calimages`` in our words, or what is wrong with it."""
    if row["camera"] is None:
        return BadRowError(f"its instrument, number {row['instrument_id']}, is in no table")
    try:
        attributes = _attributes(row.get("attributes"))
        return {
            "filename": row["filename"],
            "frame_id": row.get("frameid"),
            "obstype": row["type"],
            "is_master": row["is_master"],
            "site": row["site"],
            "camera": row["camera"],
            "instrument": row["name"],
            "dateobs": _time(row["dateobs"]),
            "created": _time(row.get("datecreated")),
            "verdict": "bad" if row["is_bad"] else None,
            "good_after": _after(_time(row.get("good_after"))),
            "good_until": _until(_time(row.get("good_until"))),
            **{name: _column_value(name, attributes.pop(name, None)) for name in _OUR_COLUMNS},
            "attributes": attributes,
        }
    except (TypeError, ValueError, RecursionError) as error:
        return BadRowError(str(error))


def _attributes(found: Any) -> dict[str, Any]:
    """Return the JSON of a row; JSON's null is no attributes, and JSON may be in text twice."""
    for _ in range(2):
        if isinstance(found, str):
            found = json.loads(found) if found.strip() else None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        msg = f"attributes: is {found!r:.100}, not a mapping of names and values"
        raise TypeError(msg)
    return dict(found)


def _column_value(name: str, value: Any) -> Any:
    """Return an attribute that is a column here; BANZAI writes None as text."""
    if isinstance(value, str):
        value = value.strip()
        if value in _NONE:
            return None
        if name == "binning":
            return value.strip("[]()")
    return value


def _time(value: Any) -> datetime | None:
    """Return a time of BANZAI's, which is UTC without saying so."""
    if value is None or isinstance(value, datetime):
        moment = value
    else:
        moment = datetime.fromisoformat(str(value))
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _after(moment: datetime | None) -> datetime | None:
    return None if moment is None or moment.year <= _OPEN_FROM else moment


def _until(moment: datetime | None) -> datetime | None:
    """Return the end of a validity range, which belongs to BANZAI's and not to ours."""
    return None if moment is None or moment.year >= _OPEN_UNTIL else moment + _SMALLEST_STEP
