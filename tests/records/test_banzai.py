"""A BANZAI database is read as it means it, and nothing is written to it."""

import hashlib
from datetime import UTC, datetime

import pytest

from calrecords.errors import (
    ConfigurationError,
    DataFileNotFoundError,
    RecordsUnavailableError,
    SchemaError,
)
from calrecords.records import RecordDatabase
from calrecords.records.banzai import BanzaiDatabase
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.importing_words import BadRowError
from calrecords.vocabulary import Binning, Verdict

SCHEMA = (
    "CREATE TABLE sites (id VARCHAR(15) PRIMARY KEY, timezone INTEGER, latitude FLOAT,"
    " longitude FLOAT, elevation FLOAT)",
    "CREATE TABLE instruments (id INTEGER PRIMARY KEY, site VARCHAR(15), camera VARCHAR(50),"
    " name VARCHAR(100), type VARCHAR(100), nx INTEGER, ny INTEGER)",
    "CREATE TABLE calimages (id INTEGER PRIMARY KEY, type VARCHAR(50), filename VARCHAR(100)"
    " UNIQUE, filepath VARCHAR(150), frameid INTEGER, dateobs TIMESTAMP, datecreated TIMESTAMP,"
    " instrument_id INTEGER, is_master BOOLEAN, is_bad BOOLEAN, good_until TIMESTAMP,"
    " good_after TIMESTAMP, attributes JSON)",
    "INSERT INTO sites VALUES ('lsc', -4, -30.2, -70.8, 2201.0)",
    "INSERT INTO instruments VALUES (1, 'lsc', 'fa15', 'fa15', '1m0-SciCam-Sinistro', 1, 1),"
    " (2, 'lsc', 'fa09', 'nres01', '1m0-NRES-SciCam', 1, 1)",
)
USUAL = {
    "id": "1",
    "type": "'BIAS'",
    "filename": "'lsc-bias.fits.fz'",
    "filepath": "'/archive'",
    "frameid": "7",
    "dateobs": "'2026-01-02 03:04:05.678901'",
    "datecreated": "'2026-01-02 09:00:00'",
    "instrument_id": "1",
    "is_master": "TRUE",
    "is_bad": "FALSE",
    "good_until": "'3000-01-01 00:00:00'",
    "good_after": "'1000-01-01 00:00:00'",
    "attributes": '\'{"configuration_mode": "default", "binning": "[2, 1]"}\'',
}
IN_OUR_WORDS = {
    "filename": "lsc-bias.fits.fz",
    "frame_id": 7,
    "obstype": "BIAS",
    "is_master": True,
    "site": "lsc",
    "camera": "fa15",
    "instrument": "fa15",
    "dateobs": datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
    "created": datetime(2026, 1, 2, 9, tzinfo=UTC),
    "verdict": None,
    "good_after": None,
    "good_until": None,
    "configuration_mode": "default",
    "binning": "2, 1",
    "filter": None,
    "ccd_temperature": None,
    "attributes": {},
}


def insert(**changes):
    row = USUAL | changes
    return f"INSERT INTO calimages ({', '.join(row)}) VALUES ({', '.join(row.values())})"


@pytest.fixture
def banzai(backend, empty_place):
    """Return a function that fills a BANZAI database; return its place."""

    def fill(*statements):
        backend.sql(empty_place, *SCHEMA, *statements, "SELECT 1")
        return empty_place

    return fill


def rows_of(place):
    return [row for _, row in BanzaiDatabase(place).rows()]


