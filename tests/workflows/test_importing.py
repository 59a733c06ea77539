"""Records are taken over from mappings, files and BANZAI, and are then used like any other."""

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import calrecords
from calrecords.errors import ConfigurationError, SchemaError
from calrecords.records.importing_reports import ImportReport

ROWS = [
    {
        "filename": f"lsc-bias-{n}.fits.fz",
        "obstype": "BIAS",
        "site": "lsc",
        "camera": "fa15",
        "is_master": True,
        "dateobs": f"2026-01-0{n}T03:04:05",
        "binning": "2x2",
        "frame_id": n,
        "attributes": {"lit": "1"},
    }
    for n in (1, 2, 3)
]


@pytest.fixture
def cal(tmp_path):
    with calrecords.connect(
        db=tmp_path / "records.sqlite", store=tmp_path / "store", cache=tmp_path / "cache"
    ) as connected:
        yield connected


def json_lines(path):
    path.write_text("\n".join(json.dumps(row) for row in ROWS))
    return path


def csv_file(path):
    with path.open("w", newline="") as file:
        rows = [row | {"attributes.lit": "1"} for row in ROWS]
        names = [name for name in rows[0] if name != "attributes"]
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def banzai_file(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE instruments (id, site, camera, name);"
            "INSERT INTO instruments VALUES (1, 'lsc', 'fa15', 'fa15');"
            "CREATE TABLE calimages (id INTEGER PRIMARY KEY, type, filename, frameid, dateobs,"
            " instrument_id, is_master, is_bad, attributes)"
        )
        connection.executemany(
            "INSERT INTO calimages VALUES (?, ?, ?, ?, ?, 1, 1, 0, ?)",
            [
                (
                    *(row["frame_id"], row["obstype"], row["filename"], row["frame_id"]),
                    *(row["dateobs"], json.dumps({"binning": row["binning"], "lit": "1"})),
                )
                for row in ROWS
            ],
        )
        connection.commit()
    return path


SOURCES = {
    "a list": lambda _: ROWS,
    "a generator": lambda _: (row for row in ROWS),
    "JSON lines": lambda folder: json_lines(folder / "rows.jsonl"),
    "a path as text": lambda folder: str(json_lines(folder / "rows.jsonl")),
    "CSV": lambda folder: csv_file(folder / "rows.csv"),
    "a file of BANZAI": lambda folder: banzai_file(folder / "banzai.db"),
    "a URL of BANZAI": lambda folder: f"sqlite:///{banzai_file(folder / 'banzai.db')}",
}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_the_same_records(make, cal, tmp_path):
    report = cal.import_records(make(tmp_path))
    assert (report.rows, report.recorded, report.is_clean) == (3, 3, True)
    frames = [cal.get(frame_id=n) for n in (1, 2, 3)]
    assert [frame.filename for frame in frames] == [row["filename"] for row in ROWS]
    assert {str(frame.binning) for frame in frames} == {"2x2"}
    assert {frame.is_master for frame in frames} == {True}
    assert frames[0].dateobs == datetime(2026, 1, 1, 3, 4, 5, tzinfo=UTC)
    assert [frame.attributes for frame in frames] == [{"lit": "1"}] * 3
    folder = tmp_path / "again"
    folder.mkdir()
    again = cal.import_records(make(folder))
    assert again == ImportReport(source=again.source, already_there=3)
    assert str(again).endswith(
        "3 rows: 0 recorded, 0 completed, 3 already there, 0 refused, 0 in conflict"
    )


def test_how_a_file_is_written_may_be_said(cal, tmp_path):
    path = csv_file(tmp_path / "rows.txt")
    with pytest.raises(ConfigurationError, match="say which format it has"):
        cal.import_records(path)
    assert cal.import_records(path, format="csv").recorded == 3
    with pytest.raises(ConfigurationError, match="format='xml': write one of jsonl, csv, banzai"):
        cal.import_records(path, format="xml")
    with pytest.raises(ConfigurationError, match="a URL is of a BANZAI database"):
        cal.import_records("sqlite:///a.db", format="csv")


@pytest.mark.parametrize("rows", [ROWS[0], 5, None])
def test_what_is_not_many_rows_is_refused(rows, cal):
    with pytest.raises(ConfigurationError, match="rows are many mappings, a file or a URL"):
        cal.import_records(rows)


def test_the_reason_and_the_author_of_marks_may_be_given(cal, tmp_path):
    cal.import_records([ROWS[0] | {"verdict": "bad"}])
    cal.import_records([ROWS[1] | {"verdict": "bad"}], author="Ann", reason="from the old table")
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as records:
        found = records.execute("SELECT reason, author FROM verdicts ORDER BY id").fetchall()
    assert found == [("imported from rows", "import"), ("from the old table", "Ann")]


def test_progress_is_told_and_a_dry_run_writes_nothing(cal):
    told = []
    rows = [ROWS[0] | {"filename": f"{n}.fits", "frame_id": n} for n in range(7000)]
    report = cal.import_records(rows, dry_run=True, progress=told.append)
    assert (report.recorded, told[-1]) == (7000, report)
    assert [one.recorded for one in told] == sorted({one.recorded for one in told})
    assert len(cal.query(row_limit=-1)) == 0


def test_frame_ids_bind_the_records_to_the_archive_that_is_named(tmp_path):
    places = {"store": tmp_path / "store", "db": tmp_path / "bound.sqlite"}
    first, other = "https://archive.example/", "https://other.example/"
    with calrecords.connect(archive=first, **places) as cal:
        cal.import_records([ROWS[0] | {"frame_id": None}])
    with calrecords.connect(archive=other, **places) as cal:
        cal.import_records(ROWS, dry_run=True)
    with calrecords.connect(archive=first, **places) as cal:
        cal.import_records(ROWS)
    with pytest.raises(SchemaError, match="holds frame IDs of"):
        calrecords.connect(archive=other, **places)


def test_a_source_is_closed_when_the_import_ends(cal, tmp_path):
    path = json_lines(tmp_path / "rows.jsonl")

    def stop(_report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cal.import_records(path, progress=stop)
    opened = [Path(f"/proc/self/fd/{n.name}") for n in Path("/proc/self/fd").iterdir()]
    assert not [fd for fd in opened if fd.is_symlink() and fd.readlink() == path]
