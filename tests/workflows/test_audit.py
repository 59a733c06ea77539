"""An audit tells every fault and nothing else, whoever else is at work, and whatever it lacks."""

import errno
import io
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

import calrecords
from calrecords import FileSystemStore
from calrecords.errors import (
    ConfigurationError,
    FileStoreRefusedError,
    RecordNotFoundError,
    RecordsUnavailableError,
)
from calrecords.filestore import FileStore
from calrecords.records import RecordDatabase
from calrecords.workflows.audit_report import AuditReport
from calrecords.workflows.results import IngestStep

HOUR = timedelta(hours=1)
on_disk = pytest.mark.parametrize("world", ["file system"], indirect=True)


def later(hours=2):
    """Return a clock by which all that there is now is old."""
    return lambda: datetime.now(UTC) + hours * HOUR


def seen(report):
    return sorted((str(one.kind), one.name) for one in report.findings)


def states(report):
    return {str(part.part): str(part.state) for part in report.parts}


@pytest.fixture
def ingested(world, make_frame):
    """Return a connection with three ingested frames, one of them with two versions."""
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(3)]
    with world.connect() as cal:
        for path in [*paths, make_frame("again", basename="bias-0", seed=99)]:
            cal.ingest(path, is_master=True)
        yield cal


def test_what_is_as_it_should_be_is_clean_at_any_time_and_depth(world, ingested):
    ingested.fetch("bias-1")
    for depth in ("quick", "full"):
        for clock in (later(0), later(2), later(1000)):
            report = ingested.audit(depth=depth, clock=clock, grace=0)
            assert (seen(report), report.notices, report.is_finished) == ([], (), True)
            assert set(states(report).values()) == {"done"}
            assert [part.examined for part in report.parts] == [0, 3, 4, 4, 1]


def test_an_audit_changes_nothing_but_its_own_tables(world, ingested):
    before = (world.stored(), world.published(), world.archived(), list(ingested.query()["md5"]))
    world.archive.clear_requests()
    ingested.audit(depth="full", clock=later())
    after = (world.stored(), world.published(), world.archived(), list(ingested.query()["md5"]))
    assert after == before
    assert {method for method, _ in world.archive.requests} <= {"GET", "OPTIONS"}


@pytest.mark.parametrize("step", list(IngestStep))
def test_a_killed_ingestion_is_one_stale_intent_and_nothing_else(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    with world.connect() as cal:
        expected = [] if step is IngestStep.RECORDED else [("intent stale", path.name)]
        assert seen(cal.audit(depth="full", clock=later())) == expected
        assert seen(cal.audit(depth="full")) == []
        done = cal.repair(cal.audit(clock=later(), anew=True), apply=True, force=True)
        assert [str(action.state) for action in done.actions] == ["done"] * len(expected)
        assert seen(cal.audit(depth="full", clock=later())) == []
        [(frame_id, _, _)] = world.archived()
        assert cal.get(frame_id=frame_id).filename == path.name


def ingest_for_a_while(places, paths, ready):
    ready.wait()
    with calrecords.connect(**places) as cal:
        for path in paths:
            cal.ingest(path, is_master=True)


@pytest.fixture
def on_postgresql(world, postgresql_server):
    """Let the records be in PostgreSQL."""
    world.db = postgresql_server.empty()
    database = RecordDatabase(world.db)
    database.upgrade()
    database.close()
    yield
    postgresql_server.drop(world.db)


def test_nothing_is_a_fault_while_others_ingest(world, make_frame):
    audit_while_others_ingest(world, make_frame)


@on_disk
def test_nothing_is_a_fault_while_others_ingest_into_postgresql(world, make_frame, on_postgresql):
    audit_while_others_ingest(world, make_frame)


def audit_while_others_ingest(world, make_frame):
    """The grace is nothing here: what protects is the journal, and that each is seen twice."""
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(24)]
    paths += [make_frame("again", basename=f"bias-{n}", seed=100 + n) for n in range(0, 24, 2)]
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    processes = [
        context.Process(target=ingest_for_a_while, args=(world.places, some, ready))
        for some in (paths[::2], paths[1::2], paths[::3])
    ]
    with world.connect() as cal:
        for process in processes:
            process.start()
        ready.set()
        audits = 0
        while any(process.is_alive() for process in processes) or audits < 3:
            depth = ("quick", "full")[audits % 2]
            report = cal.audit(depth=depth, grace=0, anew=True)
            assert (seen(report), set(states(report).values())) == ([], {"done"}), str(report)
            audits += 1
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert len(cal.query()) == 24
        assert seen(cal.audit(depth="full", clock=later(), ours=True)) == []


