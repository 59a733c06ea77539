"""Many frames are recorded at once, each row has a stated end, and no import harms another."""

import random
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from calrecords.errors import ConfigurationError, RecordNotFoundError
from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.matching import MatchSet
from calrecords.records import NewVersion, PartialDigest
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.importing_reports import ImportReport, RowProblem
from calrecords.records.match_sets import register_match_sets
from calrecords.vocabulary import Binning, Verdict

MD5, OTHER_MD5, SHA256 = "a" * 32, "b" * 32, "c" * 64
ROW = {
    "filename": "lsc-flat.fits.fz",
    "obstype": "skyflat",
    "site": "lsc",
    "camera": "fa15",
    "is_master": True,
    "dateobs": "2026-01-02T03:04:05.678901Z",
    "created": "2026-01-02T06:00:00",
}
FULL_ROW = ROW | {
    "frame_id": 7,
    "instrument": "sinistro",
    "reduction_level": 91,
    "filter": "rp",
    "binning": "2 1",
    "configuration_mode": "N/A",
    "exposure_time": 12.345678901234567,
    "ccd_temperature": "-100",
    "ccd_measured_temperature": -99.87,
    "dayobs": "20260101",
    "telescope": "1m0a",
    "object": "auto_focus",
    "proposal": "calibrate",
    "pipeline_name": "BANZAI",
    "pipeline_version": "1.36.1",
    "public_date": "2027-01-02",
    "version_key": "v1",
    "md5": MD5.upper(),
    "sha256": SHA256,
    "size": 2880,
    "key": "lsc/fa15/lsc-flat.fits.fz",
    "archived_at": "2026-01-02T06:30:00+00:00",
    "attributes": {"SATURATE": 64000, "GAIN": 1e300, "MOLNUM": None, "é": ["a", {}]},
    "inputs": [["IMCOM001", "bias-1"], ["IMCOM001", "bias-1"]],
}


@pytest.fixture
def take(database):
    """Return a function that imports rows, numbered from 1."""

    def run(*rows, **order):
        settings = {"source": "rows", "reason": "imported", "author": "me"} | order
        return Importer(database, ImportOrder(**settings)).run(enumerate(rows, 1))

    return run


def ended(report):
    return {
        name: count
        for name in ("recorded", "completed", "already_there", "refused", "conflicts")
        if (count := getattr(report, name))
    }


def everything(sql):
    """Return all that is in the tables that an import writes."""
    tables = ("sites", "instruments", "calibration_frames", "frame_versions", "verdicts")
    more = ("validity_changes", "frame_inputs", "selection_index")
    rows = {name: sql(f"SELECT * FROM {name}") for name in (*tables, *more)}
    return {name: sorted(map(str, found)) for name, found in rows.items()}


def test_every_word_of_a_row_is_recorded_in_its_one_spelling(take, database, sql):
    assert take(FULL_ROW) == ImportReport(source="rows", recorded=1)
    assert database.get(frame_id=7) == CalibrationFrame(
        frame_id=7,
        basename="lsc-flat",
        obstype="SKYFLAT",
        is_master=True,
        reduction_level=91,
        site="lsc",
        camera="fa15",
        instrument="sinistro",
        filter="rp",
        binning=Binning(2, 1),
        configuration_mode="default",
        exposure_time=12.345678901234567,
        ccd_temperature=-100.0,
        dateobs=datetime(2026, 1, 2, 3, 4, 5, 678901, UTC),
        dayobs=date(2026, 1, 1),
        created=datetime(2026, 1, 2, 6, tzinfo=UTC),
        verdict=Verdict.UNKNOWN,
        good_after=None,
        good_until=None,
        attributes=FULL_ROW["attributes"],
        version=FrameVersion("v1", MD5, SHA256, 2880, ".fits.fz", FULL_ROW["key"]),
        telescope="1m0a",
        ccd_measured_temperature=-99.87,
        public_date=datetime(2027, 1, 2, tzinfo=UTC),
        object="auto_focus",
        proposal="calibrate",
        pipeline_name="BANZAI",
        pipeline_version="1.36.1",
    )
    assert sql("SELECT keyword, basename FROM frame_inputs") == [("IMCOM001", "bias-1")]
    assert sql(
        "SELECT telescope, ccd_measured_temperature, object, proposal, pipeline_name,"
        " pipeline_version FROM frame_versions"
    ) == [("1m0a", -99.87, "auto_focus", "calibrate", "BANZAI", "1.36.1")]