def test_a_row_is_put_in_our_words(banzai):
    assert rows_of(banzai(insert())) == [IN_OUR_WORDS]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"is_bad": "TRUE"}, {"verdict": "bad"}),
        ({"is_bad": "NULL"}, {}),
        ({"frameid": "NULL", "datecreated": "NULL"}, {"frame_id": None, "created": None}),
        ({"good_until": "NULL", "good_after": "NULL"}, {}),
        (
            {"good_until": "'2026-03-01 00:00:00'", "good_after": "'2026-02-01 00:00:00.5'"},
            {
                "good_until": datetime(2026, 3, 1, 0, 0, 0, 1, UTC),
                "good_after": datetime(2026, 2, 1, 0, 0, 0, 500_000, UTC),
            },
        ),
        ({"instrument_id": "2"}, {"camera": "fa09", "instrument": "nres01"}),
        ({"attributes": "NULL"}, {"binning": None, "configuration_mode": None}),
        ({"attributes": "'null'"}, {"binning": None, "configuration_mode": None}),
        (
            {"attributes": """'"{\\"binning\\": \\"1x1\\"}"'"""},
            {"binning": "1x1", "configuration_mode": None},
        ),
        (
            {
                "attributes": '\'{"binning": [1, 1], "filter": "None", "ccd_temperature": "-110",'
                ' "fiber0_lit": true, "fiber1_lit": "1"}\''
            },
            {
                **{"binning": [1, 1], "configuration_mode": None, "ccd_temperature": "-110"},
                "attributes": {"fiber0_lit": True, "fiber1_lit": "1"},
            },
        ),
    ],
)
def test_what_banzai_writes_in_its_own_way_is_read_so(changes, found, banzai):
    assert rows_of(banzai(insert(**changes))) == [IN_OUR_WORDS | found]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"instrument_id": "99"}, "its instrument, number 99, is in no table"),
        ({"instrument_id": "NULL"}, "its instrument, number None, is in no table"),
        ({"attributes": "'[1]'"}, "attributes: is [1], not a mapping"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_read(changes, says, banzai):
    first, second = rows_of(banzai(insert(**changes), insert(id="2", filename="'b.fits'")))
    assert isinstance(first, BadRowError)
    assert says in str(first)
    assert second == IN_OUR_WORDS | {"filename": "b.fits"}


def test_an_older_database_with_fewer_columns_is_read(banzai, backend):
    place = banzai(insert())
    for column in ("frameid", "datecreated", "good_until", "good_after", "attributes"):
        backend.sql(place, f"ALTER TABLE calimages DROP COLUMN {column}", "SELECT 1")
    less = dict.fromkeys(("frame_id", "created", "binning", "configuration_mode"))
    assert rows_of(place) == [IN_OUR_WORDS | less]


def test_any_number_of_rows_is_read_in_order(banzai, backend):
    place = banzai()
    values = {**USUAL, "id": "n", "filename": "'frame-' || n", "frameid": "n"}
    given = ", ".join(_cast(name, value, backend) for name, value in values.items())
    numbers = "SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4100"
    backend.sql(
        place,
        f"WITH RECURSIVE numbers(n) AS ({numbers}) INSERT INTO calimages ({', '.join(values)})"
        f" SELECT {given} FROM numbers",
        "SELECT 1",
    )
    found = list(BanzaiDatabase(place).rows())
    assert [number for number, _ in found] == list(range(1, 4101))
    assert found[-1][1] == IN_OUR_WORDS | {"filename": "frame-4100", "frame_id": 4100}


def _cast(name, value, backend):
    types = {"date": "TIMESTAMP", "good": "TIMESTAMP", "attr": "JSON"}
    kind = types.get(name[:4])
    return f"CAST({value} AS {kind})" if kind and backend.name == "postgresql" else value


def test_a_sqlite_file_is_opened_for_reading_only(sqlite_files):
    place = sqlite_files.empty()
    path = sqlite_files.path(place)
    sqlite_files.sql(place, "PRAGMA journal_mode = wal", *SCHEMA, insert())
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert rows_of(place) == rows_of(path) == [IN_OUR_WORDS]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    assert sqlite_files.sql(place, "PRAGMA journal_mode") == [("wal",)]


def test_banzai_can_write_while_it_is_read(banzai, backend):
    place = banzai(insert(), insert(id="2", filename="'b.fits'"))
    rows = BanzaiDatabase(place).rows()
    next(rows)
    backend.sql(place, insert(id="3", filename="'c.fits'"), "SELECT 1")
    assert [number for number, _ in rows] == [2, 3]


def test_another_database_is_none_of_banzai(banzai, backend, place):
    with pytest.raises(SchemaError, match="is no BANZAI database: it has no table calimages"):
        BanzaiDatabase(place).check()
    older = banzai()
    backend.sql(older, "ALTER TABLE calimages DROP COLUMN is_bad", "SELECT 1")
    with pytest.raises(SchemaError, match=r"is no BANZAI .* calimages has no column is_bad"):
        BanzaiDatabase(older).check()
    backend.give_back(place)


def test_a_database_that_cannot_be_had_is_named_without_its_password(tmp_path):
    with pytest.raises(DataFileNotFoundError, match=r"none\.db: there is no such file"):
        BanzaiDatabase(tmp_path / "none.db").check()
    url = "postgresql://reader:secret@127.0.0.1:1/calibrations?sslpassword=secret"
    with pytest.raises(RecordsUnavailableError) as refused:
        BanzaiDatabase(url).check()
    assert "secret" not in str(refused.value) + BanzaiDatabase(url).place
    with pytest.raises(ConfigurationError, match="change the URL of the BANZAI database"):
        BanzaiDatabase("mysql://reader:secret@host/calibrations")
    (tmp_path / "text.db").write_text("no database at all, but long enough to be looked at" * 9)
    with pytest.raises(SchemaError, match="is no SQLite database"):
        BanzaiDatabase(tmp_path / "text.db").check()


def test_the_records_of_banzai_become_ours(banzai, sqlite_files):
    place = banzai(
        insert(),
        insert(id="2", filename="'b.fits.fz'", frameid="NULL", is_bad="TRUE"),
        insert(id="3", filename="'c.fits'", frameid="8", good_until="'2026-03-01 00:00:00'"),
        insert(id="4", filename="'d.fits'", frameid="7"),
    )
    ours = RecordDatabase(sqlite_files.migrated())
    order = ImportOrder(source="BANZAI", reason="r", author="a")
    report = Importer(ours, order).run(BanzaiDatabase(place).rows())
    assert (report.recorded, report.conflicts, report.refused) == (3, 1, 0)
    assert report.conflicting_rows[0].row == 4
    frames = [ours.get(basename=name) for name in ("lsc-bias", "b", "c")]
    assert [f.frame_id for f in frames] == [7, None, 8]
    assert [f.verdict for f in frames] == [Verdict.UNKNOWN, Verdict.BAD, Verdict.UNKNOWN]
    assert {f.binning for f in frames} == {Binning(2, 1)}
    assert frames[2].good_until == datetime(2026, 3, 1, 0, 0, 0, 1, UTC)
    again = Importer(ours, order).run(BanzaiDatabase(place).rows())
    assert (again.recorded, again.completed, again.already_there, again.conflicts) == (0, 0, 3, 1)
    ours.close()
