"""A repair mends what it can, deletes only what is surely nobody's, and does no harm."""

import io
import json
import multiprocessing
import pickle
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import calrecords
from calrecords.errors import ConfigurationError
from calrecords.filestore import FileSystemStore
from calrecords.frames import digest_stream
from calrecords.workflows.results import IngestStep

HOUR = timedelta(hours=1)
on_disk = pytest.mark.parametrize("world", ["file system"], indirect=True)


def later(hours=2):
    """Return a clock by which all that there is now is old."""
    return lambda: datetime.now(UTC) + hours * HOUR


def states(repair):
    return {action.finding.name: str(action.state) for action in repair.actions}


def said(repair):
    return " ".join(action.said for action in repair.actions)


def seen(report):
    return sorted((str(one.kind), one.name) for one in report.findings)


def repaired(cal, hours=2, **named):
    """Audit, repair by force, and return what was done."""
    clock = later(hours)
    report = cal.audit(depth="full", clock=clock, anew=True, **named)
    return cal.repair(report, apply=True, force=True, clock=clock)


def records(world, *statements):
    with closing(sqlite3.connect(world.places["db"])) as connection, connection:
        for text, *values in statements:
            connection.execute(text, values)


@contextmanager
def in_archive(world):
    """Give the archive's own database, to change it behind its back."""
    kept = world.archive._store
    with kept.writing():
        yield kept._db


def put_object(cal, key, data):
    digest = digest_stream(io.BytesIO(data))
    return cal.store.put(key, io.BytesIO(data), digest)


@pytest.fixture
def ingested(world, make_frame):
    """Return a connection with three ingested frames."""
    with world.connect() as cal:
        for n in range(3):
            cal.ingest(make_frame(basename=f"bias-{n}", seed=n), is_master=True)
        yield cal


@pytest.fixture
def unknown(ingested):
    """Leave a version that nobody refers to under a key of ours, and return it."""
    return put_object(ingested, ingested.get(basename="bias-1").version.key, b"left by a race")


def is_there(cal, stored):
    return cal.store.find(stored.key, digest_stream(io.BytesIO(b"left by a race"))) == stored


def test_a_plan_changes_nothing(world, ingested, unknown):
    ingested.fetch("bias-2")
    ingested.store.delete(ingested.get(basename="bias-2").version.stored())
    before = (world.stored(), world.archived())
    ingested.audit(clock=later(2))
    report = ingested.audit(clock=later(27))
    plan = ingested.repair(report)
    assert (plan.is_applied, states(plan)) == (
        False,
        {"bias-2.fits": "planned", unknown.key: "planned"},
    )
    assert (world.stored(), world.archived()) == before
    assert seen(ingested.audit(clock=later(27))) == seen(report)


def test_only_what_two_audits_a_day_apart_have_seen_is_deleted(ingested, unknown):
    assert "only this audit has seen it" in said(repaired(ingested, 2))
    assert "less than a day before" in said(repaired(ingested, 25.9))
    assert is_there(ingested, unknown)
    assert states(repaired(ingested, 26)) == {unknown.key: "done"}
    assert not is_there(ingested, unknown)
    for n in range(3):
        assert ingested.fetch(f"bias-{n}", source="store").exists()


def test_one_audit_that_goes_on_for_days_has_seen_it_once(ingested, unknown):
    first = ingested.audit(clock=later(2), time_limit=0, parts=["objects"])
    assert (len(first.findings), first.is_finished) == (1, False)
    report = ingested.audit(clock=later(99), parts=["objects"])
    assert (report.number, report.is_finished) == (1, True)
    done = ingested.repair(report, apply=True, force=True, clock=later(99))
    assert states(done) == {unknown.key: "left"}
    assert is_there(ingested, unknown)