def test_an_imported_frame_is_the_one_that_an_ingestion_would_have_recorded(
    take, database, record, make_version, full_facts, sql
):
    new = make_version("one", frame_id=7, version_key="v1", key="a/one.fits.fz")
    ingested = record(new)
    facts = {
        name: value
        for name, value in asdict(full_facts).items()
        if name not in ("binning", "inputs")
    }
    digest = {name: getattr(new.digest, name) for name in ("md5", "sha256", "size")}
    row = facts | digest | {"binning": "2x1", "inputs": list(full_facts.inputs)}
    row |= {"basename": "one", "extension": ".fits.fz", "version_key": "v1"}
    row |= {"key": "a/one.fits.fz", "frame_id": 7}
    assert ended(take(row)) == {"already_there": 1}
    other = row | {"basename": "other", "frame_id": 8}
    assert ended(take(other)) == {"recorded": 1}
    as_imported = database.get(basename="other")
    assert replace(as_imported, basename="one", frame_id=7) == ingested
    columns = ", ".join(
        name
        for name in facts
        if name not in ("obstype", "site", "camera", "is_master")
        and name not in ("instrument", "dayobs_rule")
    )
    first, second = sql(f"SELECT {columns} FROM frame_versions ORDER BY id")
    assert first == second


def test_a_second_import_changes_nothing_and_says_so(take, sql):
    rows = [FULL_ROW, ROW | {"filename": "b.fits", "verdict": "bad"}]
    rows += [ROW | {"filename": "c.fits", "good_after": "2026-01-01", "known_from": "2026-01-03"}]
    assert ended(take(*rows)) == {"recorded": 3}
    before = everything(sql)
    assert ended(take(*rows)) == {"already_there": 3}
    assert everything(sql) == before


def test_what_is_not_known_yet_is_completed_and_nothing_else(take, database, sql):
    take(ROW | {"filter": "rp", "binning": "1x1"})
    assert database.get(basename="lsc-flat").version == FrameVersion(
        None, None, None, None, ".fits.fz", None
    )
    learned = {"md5": MD5, "sha256": SHA256, "size": 1, "version_key": "v", "key": "a/b"}
    more = ROW | learned | {"frame_id": 7, "verdict": "bad", "good_until": "2027-01-01"}
    assert ended(take(more)) == {"completed": 1}
    frame = database.get(basename="lsc-flat")
    assert frame.version == FrameVersion("v", MD5, SHA256, 1, ".fits.fz", "a/b")
    assert (frame.frame_id, frame.verdict, frame.filter) == (7, Verdict.BAD, "rp")
    assert frame.good_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert ended(take(more)) == ended(take(ROW)) == {"already_there": 1}
    assert sql("SELECT count(*) FROM frame_versions") == [(1,)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"obstype": "BIAS"}, "obstype 'SKYFLAT' (the row: 'BIAS')"),
        ({"camera": "kb70"}, "camera 'fa15' (the row: 'kb70')"),
        ({"site": "coj"}, "site 'lsc' (the row: 'coj')"),
        ({"is_master": False}, "is_master True (the row: False)"),
        ({"frame_id": 8}, "recorded with frame ID 7, and the row has 8"),
        ({"filter": "gp"}, "recorded with filter 'rp' (the row: 'gp'); `correct` mends"),
        ({"attributes": {"SATURATE": 1}}, "attributes"),
        ({"sha256": "d" * 64}, f"recorded with sha256 {SHA256}"),
        ({"version_key": "v2"}, "recorded with version_key v1"),
        ({"md5": OTHER_MD5}, f"recorded with md5 {MD5}"),
        ({"filename": "new.fits", "md5": OTHER_MD5}, "frame ID 7 is recorded for lsc-flat"),
    ],
)
def test_what_contradicts_the_records_is_named_and_they_stay(changes, says, take, sql):
    take(FULL_ROW)
    before = everything(sql)
    report = take(FULL_ROW | changes | {"verdict": "bad"})
    [problem] = report.conflicting_rows
    assert (ended(report), problem.row) == ({"conflicts": 1}, 1)
    assert says in problem.reason
    assert everything(sql) == before


