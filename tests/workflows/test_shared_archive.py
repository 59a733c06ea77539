"""Pipelines that share an archive and a store do not hide each other's frames."""

import hashlib

import pytest

from calrecords.archive import ArchiveClient, default_retrying
from calrecords.errors import DuplicateRecordError
from calrecords.workflows.results import IngestStep

on_disk = pytest.mark.parametrize("world", ["file system"], indirect=True)


class PowerCutError(BaseException):
    pass


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def ingest_and_raise(world, path, step):
    """Ingest until a step is reached, in a process that then ends in order."""

    def cut(reached):
        if reached is step:
            raise PowerCutError

    with world.connect(on_step=cut) as cal, pytest.raises(PowerCutError):
        cal.ingest(path, is_master=True)


def kill(world, path, step):
    world.ingest_and_die(path, step)


@pytest.fixture
def elsewhere(world, tmp_path):
    """Return what ingests a file into the same archive and store, with other records."""

    def ingest(path):
        with world.connect(db=tmp_path / "elsewhere.sqlite") as cal:
            return cal.ingest(path, is_master=True).frame

    return ingest


@pytest.fixture
def impatient(world):
    """Return a client that tries as often as usual, without waiting in between."""
    policy = default_retrying().copy(sleep=lambda _seconds: None)
    with ArchiveClient(world.archive.root, world.archive.token, retrying=policy) as client:
        yield client


def shown(world, cal, frame_id):
    """Return what readers of the store find, and what the archive gives as its newest."""
    newest = cal.lookup(frame_id).version.md5
    cal.adopt(frame_id)
    path = cal.fetch(cal.get(frame_id=frame_id, md5=newest), source="archive")
    return set(world.published().values()), {md5_of(path)}


@pytest.mark.parametrize("end", [ingest_and_raise, kill])
@pytest.mark.parametrize("step", [IngestStep.REGISTERED, IngestStep.ARCHIVED])
def test_a_resumed_version_does_not_hide_a_newer_one_of_another_pipeline(
    end, step, world, make_frame, elsewhere
):
    older, newer = make_frame("one", seed=1), make_frame("two", seed=2)
    end(world, older, step)
    frame_id = elsewhere(newer).frame_id
    with world.connect() as cal:
        [result] = cal.resume()
        assert (result.error, result.frame_id) == (None, frame_id)
        assert shown(world, cal, frame_id) == ({md5_of(newer)}, {md5_of(newer)})
        assert cal.fetch(result).read_bytes() == older.read_bytes()


def test_an_older_version_that_the_archive_has_is_recorded_and_stays_in_the_background(
    world, make_frame, elsewhere
):
    older, newer = make_frame("one", seed=1), make_frame("two", seed=2)
    elsewhere(older)
    frame_id = elsewhere(newer).frame_id
    with world.connect() as cal:
        assert cal.ingest(older, is_master=True).frame_id == frame_id
        assert shown(world, cal, frame_id) == ({md5_of(newer)}, {md5_of(newer)})


@on_disk
def test_a_registered_version_does_not_hide_the_one_that_the_archive_has(world, make_frame):
    archived, local = make_frame("one", seed=1), make_frame("two", seed=2)
    with world.connect() as cal:
        frame_id = cal.ingest(archived, is_master=True).frame_id
        registered = cal.register(local, is_master=True).frame
        assert registered == cal.get(frame_id=frame_id)
        assert shown(world, cal, frame_id) == ({md5_of(archived)}, {md5_of(archived)})
        assert cal.fetch(registered).read_bytes() == local.read_bytes()


@on_disk
def test_an_ingestion_ends_where_another_cameras_frame_was_registered_meanwhile(
    world, make_frame, impatient
):
    first = make_frame("one", camera="fa01", basename="bpm", seed=1)
    second = make_frame("two", camera="fa02", basename="bpm", seed=2)
    world.ingest_and_die(first, IngestStep.INTENDED)
    with world.connect(archive=impatient) as cal:
        world.archive.faults.add("reset", times=1000)
        cal.register(second, is_master=True)
        world.archive.faults.clear()
        [result] = cal.resume()
        assert isinstance(result.error, DuplicateRecordError)
        assert cal.resume() == []
        assert [failed.path for failed in cal.failed_ingestions()] == [str(first)]
        assert cal.get(basename="bpm").camera == "fa02"
    assert world.archived() == []
    assert set(world.published().values()) == {md5_of(second)}


@on_disk
def test_a_refused_name_is_no_lost_record(world, make_frame, elsewhere):
    theirs = make_frame("one", camera="fa02", basename="bpm", seed=1)
    ours = make_frame("two", camera="fa01", basename="bpm", seed=2)
    elsewhere(theirs)
    with world.connect() as cal:
        cal.ingest(make_frame("three", camera="fa02", basename="bias", seed=3), is_master=True)
        with pytest.raises(DuplicateRecordError, match="fa02"):
            cal.ingest(ours, is_master=True)
        report = cal.audit(grace=0)
        assert list(report.findings) == []
        assert "bpm" in [one.example for one in report.notices]


@on_disk
def test_what_another_pipeline_published_is_no_fault_of_a_registered_frame(
    world, make_frame, elsewhere
):
    local, archived = make_frame("one", seed=1), make_frame("two", seed=2)
    with world.connect() as cal:
        cal.register(local, is_master=True)
        frame_id = elsewhere(archived).frame_id
        report = cal.audit(grace=0)
        assert list(report.findings) == []
        assert shown(world, cal, frame_id) == ({md5_of(archived)}, {md5_of(archived)})