def test_what_came_into_use_since_is_kept(ingested, make_frame):
    path = make_frame("again", basename="bias-1", seed=7)
    stored = put_object(ingested, ingested.get(basename="bias-1").version.key, path.read_bytes())
    ingested.audit(clock=later(2))
    report = ingested.audit(clock=later(27))
    assert seen(report) == [("object unknown", stored.key)]
    ingested.ingest(path, is_master=True)
    done = ingested.repair(report, apply=True, force=True, clock=later(27))
    assert states(done) == {stored.key: "not needed"}
    assert ingested.get(basename="bias-1").version.version_key == stored.version_key
    assert ingested.fetch("bias-1", source="store").read_bytes() == path.read_bytes()


@on_disk
def test_what_an_ingestion_may_come_to_is_kept(world, ingested, make_frame):
    path = make_frame("again", basename="bias-1", seed=7)
    key = ingested.get(basename="bias-1").version.key
    stored = put_object(ingested, key, path.read_bytes())
    ingested.audit(clock=later(2))
    report = ingested.audit(clock=later(27))
    assert seen(report) == [("object unknown", key)]
    world.ingest_and_die(path, IngestStep.INTENDED)
    done = ingested.repair(report, apply=True, force=True, clock=later(99))
    assert states(done) == {key: "not needed"}
    assert ingested.store.stat(stored).size == path.stat().st_size
    ingested.resume()
    assert ingested.fetch("bias-1", source="store").read_bytes() == path.read_bytes()


def ingest_each(places, paths, ready):
    ready.wait()
    with calrecords.connect(**places) as cal:
        for path in paths:
            cal.ingest(path, is_master=True)


def test_a_repair_takes_nothing_from_those_who_ingest_meanwhile(world, make_frame):
    """Bytes of killed uploads lie there; they are ingested while a repair deletes them."""
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(20)]
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    with world.connect() as cal:
        for path in paths:
            put_object(cal, cal.open_file(path).store_key, path.read_bytes())
        cal.audit(ours=True, clock=later(2))
        report = cal.audit(ours=True, clock=later(27))
        assert len(report.findings) == 20
        process = context.Process(target=ingest_each, args=(world.places, paths, ready))
        process.start()
        ready.set()
        done = cal.repair(report, apply=True, force=True, clock=later(27))
        process.join()
        assert process.exitcode == 0
        assert set(states(done).values()) <= {"done", "not needed"}
        for path in paths:
            frame = cal.get(basename=path.stem)
            assert cal.fetch(frame, source="store").read_bytes() == path.read_bytes()
            assert cal.fetch(frame, source="archive").read_bytes() == path.read_bytes()
        assert len(world.archived()) == 20


@on_disk
def test_what_another_tool_changed_since_is_kept(world, ingested):
    key = ingested.get(basename="bias-1").version.key
    published = world.folder / "store" / key
    published.unlink()
    published.write_bytes(b"of another tool")
    ingested.audit(clock=later(2))
    report = ingested.audit(clock=later(27))
    assert seen(report) == [("object not published", "bias-1.fits"), ("object unknown", key)]
    published.write_bytes(b"of another tool, and changed")
    done = ingested.repair(report, apply=True, force=True, only=["object unknown"])
    assert states(done) == {key: "left"}
    assert published.read_bytes() == b"of another tool, and changed"


@on_disk
def test_bytes_that_the_archive_has_under_another_name_are_kept(world, ingested, unknown):
    world.archive.md5_filter_works = True
    with (
        closing(
            sqlite3.connect(world.archive._store._db.execute("PRAGMA database_list").fetchone()[2])
        ) as archive,
        archive,
    ):
        archive.execute(
            "INSERT INTO versions (frame_id, created, key, md5, extension) "
            "SELECT id, created, ?, ?, '.fits' FROM frames WHERE basename = 'bias-2'",
            ("0" * 32, unknown.md5),
        )
    ingested.audit(clock=later(2), parts=["objects"])
    done = repaired(ingested, 27, parts=["objects"])
    assert (states(done), "under another name" in said(done)) == ({unknown.key: "left"}, True)
    assert is_there(ingested, unknown)


@on_disk
def test_without_the_archive_nothing_is_deleted_that_it_might_refer_to(world, ingested, unknown):
    ingested.audit(clock=later(2))
    report = ingested.audit(clock=later(27))
    world.archive.faults.add("500", times=10_000)
    done = ingested.repair(report, apply=True, force=True, clock=later(27))
    assert states(done) == {unknown.key: "try later"}
    assert is_there(ingested, unknown)
    world.archive.faults.clear()
    assert states(ingested.repair(report, apply=True, force=True)) == {unknown.key: "done"}