def test_a_verdict_or_a_validity_that_somebody_gave_is_not_overwritten(take, database, sql):
    rows = [ROW | {"verdict": "good", "good_after": "2026-01-01"}]
    take(*rows)
    for changes in ({"verdict": "bad"}, {"good_after": "2026-01-02"}, {"good_until": "2027-01-01"}):
        report = take(rows[0] | changes)
        assert ended(report) == {"conflicts": 1}
        assert "in the row" in report.conflicting_rows[0].reason
    assert ended(take(ROW | {"verdict": "unknown"})) == {"already_there": 1}
    assert database.get(basename="lsc-flat").verdict is Verdict.GOOD
    # somebody took the verdict back: that is no gap which an import may fill
    sql("UPDATE frame_versions SET verdict = 'unknown'", "SELECT 1")
    assert ended(take(ROW | {"verdict": "bad"})) == {"conflicts": 1}


def test_histories_say_why_by_whom_and_since_when(take, sql):
    take(
        ROW | {"verdict": "bad", "good_until": "2027-01-01", "known_from": "2026-02-01"},
        ROW
        | {
            **{"filename": "b.fits", "verdict": "good", "known_from": "2026-02-01"},
            **{"verdict_reason": "seen", "verdict_author": "Ann"},
            **{"verdict_known_from": "2026-03-01"},
        },
    )
    marks = sql("SELECT verdict, reason, author, known_from FROM verdicts ORDER BY id")
    assert [(*said, str(since)[:10]) for *said, since in marks] == [
        ("bad", "imported", "me", "2026-02-01"),
        ("good", "seen", "Ann", "2026-03-01"),
    ]
    [(*said, since)] = sql("SELECT reason, author, known_from FROM validity_changes")
    assert (*said, str(since)[:10]) == ("imported", "me", "2026-02-01")


def test_what_is_learned_later_of_a_verdict_is_not_known_from_earlier(take, sql):
    take(ROW | {"known_from": "2026-02-01"})
    take(ROW | {"known_from": "2026-02-01", "verdict": "bad"})
    assert sql("SELECT verdict, known_from FROM verdicts") == [("bad", None)]


