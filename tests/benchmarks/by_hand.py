"""The same choice written by hand: one query for both sides of one table with its own indexes.

It reads the same columns as calrecords does, through the bare driver, for three types whose
equalities are written into it, and knows no rules, no overrides, no history and no ties.
"""

import sqlite3
from datetime import datetime

from calrecords.records.candidate_rows import COLUMNS, Dialect

SETUPS = {
    "BIAS": ("configuration_mode", "binning"),
    "DARK": ("configuration_mode", "binning", "ccd_temperature"),
    "SKYFLAT": ("configuration_mode", "binning", "filter"),
}
READ = [name for name in COLUMNS if name != "version_id"]
DATEOBS = READ.index("dateobs")


def copying(dialect):
    """Return the statement that copies what is recorded into the table."""
    return (
        f"CREATE TABLE flat AS SELECT {dialect.columns} FROM frame_versions AS v"
        " JOIN calibration_frames AS f ON f.id = v.calibration_frame_id"
        " JOIN instruments AS i ON i.id = f.instrument_id JOIN sites AS s ON s.id = i.site_id"
        " JOIN (SELECT DISTINCT version_id, dateobs FROM selection_index) AS k"
        " ON k.version_id = v.id"
    )


def is_master_of(kind, dialect):
    return f"obstype = '{kind}' AND is_master{' = 1' if dialect.is_sqlite else ''}"


def indexing(kind, dialect):
    columns = ", ".join(("site", "camera", *SETUPS[kind], "dateobs"))
    return f"CREATE INDEX by_{kind} ON flat ({columns}) WHERE {is_master_of(kind, dialect)}"


def probing(kind, dialect):
    """Return the query of both sides."""
    mark = "?" if dialect.is_sqlite else "%s"
    equal = " AND ".join(f"{name} = {mark}" for name in ("site", "camera", *SETUPS[kind]))
    sides = (
        f"SELECT {', '.join(READ)} FROM flat WHERE {is_master_of(kind, dialect)} AND {equal}"
        f" AND dateobs {away} {mark} AND verdict <> 'bad'"
        f" AND (good_after IS NULL OR good_after <= {mark})"
        f" AND (good_until IS NULL OR good_until > {mark}) ORDER BY dateobs {order} LIMIT 1"
        for away, order in (("<=", "DESC"), (">", "ASC"))
    )
    return " UNION ALL ".join(f"SELECT * FROM ({side}) AS one" for side in sides)


class ByHand:
    """The table, and a connection that stays open.

    Parameters
    ----------
    connection : sqlite3.Connection or psycopg.Connection
        Where the table is.
    dialect : Dialect
        Of which kind it is.
    """

    def __init__(self, connection, dialect):
        self._connection = connection
        self._dialect = dialect
        self._texts = {kind: probing(kind, dialect) for kind in SETUPS}
        self._how = {} if dialect.is_sqlite else {"prepare": True}
        self._cursor = connection.cursor()

    def probe(self, target, kind):
        """Return the rows of the nearest on each side."""
        at = target["dateobs"]
        if self._dialect.is_sqlite:
            at = at.replace(tzinfo=None).isoformat(" ", "microseconds")
        setup = [target[name] for name in SETUPS[kind]]
        if kind == "DARK":
            setup[-1] = float(setup[-1])
        values = (target["site"], target["camera"], *setup, at, at, at) * 2
        return self._cursor.execute(self._texts[kind], values, **self._how).fetchall()

    def time_in(self, row):
        """Return the time of a row, UTC."""
        at = row[DATEOBS]
        return datetime.fromisoformat(f"{at}+00:00") if self._dialect.is_sqlite else at

    def close(self):
        self._connection.close()


def on_sqlite(records, path):
    """Copy the records of a SQLite file into a file of their own, and return the probe."""
    dialect = Dialect(is_sqlite=True)
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("ATTACH ? AS records", (str(records),))
        connection.execute(copying(dialect))
        for kind in SETUPS:
            connection.execute(indexing(kind, dialect))
        connection.execute("DETACH records")
        connection.execute("ANALYZE")
    connection.close()
    return ByHand(sqlite3.connect(path, isolation_level=None), dialect)


def on_postgresql(records):
    """Copy the records of a PostgreSQL database into a table beside them; return the probe."""
    import psycopg

    dialect = Dialect(is_sqlite=False)
    connection = psycopg.connect(records, autocommit=True, options="-c timezone=UTC")
    connection.execute(copying(dialect))
    for kind in SETUPS:
        connection.execute(indexing(kind, dialect))
    connection.execute("VACUUM ANALYZE flat")
    return ByHand(connection, dialect)