def test_a_replica_that_lags_behind_is_no_fault(world, ingested):
    world.archive.faults.add("stale", path="/frames/*", times=1000, seconds=600)
    assert seen(ingested.audit(parts=["archive"])) == []
    too_soon = ingested.audit(parts=["archive"], grace=0)
    assert {kind for kind, _ in seen(too_soon)} == {"frame not archived"}
    world.archive.faults.clear()
    before = world.archived()
    done = ingested.repair(too_soon, apply=True, force=True)
    assert {str(action.state) for action in done.actions} == {"not needed"}
    assert world.archived() == before


@pytest.fixture
def two_pipelines(world, ingested, make_frame, tmp_path):
    """Let another pipeline with records of its own use the same archive and store."""
    theirs = [make_frame("theirs", basename=f"theirs-{n}", seed=50 + n) for n in range(3)]
    with world.connect(db=str(tmp_path / "theirs.sqlite")) as other:
        for path in theirs:
            other.ingest(path, is_master=True)
        other.register(make_frame("theirs", basename="mask", obstype="BPM"), is_master=True)
        yield other


def test_what_is_another_pipelines_is_counted_and_left_alone(world, ingested, two_pipelines):
    before = (world.stored(), world.archived())
    for cal, mine, others in ((ingested, 3, 3), (two_pipelines, 4, 3)):
        for hours in (2, 27):
            report = cal.audit(depth="full", clock=later(hours))
            assert seen(report) == []
            assert report.frames == mine
            assert [one.count for one in report.notices if "archive" in one.what] == [others]
            done = cal.repair(report, apply=True, force=True, clock=later(hours))
            assert done.actions == ()
    assert (world.stored(), world.archived()) == before


@on_disk
def test_what_is_claimed_is_told(world, ingested, two_pipelines, tmp_path):
    report = ingested.audit(ours=True, clock=later())
    theirs = [f"theirs-{n}" for n in range(3)]
    mask = two_pipelines.get(basename="mask").version.key
    assert seen(report) == [
        *(("frame not recorded", name) for name in theirs),
        ("object unknown", mask),
    ]
    narrow = {"site": "lsc", "camera": "nobody's"}
    assert seen(ingested.audit(ours=True, clock=later(), **narrow)) == []
    ingested.repair(report, apply=True, force=True, clock=later())
    assert [ingested.get(basename=name).frame_id for name in theirs]
    assert seen(ingested.audit(ours=True, clock=later())) == [("object unknown", mask)]


@on_disk
def test_a_lost_database_is_made_anew_from_what_is_claimed(world, ingested, tmp_path):
    with world.connect(db=str(tmp_path / "empty.sqlite")) as cal:
        assert seen(cal.audit(clock=later(), ours=True)) == []
        report = cal.audit(clock=later(), ours=True, site="lsc", camera="fa01", obstype="bias")
        assert seen(report) == [("frame not recorded", f"bias-{n}") for n in range(3)]
        cal.repair(report, apply=True, force=True)
        for name in ("bias-0", "bias-1", "bias-2"):
            assert cal.get(basename=name).version.md5 == ingested.get(basename=name).version.md5
            assert cal.get(basename=name).version.key == ingested.get(basename=name).version.key
        assert seen(cal.audit(clock=later(), depth="full")) == []


@on_disk
def test_frames_that_no_archive_knows_are_no_fault(world, ingested, make_frame):
    ingested.register(make_frame(basename="mask", obstype="BPM"), is_master=True)
    ingested.register(make_frame(basename="local", seed=5), is_master=True)
    ingested.register(make_frame("again", basename="bias-1", seed=77), is_master=True)
    assert seen(ingested.audit(depth="full", clock=later())) == []