@on_disk
def test_where_too_much_is_at_fault_nothing_is_touched(world, ingested):
    (world.folder / "store").rename(world.folder / "away")
    report = ingested.audit(clock=later())
    assert report.share == 1
    with pytest.raises(ConfigurationError, match=r"100\.0% .*more than 1%.*force"):
        ingested.repair(report, apply=True)
    assert not (world.folder / "store").exists()
    (world.folder / "away").rename(world.folder / "store")
    done = ingested.repair(report, apply=True, force=True)
    assert set(states(done).values()) == {"not needed"}


@on_disk
def test_an_audit_of_other_places_is_not_repaired_here(world, ingested, tmp_path):
    path = ingested.fetch("bias-1")
    path.write_bytes(b"damaged")
    report = ingested.audit(clock=later())
    other = str(tmp_path / "other")
    with world.connect(cache=other) as cal:
        done = cal.repair(report, apply=True, force=True)
        assert (states(done), "another cache" in said(done)) == ({"bias-1.fits": "left"}, True)
    with world.connect(store=other) as cal, pytest.raises(ConfigurationError, match="store"):
        cal.repair(report, apply=True, force=True)
    with (
        calrecords.connect(db=world.places["db"], store=world.places["store"]) as cal,
        pytest.raises(ConfigurationError, match="archive"),
    ):
        cal.repair(report, apply=True, force=True)


def test_a_lost_frame_is_registered_again_with_its_versions_in_order(world, ingested, make_frame):
    newer = make_frame("again", basename="bias-1", seed=7)
    ingested.ingest(newer, is_master=True)
    [(_, _, before)] = [row for row in world.archived() if row[1] == "bias-1"]
    frame_id = ingested.get(basename="bias-1").frame_id
    world.archive.backdate(frame_id, seconds=3600)
    delete_archived(world, frame_id)
    assert states(repaired(ingested)) == {"bias-1.fits": "done"}
    [(anew, _, versions)] = [row for row in world.archived() if row[1] == "bias-1"]
    assert versions == before
    frame = ingested.get(basename="bias-1")
    assert (frame.frame_id, anew != frame_id) == (anew, True)
    assert ingested.fetch(frame, source="archive").read_bytes() == newer.read_bytes()
    assert seen(ingested.audit(depth="full", clock=later(), anew=True)) == []
    assert ingested.ingest(newer, is_master=True).outcome == "already there"


def delete_archived(world, frame_id):
    import requests

    answer = requests.delete(
        f"{world.archive.root}frames/{frame_id}/",
        headers={"Authorization": f"Token {world.archive.token}"},
        timeout=10,
    )
    assert answer.status_code == 204


@on_disk
def test_an_older_version_is_not_made_the_newest_of_the_archive(world, ingested, make_frame):
    older = ingested.get(basename="bias-1").version.md5
    ingested.ingest(make_frame("again", basename="bias-1", seed=7), is_master=True)
    with in_archive(world) as archive:
        archive.execute("DELETE FROM versions WHERE md5 = ?", (older,))
    before = world.archived()
    done = repaired(ingested)
    assert (states(done), "would become the newest" in said(done)) == (
        {"bias-1.fits": "left"},
        True,
    )
    assert world.archived() == before


@on_disk
def test_frame_ids_that_were_swapped_find_their_way_back(world, ingested):
    right = [ingested.get(basename=f"bias-{n}").frame_id for n in range(3)]
    for name, number in (("bias-0", None), ("bias-1", right[0]), ("bias-0", right[1])):
        records(
            world, ("UPDATE calibration_frames SET frame_id = ? WHERE basename = ?", number, name)
        )
    assert states(repaired(ingested)) == {"bias-0.fits": "done", "bias-1.fits": "done"}
    assert [ingested.get(basename=f"bias-{n}").frame_id for n in range(3)] == right


