"""What BANZAI has recorded is taken over, and what is no BANZAI database is refused."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

import calrecords
from calrecords.compat.banzai import demand_banzai_database, import_banzai_records
from calrecords.errors import DataFileNotFoundError, SchemaError

ATTRIBUTES = '{"configuration_mode": "default", "binning": "1x1"}'


@pytest.fixture
def banzai(tmp_path):
    """Return a BANZAI database with one good and one bad master."""
    path = tmp_path / "banzai.db"
    rows = [
        (1, "lsc-bias-1.fits.fz", 7, False, "1000-01-01 00:00:00", "3000-01-01 00:00:00"),
        (2, "lsc-bias-2.fits.fz", None, True, "2026-01-01 00:00:00", "2026-02-01 00:00:00"),
    ]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE instruments (id, site, camera, name);"
            "INSERT INTO instruments VALUES (1, 'lsc', 'fa15', 'fa15');"
            "CREATE TABLE calimages (id INTEGER PRIMARY KEY, type, filename, frameid, dateobs,"
            " datecreated, instrument_id, is_master, is_bad, good_after, good_until, attributes)"
        )
        insert = (
            "INSERT INTO calimages VALUES (?, 'BIAS', ?, ?, '2026-01-02 03:04:05',"
            f" '2026-01-02 09:00:00', 1, 1, ?, ?, ?, '{ATTRIBUTES}')"
        )
        connection.executemany(insert, rows)
        connection.commit()
    return path


@pytest.fixture
def cal(tmp_path):
    with calrecords.connect(db=tmp_path / "ours.sqlite", store=tmp_path / "store") as connected:
        yield connected


@pytest.mark.parametrize("place", [str, lambda path: path, lambda path: f"sqlite:///{path}"])
def test_the_records_are_taken_over_once(place, cal, banzai):
    demand_banzai_database(place(banzai))
    would = import_banzai_records(cal, place(banzai), dry_run=True)
    assert (would.recorded, would.is_dry_run) == (2, True)
    report = import_banzai_records(cal, place(banzai), known_from="created")
    assert (report.recorded, report.is_clean) == (2, True)
    first, second = cal.get(frame_id=7), cal.get(basename="lsc-bias-2")
    assert (first.verdict, first.good_after, first.good_until) == ("unknown", None, None)
    assert (second.verdict, second.frame_id) == ("bad", None)
    assert second.good_after == datetime(2026, 1, 1, tzinfo=UTC)
    assert second.good_until == datetime(2026, 2, 1, 0, 0, 0, 1, UTC)
    assert import_banzai_records(cal, place(banzai)).already_there == 2


def test_what_banzai_learns_later_is_taken_over_too(cal, banzai):
    import_banzai_records(cal, banzai)
    with closing(sqlite3.connect(banzai)) as connection:
        connection.execute("UPDATE calimages SET is_bad = 1, frameid = 8 - id")
        connection.commit()
    report = import_banzai_records(cal, banzai)
    assert (report.completed, report.is_clean) == (2, True)
    assert {cal.get(frame_id=n).verdict for n in (6, 7)} == {"bad"}


def test_what_is_no_banzai_database_is_refused(cal, tmp_path):
    for ask in (demand_banzai_database, lambda place: import_banzai_records(cal, place)):
        with pytest.raises(SchemaError, match="is no BANZAI database"):
            ask(tmp_path / "ours.sqlite")
        with pytest.raises(DataFileNotFoundError, match="there is no such file"):
            ask(tmp_path / "none.sqlite")
        (tmp_path / "rows.csv").write_text("filename,site\n" * 99)
        with pytest.raises(SchemaError, match="is no SQLite database"):
            ask(tmp_path / "rows.csv")