@on_disk
def test_records_without_checksum_or_place_are_compared_as_far_as_they_go(world, ingested):
    frame = ingested.get(basename="bias-1")
    rows = [
        {
            "filename": "bias-1.fits",
            "obstype": "BIAS",
            "site": frame.site,
            "camera": frame.camera,
            "frame_id": frame.frame_id,
        },
    ]
    with world.connect(db=str(world.folder / "imported.sqlite")) as cal:
        cal.import_records(rows)
        assert seen(cal.audit(depth="full", clock=later())) == []
        cal.import_records([{**rows[0], "filename": "gone.fits", "frame_id": 4711}])
        assert seen(cal.audit(clock=later())) == [("frame not archived", "gone.fits")]


class UnlistedStore(FileStore):
    """A store of an observatory's own, from before stores were listed."""

    kind = "own"
    keeps_versions = False

    def __init__(self, store):
        for name in ("check", "put", "publish", "find", "stat", "open", "delete", "url", "close"):
            object.__setattr__(self, name, getattr(store, name))

    check = put = publish = find = stat = open = delete = url = close = None


@on_disk
def test_a_store_that_cannot_be_listed_leaves_only_that_out(world, ingested):
    store = UnlistedStore(FileSystemStore(world.folder / "store"))
    (world.folder / "store" / ingested.get(basename="bias-1").version.key).unlink()
    shutil.rmtree(world.folder / "store" / ".calrecords")
    with world.connect(store=store) as cal:
        report = cal.audit(clock=later())
    assert states(report) == {
        **dict.fromkeys(("journal", "archive", "store", "cache"), "done"),
        "objects": "left out",
    }
    why = next(part.why for part in report.parts if part.part == "objects")
    assert "UnlistedStore" in why
    assert "methods listed, leftovers" in why
    assert report.is_finished
    assert ("object missing", "bias-1.fits") in seen(report)


def test_without_an_archive_the_rest_is_audited(world, ingested):
    ingested.store.delete(ingested.get(basename="bias-1").version.stored())
    with calrecords.connect(
        db=world.places["db"], store=world.places["store"], cache=world.places["cache"]
    ) as cal:
        report = cal.audit(clock=later())
        assert states(report)["archive"] == "left out"
        assert ("object missing", "bias-1.fits") in seen(report)
    with world.connect(offline=True) as cal:
        report = cal.audit(clock=later())
        assert states(report)["archive"] == "left out"
        local = world.s3 is None
        assert states(report)["store"] == ("done" if local else "left out")
        assert states(report)["objects"] == ("done" if local else "left out")


@on_disk
def test_a_dummy_store_has_nothing_to_look_at(world, ingested, monkeypatch):
    monkeypatch.setenv("FILESTORE_TYPE", "dummy")
    with world.connect(store=None) as cal:
        report = cal.audit(clock=later())
    assert states(report)["store"] == states(report)["objects"] == "left out"
    assert (seen(report), report.is_finished) == ([], True)


@on_disk
def test_a_file_that_only_the_archive_can_say_more_of_is_not_called_nobodys(world, ingested):
    """Its record is lost, and no archive is named that could say whether it refers to it."""
    key = ingested.get(basename="bias-1").version.key
    lose_record(world, "bias-1")
    with calrecords.connect(
        db=world.places["db"], store=world.places["store"], cache=world.places["cache"]
    ) as cal:
        report = cal.audit(clock=later())
    assert ("object unknown", key) not in seen(report)


def lose_record(world, name):
    of_frame = "(SELECT id FROM calibration_frames WHERE basename = ?)"
    with closing(sqlite3.connect(world.places["db"])) as connection, connection:
        for text in (
            f"DELETE FROM frame_versions WHERE calibration_frame_id = {of_frame}",
            "DELETE FROM calibration_frames WHERE basename = ?",
        ):
            connection.execute(text, (name,))