WRONG_IN_RECORDS = {"sha256": "ab" * 32, "size": 4711}


def edit(world, name, column):
    """Change what is recorded of the bytes of a frame behind our back; return the value."""
    wrong = WRONG_IN_RECORDS[column]
    number = "(SELECT id FROM calibration_frames WHERE basename = ?)"
    change = f"UPDATE frame_versions SET {column} = ? WHERE calibration_frame_id = {number}"
    records(world, (change, wrong, name))
    return wrong


@on_disk
@pytest.mark.parametrize("column", WRONG_IN_RECORDS)
@pytest.mark.parametrize("is_cached", [False, True])
def test_a_record_that_was_edited_is_mended_by_what_was_ingested(
    world, ingested, make_frame, column, is_cached
):
    mask = ingested.register(make_frame(basename="mask", obstype="BPM"), is_master=True).frame
    frames = [ingested.get(basename="bias-1"), mask]
    for frame in frames:
        if is_cached:
            ingested.fetch(frame)
        edit(world, frame.basename, column)
    done = repaired(ingested, parts=["archive", "store", "objects"])
    assert states(done) == {"bias-1.fits": "done", "mask.fits": "done"}
    assert [ingested.get(basename=frame.basename) for frame in frames] == frames
    assert seen(ingested.audit(depth="full", clock=later(), anew=True)) == []


@on_disk
@pytest.mark.parametrize("column", WRONG_IN_RECORDS)
def test_a_record_that_nothing_else_bears_out_is_not_called_mended(world, ingested, column):
    frame = ingested.get(basename="bias-1")
    ingested.fetch(frame)
    wrong = edit(world, "bias-1", column)
    records(world, ("DELETE FROM ingestions",))
    done = repaired(ingested, parts=["store"])
    assert states(done) == {"bias-1.fits": "left"}
    assert f"{frame.version.size} bytes and SHA-256 {frame.version.sha256}" in said(done)
    assert str(wrong) in said(done)


@on_disk
def test_bytes_of_a_record_that_was_edited_are_not_taken_for_nobodys(world, ingested, make_frame):
    mask = ingested.register(make_frame(basename="mask", obstype="BPM"), is_master=True).frame
    edit(world, "mask", "sha256")
    for days in (1, 3):
        report = ingested.audit(clock=later(24 * days), anew=True)
        assert seen(report) == [("checksum wrong", "mask.fits")]
        ingested.repair(
            report, apply=True, force=True, only=["object unknown"], clock=later(24 * days)
        )
    assert ingested.store.find(mask.version.key, mask.version.stored()) is not None


def offered_for(cal, target, as_of=None):
    """Return every frame that is chosen for a target, the best one first."""
    best = cal.best(target, "BIAS", max_results=9, as_of=as_of)
    return [best.frame, *(one.frame for one in best.alternatives)]


@on_disk
def test_a_frame_that_lost_its_current_version_has_one_again(world, ingested, make_frame):
    ingested.ingest(make_frame(basename="bias-1", seed=11), is_master=True)
    ingested.register(make_frame(basename="mask", obstype="BPM"), is_master=True)
    before = [ingested.versions(name) for name in ("bias-1", "mask")]
    offered = offered_for(ingested, before[0][0])
    records(world, ("UPDATE frame_versions SET is_current = 0",))
    done = repaired(ingested)
    names = [f"{name}.fits" for name in ("bias-0", "bias-1", "bias-2", "mask")]
    assert states(done) == dict.fromkeys(names, "done")
    assert [ingested.versions(name) for name in ("bias-1", "mask")] == before
    assert ingested.get(basename="bias-1") == before[0][0]
    assert offered_for(ingested, before[0][0]) == offered
    assert seen(ingested.audit(depth="full", clock=later(), anew=True)) == []


@pytest.fixture(params=["sqlite", "postgresql"])
def behind(request, world):
    """Return a function that runs statements in the records, which are in each database in turn."""
    if request.param == "sqlite":
        yield lambda *statements: records(world, *((one,) for one in statements))
        return
    server = request.getfixturevalue("postgresql_server")
    world.db = server.migrated()
    yield lambda *statements: server.sql(world.db, *statements)
    server.give_back(world.db)