def test_rows_of_one_frame_in_one_import_are_seen_by_each_other(take, database, sql):
    report = take(
        ROW,
        ROW,
        ROW | {"frame_id": 7, "verdict": "bad"},
        ROW | {"verdict": "good"},
        ROW | {"frame_id": 8},
        ROW | {"md5": MD5},
        ROW | {"created": "2026-01-05", "md5": OTHER_MD5},
        ROW | {"filename": "b.fits", "frame_id": 7},
    )
    assert ended(report) == {"recorded": 2, "already_there": 1, "completed": 2, "conflicts": 3}
    assert [problem.row for problem in report.conflicting_rows] == [4, 5, 8]
    newest, older = database.versions("lsc-flat")
    assert (newest.version.md5, newest.verdict) == (OTHER_MD5, Verdict.UNKNOWN)
    assert (older.version.md5, older.verdict, older.frame_id) == (MD5, Verdict.BAD, 7)
    assert sql("SELECT verdict FROM verdicts") == [("bad",)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
@pytest.mark.parametrize("apart", [True, False])
def test_the_version_that_was_made_last_is_current_in_whatever_order_they_come(
    order, apart, take, database, sql
):
    versions = [
        ROW | {"md5": f"{n}" * 32, "created": f"2026-01-0{n + 1}", "frame_id": 7} for n in range(3)
    ]
    rows = [versions[n] for n in order]
    for part in [[row] for row in rows] if apart else [rows]:
        assert ended(take(*part)) == {"recorded": len(part)}
    assert database.get(frame_id=7).version.md5 == "2" * 32
    assert sql("SELECT count(*) FROM frame_versions WHERE is_current") == [(1,)]
    assert ended(take(*rows)) == {"already_there": 3}


def test_a_row_that_says_less_is_of_the_version_that_nothing_tells_it_from(take, database):
    take(FULL_ROW)
    bare = {name: ROW[name] for name in ("filename", "obstype", "site", "camera")}
    assert ended(take(ROW, bare)) == {"already_there": 2}
    assert ended(take(ROW | {"created": "2026-01-09"})) == {"recorded": 1}
    assert ended(take(ROW | {"filename": "lsc-flat.fits"})) == {"recorded": 1}
    assert len(database.versions("lsc-flat")) == 3


def test_a_row_that_cannot_be_recorded_is_refused_and_the_others_are_not(take):
    report = take(ROW | {"site": " "}, None, ROW | {"camera": "fa\0"}, ROW)
    assert report == ImportReport(
        source="rows",
        recorded=1,
        refused=3,
        refused_rows=(
            RowProblem(1, "lsc-flat.fits.fz", "site is missing"),
            RowProblem(2, None, "is of type NoneType, not a mapping"),
            RowProblem(3, "lsc-flat.fits.fz", "camera: holds a NUL character"),
        ),
    )


def test_problems_are_all_counted_and_the_first_ones_named(take):
    take(ROW)
    bad = [ROW | {"site": None}] * 5 + [ROW | {"camera": "other"}] * 5
    report = take(*bad, problems_kept=2, chunk_rows=3)
    conflict = "another frame of this name is recorded, with camera 'fa15' (the row: 'other')"
    assert report == ImportReport(
        source="rows",
        refused=5,
        conflicts=5,
        refused_rows=tuple(
            RowProblem(row, "lsc-flat.fits.fz", "site is missing") for row in (1, 2)
        ),
        conflicting_rows=tuple(RowProblem(row, "lsc-flat", conflict) for row in (6, 7)),
    )
    assert (report.rows, report.is_clean) == (10, False)


def test_a_dry_run_says_what_would_be_and_writes_nothing(take, sql):
    take(ROW)
    before = everything(sql)
    rows = [ROW | {"frame_id": 7}, ROW | {"filename": "b.fits"}, ROW | {"site": 1}]
    report = take(*rows, is_dry_run=True)
    assert (ended(report), report.is_dry_run) == (
        {"recorded": 1, "completed": 1, "refused": 1},
        True,
    )
    assert everything(sql) == before
    assert ended(take(*rows)) == ended(report)


def many(count):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        ROW
        | {
            **{"filename": f"frame-{n}.fits", "frame_id": n + 1, "md5": f"{n:032x}"},
            **{"dateobs": start + timedelta(minutes=n), "filter": "rp" if n % 2 else "gp"},
            **{"verdict": "bad" if n % 7 == 0 else None},
        }
        for n in range(count)
    ]


class Interrupted(BaseException):
    """What ends a process in the middle of an import."""