def test_it_goes_on_where_its_time_ended_and_finds_the_same(world, ingested, make_frame):
    for n in range(3, 40):
        ingested.register(make_frame(basename=f"mask-{n}", obstype="BPM", seed=n), is_master=True)
    for name in ("bias-1", "mask-7", "mask-33"):
        ingested.store.delete(ingested.get(basename=name).version.stored())
    at_once = ingested.audit(depth="full", clock=later())
    assert len(at_once.findings) == 3
    stretches = 0
    while not (report := ingested.audit(depth="full", clock=later(), time_limit=0)).is_finished:
        stretches += 1
        assert stretches < 100
    assert stretches > 3
    assert report.number == at_once.number + 1
    assert seen(report) == seen(at_once)
    assert [p.examined for p in report.parts] == [p.examined for p in at_once.parts]


AUDIT_SLOWLY = """
import json, sys, time
import calrecords

with calrecords.connect(**json.loads(sys.argv[1])) as cal:
    def tell(part, count):
        print(part, count, flush=True)
        time.sleep(0.3)

    cal.audit(progress=tell, workers=1, grace=0)
"""


@on_disk
def test_a_killed_audit_goes_on_from_another_process(world, ingested, make_frame):
    for n in range(3, 60):
        ingested.register(make_frame(basename=f"mask-{n}", obstype="BPM", seed=n), is_master=True)
    script = [sys.executable, "-c", AUDIT_SLOWLY, json.dumps(world.places)]
    with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
        while not (line := process.stdout.readline()).startswith("store 4"):
            assert line
        with pytest.raises(RecordsUnavailableError, match="another process is at audit 1"):
            ingested.audit(grace=0)
        os.kill(process.pid, signal.SIGKILL)
    report = ingested.audit(grace=0)
    assert (report.number, report.is_finished, seen(report)) == (1, True, [])
    assert report.frames == 60


@on_disk
@pytest.mark.parametrize("what", [{"camera": "fa02"}, {"depth": "full"}, {"parts": ["store"]}])
def test_another_question_begins_an_audit_of_its_own(world, ingested, what):
    ingested.audit(time_limit=0)
    assert ingested.audit(**what).number == 2
    assert ingested.audit().number == 1


@on_disk
def test_a_scope_narrows_what_is_looked_at(world, ingested, make_frame):
    ingested.ingest(
        make_frame(basename="dark", obstype="DARK", camera="fa02", dateobs="2026-02-01T00:00:00"),
        is_master=True,
    )
    for name in ("bias-1", "dark"):
        ingested.store.delete(ingested.get(basename=name).version.stored())
    one, other = ("object missing", "bias-1.fits"), ("object missing", "dark.fits")
    for scope, frames, expected in (
        ({}, 4, [one, other]),
        ({"site": "lsc"}, 4, [one, other]),
        ({"camera": "fa01"}, 3, [one]),
        ({"obstype": "dark"}, 1, [other]),
        ({"since": "2026-02-01"}, 1, [other]),
        ({"until": "2026-02-01"}, 3, [one]),
        ({"site": "cpt"}, 0, []),
    ):
        report = ingested.audit(clock=later(), **scope)
        assert (report.frames, seen(report)) == (frames, expected)
        assert report.question.to_dict()["camera"] == scope.get("camera")


class Torn(FileSystemStore):
    """A store on a disk that cannot read some of its files, and lets some not be looked at."""

    broken: ClassVar[dict] = {}

    @contextmanager
    def open(self, stored):
        with super().open(stored) as source:
            for name, error in self.broken.items():
                if name in stored.key:
                    yield Unreadable(source, error)
                    return
            yield source


class Unreadable(io.RawIOBase):
    def __init__(self, source, error):
        super().__init__()
        self._source, self._error = source, error

    def fileno(self):
        return self._source.fileno()

    def read(self, size=-1):
        raise self._error


@on_disk
def test_a_file_that_the_disk_cannot_read_is_damaged_and_one_that_is_closed_is_told(
    world, ingested
):
    store = Torn(world.folder / "store")
    store.broken = {
        "bias-1": OSError(errno.EIO, os.strerror(errno.EIO)),
        "bias-2": OSError(errno.ESTALE, os.strerror(errno.ESTALE)),
    }
    with world.connect(store=store) as cal:
        report = cal.audit(depth="full", clock=later())
        assert seen(report) == [("object damaged", "bias-1.fits")]
        assert [(one.count, one.example) for one in report.notices] == [(1, "bias-2.fits")]
        assert (states(report)["store"], report.is_decided) == ("done", False)
        store.broken = {"bias": OSError(errno.ESTALE, os.strerror(errno.ESTALE))}
        report = cal.audit(depth="full", clock=later())
        assert (seen(report), states(report)["store"]) == ([], "not reached")