OLDER = "SELECT min(id) FROM frame_versions GROUP BY calibration_frame_id HAVING count(*) = 2"
NEWER = OLDER.replace("min", "max")
CALL_THE_OLDER_CURRENT = (
    f"UPDATE frame_versions SET is_current = (1 = 0) WHERE id IN ({NEWER})",
    f"UPDATE frame_versions SET is_current = (1 = 1) WHERE id IN ({OLDER})",
)
OFFER_THE_OLDER = (
    f"DELETE FROM selection_index WHERE version_id IN ({NEWER})",
    f"UPDATE selection_index SET known_until = NULL WHERE version_id IN ({OLDER})",
)


@on_disk
@pytest.mark.parametrize("edit_index", [(), OFFER_THE_OLDER])
def test_a_frame_of_which_an_older_version_is_current_gets_its_newest_back(
    edit_index, world, behind, make_frame
):
    with world.connect() as cal:
        for seed in (1, 2):
            cal.ingest(make_frame(basename="bias-0", seed=seed), is_master=True)
            cal.register(make_frame(basename="mask", obstype="BPM", seed=seed), is_master=True)
            cal.ingest(make_frame(basename="bias-1", seed=0), is_master=True)
        newest = cal.get(basename="bias-0")
        before = [cal.versions(name) for name in ("bias-0", "mask")]
        offered = offered_for(cal, newest)
        behind(*CALL_THE_OLDER_CURRENT, *edit_index)
        assert [cal.get(basename=name) for name in ("bias-0", "mask")] == [b for _, b in before]
        then, was_offered = datetime.now(UTC), offered_for(cal, newest)
        assert (was_offered == offered) == (not edit_index)
        names = ["bias-0.fits", "mask.fits"]
        for depth in ("quick", "full"):
            report = cal.audit(depth=depth, clock=later(), anew=True)
            assert seen(report) == [("current version wrong", name) for name in names]
        for state in ("done", "not needed"):
            done = cal.repair(report, apply=True, force=True)
            assert states(done) == dict.fromkeys(names, state)
            assert [cal.versions(name) for name in ("bias-0", "mask")] == before
            assert [cal.get(basename=name) for name in ("bias-0", "mask")] == [a for a, _ in before]
            assert offered_for(cal, newest) == offered
            assert offered_for(cal, newest, as_of=then) == was_offered
        assert seen(cal.audit(depth="full", clock=later(), anew=True)) == []


@on_disk
def test_a_frame_that_got_another_version_since_is_left_to_the_next_audit(
    world, behind, make_frame
):
    with world.connect() as cal:
        for seed in (1, 2):
            cal.ingest(make_frame(basename="bias-0", seed=seed), is_master=True)
        behind(*CALL_THE_OLDER_CURRENT)
        report = cal.audit(clock=later())
        newest = cal.ingest(make_frame(basename="bias-0", seed=3), is_master=True).frame
        assert states(cal.repair(report, apply=True, force=True)) == {"bias-0.fits": "not needed"}
        assert cal.get(basename="bias-0") == newest
        assert offered_for(cal, newest) == [newest]
        assert seen(cal.audit(depth="full", clock=later(), anew=True)) == []


@on_disk
def test_an_ingestion_that_cannot_be_read_is_not_called_ended(world, ingested):
    values = "state = 'stored', facts = '{\"unheard of\": 1}'"
    records(world, (f"UPDATE ingestions SET {values} WHERE basename = 'bias-1'",))
    done = repaired(ingested, parts=["journal"])
    assert states(done) == {"bias-1.fits": "left"}
    assert "cannot be read; ingest it again" in said(done)


def test_bytes_come_back_from_a_copy_of_another_name(world, ingested, make_frame):
    path = make_frame(basename="mask", obstype="BPM")
    ingested.register(path, is_master=True)
    path.rename(path.with_name("copy.fits"))
    ingested.register(path.with_name("copy.fits"), is_master=True)
    ingested.store.delete(ingested.get(basename="mask").version.stored())
    assert states(repaired(ingested)) == {"mask.fits": "done"}
    data = path.with_name("copy.fits").read_bytes()
    assert ingested.fetch("mask", source="store").read_bytes() == data
    assert world.published()[ingested.get(basename="mask").version.key]
    assert seen(ingested.audit(depth="full", clock=later(), anew=True)) == []