def test_an_import_that_was_interrupted_is_completed_by_running_it_again(take, sql):
    rows = many(25)

    def interrupt(report):
        if report.rows >= 10:
            raise Interrupted

    with pytest.raises(Interrupted):
        take(*rows, chunk_rows=5, progress=interrupt)
    assert sql("SELECT count(*) FROM calibration_frames") == [(10,)]
    assert sql("SELECT count(*) FROM frame_versions WHERE is_current") == [(10,)]
    assert ended(take(*rows, chunk_rows=7)) == {"recorded": 15, "already_there": 10}
    assert sql("SELECT count(*) FROM verdicts") == [(4,)]


def test_a_chunk_that_fails_leaves_nothing_of_itself(take, database, sql):
    def broken():
        yield from many(7)
        msg = "the disk is gone"
        raise OSError(msg)

    settings = {"source": "rows", "reason": "r", "author": "a", "chunk_rows": 5}
    with pytest.raises(OSError, match="the disk is gone"):
        Importer(database, ImportOrder(**settings)).run(enumerate(broken(), 1))
    assert sql("SELECT count(*) FROM calibration_frames") == [(5,)]


def test_imports_at_once_record_each_frame_once(database, sql):
    reports, rows = [], many(300)
    rng = random.Random(1)

    def run(given):
        order = ImportOrder(source="rows", reason="r", author="a", chunk_rows=50)
        reports.append(Importer(database, order).run(enumerate(given, 1)))

    threads = [threading.Thread(target=run, args=(rng.sample(rows, len(rows)),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.recorded for report in reports) == 300
    assert sum(report.already_there for report in reports) == 600
    assert sql("SELECT count(*) FROM frame_versions") == [(300,)]
    assert sql("SELECT count(*) FROM verdicts") == [(43,)]


FILTERED = MatchSet(("camera", "created", "dateobs", "filter", "is_master"), "SKYFLAT")


def test_the_index_is_the_one_that_registering_the_sets_would_make(take, database, sql):
    sets = [FILTERED, MatchSet(("attributes.lit", "binning", "instrument", "basename"))]
    rows = [
        *many(20),
        ROW | {"filename": "a.fits", "binning": [1, 2], "attributes": {"lit": 1}},
        ROW | {"filename": "none.fits", "dateobs": None},
        ROW | {"filename": "old.fits", "md5": MD5, "known_from": "2026-01-20"},
        ROW | {"filename": "old.fits", "md5": OTHER_MD5, "created": "2026-01-09"},
    ]
    columns = "match_key, dateobs, version_id, known_from"
    select = f"SELECT {columns} FROM selection_index WHERE known_until IS NULL ORDER BY 1, 2, 3"
    with database.write_rows() as connection:
        register_match_sets(connection, sets, datetime.now(UTC))
    take(*rows)
    indexed = [tuple(map(_plain, row)) for row in sql(select)]
    assert len(indexed) == 2 * 22
    sql("DELETE FROM selection_index", "DELETE FROM match_sets", "SELECT 1")
    with database.write_rows() as connection:
        register_match_sets(connection, sets, datetime.now(UTC))
    assert [tuple(map(_plain, row)) for row in sql(select)] == indexed


def _plain(value):
    return bytes(value) if isinstance(value, memoryview) else value


def test_each_version_is_indexed_for_the_time_in_which_it_was_current(take, database, sql):
    with database.write_rows() as connection:
        register_match_sets(connection, [MatchSet(("camera",))], datetime.now(UTC))
    days = {1: "2026-02-01", 2: "2026-03-01", 3: None}
    rows = [
        ROW | {"md5": f"{n}" * 32, "created": f"2026-01-0{n}", "known_from": since}
        for n, since in days.items()
    ]
    take(rows[1])
    take(rows[0], rows[2])
    found = sql(
        "SELECT v.md5, i.known_from, i.known_until FROM selection_index i"
        " JOIN frame_versions v ON v.id = i.version_id ORDER BY 2"
    )
    assert [md5[0] for md5, *_ in found] == ["1", "2", "3"]
    for (_, _, until), (_, since, _) in pairwise(found):
        assert until == since
    assert found[-1][2] is None
    assert [str(since)[:10] for _, since, _ in found[:2]] == ["2026-02-01", "2026-03-01"]


def test_frames_may_be_known_from_when_they_were_made_or_from_one_time(take, sql):
    take(ROW, known_from="created")
    take(ROW | {"filename": "b.fits"}, known_from="2026-05-05")
    take(ROW | {"filename": "c.fits", "known_from": "2026-06-06"}, known_from="2026-05-05")
    take(ROW | {"filename": "d.fits", "created": "2999-01-01"}, known_from="created")
    found = sql("SELECT known_from FROM frame_versions ORDER BY id")
    assert [str(row[0])[:10] for row in found[:3]] == ["2026-01-02", "2026-05-05", "2026-06-06"]
    kept = sql("SELECT known_from = recorded_at FROM frame_versions ORDER BY id")
    assert [bool(row[0]) for row in kept] == [False, False, False, True]
    for wrong in ("whenever", "2999-01-01"):
        with pytest.raises(ConfigurationError, match="known_from"):
            take(ROW, known_from=wrong)


def test_the_file_of_a_frame_that_was_imported_without_md5_completes_its_record(
    take, database, full_facts
):
    take(ROW | {"verdict": "bad", "frame_id": 7})
    facts = replace(
        full_facts, obstype="SKYFLAT", created=datetime(2026, 1, 2, 6, tzinfo=UTC), inputs=()
    )
    new = NewVersion(
        basename="lsc-flat",
        extension=".fits.fz",
        facts=facts,
        digest=PartialDigest(MD5),
        version_key="v1",
        frame_id=7,
    )
    frame = database.record(new)
    assert (frame.version.md5, frame.version.version_key) == (MD5, "v1")
    assert frame.verdict is Verdict.BAD
    assert len(database.versions("lsc-flat")) == 1
    remade = replace(
        new,
        digest=PartialDigest(OTHER_MD5),
        version_key="v2",
        facts=replace(facts, created=datetime(2026, 1, 9, tzinfo=UTC)),
    )
    assert database.record(remade).verdict is Verdict.UNKNOWN
    with pytest.raises(RecordNotFoundError):
        database.get(basename="lsc-flat", md5="0" * 32)


def test_an_archive_is_asked_for_before_the_first_frame_id_is_written(take, sql):
    counted = []

    def bind():
        counted.append(sql("SELECT count(*) FROM calibration_frames")[0][0])

    take(*many(4)[:0], ROW, *many(4), chunk_rows=1, on_frame_ids=bind)
    assert counted == [1]


KILLED = """
import os, signal, sys
from calrecords.records import RecordDatabase
from calrecords.records.importing import Importer, ImportOrder

def die(report):
    if report.rows == 20:
        os.kill(os.getpid(), signal.SIGKILL)

row = {"obstype": "BIAS", "site": "lsc", "camera": "fa15", "verdict": "bad"}
rows = ((n, row | {"filename": f"frame-{n}.fits", "frame_id": n}) for n in range(1, 36))
order = ImportOrder(source="rows", reason="r", author="a", chunk_rows=10, progress=die)
print(Importer(RecordDatabase(sys.argv[1]), order).run(rows))
"""


def test_a_killed_import_is_completed_by_running_it_again(sql, place):
    killed = subprocess.run([sys.executable, "-c", KILLED, place], check=False)
    assert killed.returncode == -signal.SIGKILL
    counts = "SELECT (SELECT count(*) FROM frame_versions), (SELECT count(*) FROM verdicts)"
    assert sql(counts) == [(20, 20)]
    command = [sys.executable, "-c", KILLED.replace("== 20", "== -1"), place]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "35 rows: 15 recorded, 0 completed, 20 already there" in done.stdout
    assert sql(counts) == [(35, 35)]