class ClosedFolder(FileSystemStore):
    """A store of which we may not enter some folders."""

    closed = ()

    def stat(self, stored):
        if stored.key.startswith(self.closed):
            msg = f"we may not enter {self.closed[0]}"
            raise FileStoreRefusedError(msg)
        return super().stat(stored)


@on_disk
def test_a_closed_folder_hides_nothing_behind_it(world, ingested, make_frame):
    for n in range(3, 8):
        ingested.ingest(make_frame(basename=f"bias-{n}", camera="kb70", seed=n), is_master=True)
    last = ingested.ingest(make_frame(basename="bias-8", seed=8), is_master=True).frame
    ingested.store.delete(last.version.stored())
    store = ClosedFolder(world.folder / "store")
    store.closed = (ingested.get(basename="bias-3").version.key.rpartition("/")[0],)
    with world.connect(store=store) as cal:
        report = cal.audit(parts=["store"], clock=later())
        assert (seen(report), states(report)) == (
            [("object missing", "bias-8.fits")],
            {"store": "done"},
        )
        assert [(one.count, one.example) for one in report.notices] == [(5, "bias-3.fits")]
        assert not report.is_decided
        store.closed = ("",)
        report = cal.audit(parts=["store"], clock=later())
        assert (seen(report), states(report)) == ([], {"store": "refused"})


@on_disk
def test_something_else_in_the_place_of_a_file_is_told_and_left_alone(world, ingested):
    own = world.folder / "store" / ".calrecords" / "versions"
    for n in (0, 1, 2):
        version = ingested.get(basename=f"bias-{n}").version
        aside = own / version.key / version.sha256
        path = world.folder / "store" / version.key if n == 0 else aside
        path.unlink()
        path.mkdir()
    report = ingested.audit(clock=later())
    assert seen(report) == [
        ("object missing", "bias-1.fits"),
        ("object missing", "bias-2.fits"),
        ("object not published", "bias-0.fits"),
    ]
    assert (states(report)["store"], report.is_decided) == ("done", True)
    done = ingested.repair(report, apply=True, force=True, clock=later())
    assert {str(one.state) for one in done.actions} == {"failed"}
    assert all("is no regular file; move it away" in one.said for one in done.actions)


class ClosedList(FileSystemStore):
    """A store that lets us read what we know of, and not look for more."""

    def listed(self, prefix="", *, after=""):
        msg = "we may not list this (s3:ListBucketVersions)"
        raise FileStoreRefusedError(msg)


@on_disk
def test_a_store_that_we_may_not_list_leaves_only_that_out(world, ingested):
    ingested.store.delete(ingested.get(basename="bias-1").version.stored())
    with world.connect(store=ClosedList(world.folder / "store")) as cal:
        report = cal.audit(clock=later())
    assert (states(report)["objects"], states(report)["cache"]) == ("refused", "done")
    assert (seen(report), report.is_finished) == ([("object missing", "bias-1.fits")], True)
    assert "s3:ListBucketVersions" in str(report)


@on_disk
def test_a_key_and_a_name_that_cannot_be_are_no_end_of_an_audit(world, ingested):
    with world.connect(db=str(world.folder / "imported.sqlite")) as cal:
        row = {"obstype": "BIAS", "site": "lsc", "camera": "fa01", "md5": "0" * 32}
        cal.import_records(
            [
                {**row, "filename": "a.fits", "key": "../../etc/passwd", "version_key": "v"},
                {**row, "basename": "b" * 1000, "extension": ".fits", "frame_id": 4711},
            ]
        )
        report = cal.audit(clock=later())
        assert set(states(report).values()) == {"done"}
        assert [str(one.kind) for one in report.findings] == [
            "frame not archived",
            "object missing",
        ]