class Interrupted(FileSystemStore):
    """A store beside which something happens after each time that bytes are put into it."""

    meanwhile = None

    def put(self, *arguments, **named):
        stored = super().put(*arguments, **named)
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()
        return stored


@on_disk
@pytest.mark.parametrize("verb", ["ingest", "register"])
def test_what_came_meanwhile_stays_published(world, ingested, make_frame, verb):
    take = getattr(ingested, verb)
    older, newer = (make_frame(str(n), basename="flat", seed=n) for n in (7, 8))
    take(older, is_master=True)
    ingested.fetch("flat")
    ingested.store.delete(ingested.get(basename="flat").version.stored())
    store = Interrupted(world.folder / "store")
    with world.connect(store=store) as cal:
        store.meanwhile = lambda: take(newer, is_master=True)
        assert states(repaired(cal)) == {"flat.fits": "done"}
    current, before = ingested.versions("flat")
    assert (world.folder / "store" / current.version.key).read_bytes() == newer.read_bytes()
    for version, path in ((current, newer), (before, older)):
        assert ingested.fetch(version, source="store").read_bytes() == path.read_bytes()


@on_disk
def test_a_cache_that_is_only_read_is_left_as_it_is(world, ingested, monkeypatch):
    path = ingested.fetch("bias-1")
    path.write_bytes(b"x" * path.stat().st_size)
    monkeypatch.setenv("CALRECORDS_CACHE_READ_ONLY", "true")
    with world.connect() as cal:
        done = repaired(cal)
        assert (states(done), "only read" in said(done)) == ({"bias-1.fits": "left"}, True)
    assert path.read_bytes() == b"x" * path.stat().st_size


@on_disk
def test_a_damaged_copy_stays_where_none_better_can_be_had(world, ingested):
    path = ingested.fetch("bias-1")
    path.write_bytes(path.read_bytes()[:-1])
    short = path.read_bytes()
    ingested.store.delete(ingested.get(basename="bias-1").version.stored())
    done = repaired(ingested, parts=["cache"])
    assert (states(done), "stays as it is" in said(done)) == ({"bias-1.fits": "left"}, True)
    assert path.read_bytes() == short


@on_disk
def test_what_is_refused_or_broken_is_said_fault_by_fault(world, ingested, make_frame):
    path = make_frame(basename="bias-9", seed=9)
    world.ingest_and_die(path, IngestStep.INTENDED)
    path.unlink()
    records(
        world,
        ("UPDATE calibration_frames SET frame_id = NULL WHERE basename = 'bias-1'",),
    )
    done = repaired(ingested)
    assert states(done) == {"bias-9.fits": "failed", "bias-1.fits": "done"}
    assert "bias-9.fits" in said(done)
    assert [failed.path for failed in ingested.failed_ingestions()] == [str(path)]
    assert seen(ingested.audit(clock=later(), anew=True)) == []


def test_a_repair_is_a_table_text_json_and_a_frozen_value(ingested, unknown):
    report = ingested.audit(clock=later())
    plan = ingested.repair(report)
    assert list(plan.to_table()["state"]) == ["left"]
    assert str(plan).splitlines()[:3] == [
        "plan to repair what audit 1 found: 1 left",
        "",
        "object unknown:",
    ]
    assert unknown.key in plan._repr_html_()
    assert json.loads(plan.to_json())["actions"][0]["name"] == unknown.key
    assert pickle.loads(pickle.dumps(plan)) == plan == ingested.repair() == ingested.repair(1)
    with pytest.raises(AttributeError):
        plan.audit = 5


def test_progress_is_told(ingested, unknown):
    told = []
    report = ingested.audit(clock=later())
    ingested.repair(report, apply=True, force=True, progress=told.append)
    assert [action.finding.name for action in told] == [unknown.key]