@on_disk
def test_a_frame_that_the_archive_fails_to_describe_ends_nothing(world, ingested):
    change_frame_id(world, "bias-1", 4711)
    change_frame_id(world, "bias-2", None)
    world.archive.faults.add("500", path="/frames/4711/", times=1000)
    report = ingested.audit(clock=later())
    assert states(report)["archive"] == "done"
    assert seen(report) == [("frame ID missing", "bias-2.fits")]
    assert [(one.count, one.example) for one in report.notices] == [(1, "bias-1.fits")]


def change_frame_id(world, name, number):
    with closing(sqlite3.connect(world.places["db"])) as connection, connection:
        connection.execute(
            "UPDATE calibration_frames SET frame_id = ? WHERE basename = ?", (number, name)
        )


@on_disk
@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": "deep"},
        {"parts": ["everything"]},
        {"since": "yesterday"},
        {"grace": "soon"},
        {"time_limit": -1},
        {"workers": 0},
    ],
)
def test_what_cannot_be_meant_is_said(world, ingested, wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        ingested.audit(**wrong)


@on_disk
def test_a_report_is_a_table_text_json_and_a_frozen_value(world, ingested):
    ingested.store.delete(ingested.get(basename="bias-1").version.stored())
    report = ingested.audit(clock=later())
    table = report.to_table()
    assert list(table["kind"]) == ["object missing"]
    assert list(table["name"]) == ["bias-1.fits"]
    assert "object missing: 1; repair: store the bytes again" in str(report)
    assert "bias-1.fits" in report._repr_html_()
    said = json.loads(report.to_json())
    assert said["counts"] == {"object missing": 1}
    assert said["findings"][0]["what"]["basename"] == "bias-1"
    assert pickle.loads(pickle.dumps(report)) == report == ingested.audit_report()
    with pytest.raises(AttributeError):
        report.frames = 5
    empty = ingested.audit(parts=["cache"])
    assert isinstance(empty, AuditReport)
    assert (len(empty.to_table()), empty.to_table().colnames) == (0, table.colnames)
    with pytest.raises(RecordNotFoundError):
        ingested.audit_report(99)


OF_BIAS_0 = "calibration_frame_id = (SELECT id FROM calibration_frames WHERE basename = 'bias-0')"
NONE_IS_CURRENT = f"UPDATE frame_versions SET is_current = 0 WHERE {OF_BIAS_0}"
THE_OLDER_IS_CURRENT = (
    f"UPDATE frame_versions SET is_current = 1 "
    f"WHERE id = (SELECT min(id) FROM frame_versions WHERE {OF_BIAS_0})"
)


@on_disk
@pytest.mark.parametrize(
    "edits",
    [
        (NONE_IS_CURRENT,),
        (NONE_IS_CURRENT, "DELETE FROM ingestions"),
        (NONE_IS_CURRENT, THE_OLDER_IS_CURRENT),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"ours": True}, {"camera": "fa01"}, {"parts": ["journal"]}])
def test_a_frame_whose_newest_version_is_not_current_is_one_fault(asked, edits, world, ingested):
    with closing(sqlite3.connect(world.places["db"])) as connection, connection:
        for edit in edits:
            connection.execute(edit)
    while not (report := ingested.audit(clock=later(), time_limit=0, **asked)).is_finished:
        pass
    assert seen(report) == [("current version wrong", "bias-0.fits")]
    assert report.notices == ()
    elsewhere = ingested.audit(clock=later(), **{**asked, "camera": "fa02"})
    assert seen(elsewhere) == []


@on_disk
def test_an_audit_works_on_postgresql(world, on_postgresql, make_frame):
    with world.connect() as cal:
        cal.ingest(make_frame(), is_master=True)
        frame = cal.ingest(make_frame(basename="bias", seed=3), is_master=True).frame
        cal.store.delete(frame.version.stored())
        assert seen(cal.audit(clock=later(), time_limit=0)) == []
        report = cal.audit(clock=later())
        assert seen(report) == [("object missing", "bias.fits")]
        [action] = cal.repair(report, apply=True, force=True).actions
        assert str(action.state) == "left"


@on_disk
def test_progress_is_told(world, ingested):
    told = []
    ingested.audit(progress=lambda part, count: told.append((part, count)))
    assert ("archive", 3) in told
    assert told[-1][0] == "cache"
