import hashlib
import shutil
import sqlite3
from contextlib import closing

import pytest

import calrecords
from calrecords import ArchiveClient, IngestOutcome
from calrecords.archive import default_retrying
from calrecords.errors import ConfigurationError, DataFileNotFoundError, DuplicateRecordError
from calrecords.testing import LoopbackS3
from calrecords.workflows.results import IngestStep


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("step", list(IngestStep))
def test_a_killed_ingestion_is_resumed_as_if_nothing_had_happened(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    with world.connect() as cal:
        results = cal.resume()
        if step is IngestStep.RECORDED:
            assert results == []
        else:
            [result] = results
            assert result.error is None
            assert result.outcome in {IngestOutcome.INGESTED, IngestOutcome.ALREADY_THERE}
        [row] = cal.query()
        frame = cal.get(frame_id=row["frame_id"])
        key = frame.version.key
        assert world.stored() == {key: [md5_of(path)]}
        assert world.published() == {key: md5_of(path)}
        assert world.archived() == [(frame.frame_id, frame.basename, [md5_of(path)])]
        assert world.strays() == []
        for source in ("store", "archive"):
            assert cal.fetch(frame, source=source).read_bytes() == path.read_bytes()
        assert cal.resume() == []
        assert cal.ingest(path, is_master=True).outcome is IngestOutcome.ALREADY_THERE


@pytest.mark.parametrize("step", list(IngestStep))
def test_ingesting_again_completes_what_was_killed(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    with world.connect() as cal:
        frame = cal.ingest(path, is_master=True).frame
        assert cal.resume() == []
        assert world.stored() == {frame.version.key: [md5_of(path)]}
        assert world.archived() == [(frame.frame_id, frame.basename, [md5_of(path)])]
        assert world.strays() == []


@pytest.mark.parametrize("step", list(IngestStep))
def test_a_killed_older_version_never_replaces_a_newer_one(step, world, make_frame):
    older, newer = make_frame("one", seed=1), make_frame("two", seed=2)
    world.ingest_and_die(older, step)
    with world.connect() as cal:
        cal.ingest(newer, is_master=True)
        cal.resume()
        [(frame_id, _, versions)] = world.archived()
        current = cal.get(frame_id=frame_id)
        assert versions == [md5_of(newer), md5_of(older)]
        assert versions[0] == current.version.md5 == world.published()[current.version.key]
        assert {v.version.md5 for v in cal.versions(current)} == {md5_of(older), md5_of(newer)}
        for version, path in ((md5_of(older), older), (md5_of(newer), newer)):
            frame = cal.get(basename=current.basename, md5=version)
            assert cal.fetch(frame).read_bytes() == path.read_bytes()


def test_a_source_that_went_away_before_its_bytes_were_stored_is_a_stated_failure(
    world, make_frame
):
    path = make_frame()
    world.ingest_and_die(path, IngestStep.INTENDED)
    path.unlink()
    with world.connect() as cal:
        [result] = cal.resume()
        assert result.outcome is IngestOutcome.FAILED
        assert isinstance(result.error, DataFileNotFoundError)
        assert [failed.path for failed in cal.failed_ingestions()] == [str(path)]
        assert cal.resume() == []
    assert world.stored() == {}


@pytest.mark.parametrize("step", [IngestStep.PUT, IngestStep.STORED, IngestStep.REGISTERED])
def test_a_source_that_went_away_after_its_bytes_were_stored_is_not_missed(step, world, make_frame):
    path = make_frame()
    data = path.read_bytes()
    world.ingest_and_die(path, step)
    path.unlink()
    with world.connect() as cal:
        [result] = cal.resume()
        assert cal.fetch(result).read_bytes() == data


def test_an_archive_that_is_down_is_waited_for(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        world.archive.faults.add("500", method="POST", times=1000)
        with pytest.raises(Exception, match="500") as raised:
            cal.ingest(path, is_master=True)
        assert raised.type.__name__ == "ArchiveUnavailableError"
        world.archive.faults.clear()
        [result] = cal.resume()
        assert result.outcome is IngestOutcome.INGESTED
        assert world.archived() == [(result.frame_id, result.frame.basename, [md5_of(path)])]
        assert list(world.stored().values()) == [[md5_of(path)]]


def lose_the_store(world):
    """Take away what the store has, as an unmounted disk or a wrong setting does."""
    aside = world.folder / "aside"
    (world.folder / "store").rename(aside)
    return aside


@pytest.mark.parametrize("world", ["file system"], indirect=True)
@pytest.mark.parametrize("step", [IngestStep.STORED, IngestStep.REGISTERED, IngestStep.ARCHIVED])
def test_bytes_that_the_store_lost_meanwhile_are_put_again(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    lose_the_store(world)
    with world.connect() as cal:
        [result] = cal.resume()
        assert result.error is None
        assert result.frame.version.key is not None
        for source in ("store", "archive"):
            assert cal.fetch(result, source=source).read_bytes() == path.read_bytes()
    assert world.archived() == [(result.frame_id, result.frame.basename, [md5_of(path)])]


@pytest.mark.parametrize("world", ["file system"], indirect=True)
@pytest.mark.parametrize("step", [IngestStep.STORED, IngestStep.REGISTERED, IngestStep.ARCHIVED])
def test_without_store_and_source_it_stays_to_be_resumed(step, world, make_frame):
    path = make_frame()
    data = path.read_bytes()
    world.ingest_and_die(path, step)
    path.unlink()
    aside = lose_the_store(world)
    with world.connect() as cal:
        assert [result.outcome for result in cal.resume()] == [IngestOutcome.FAILED]
    shutil.rmtree(world.folder / "store", ignore_errors=True)
    aside.rename(world.folder / "store")
    with world.connect() as cal:
        [result] = cal.resume()
        assert cal.fetch(result, source="archive").read_bytes() == data
    assert [versions for _, _, versions in world.archived()] == [[result.frame.version.md5]]


@pytest.mark.parametrize("world", ["S3"], indirect=True)
@pytest.mark.parametrize("step", [IngestStep.REGISTERED, IngestStep.ARCHIVED])
def test_what_is_archived_from_another_store_is_recorded_without_a_key(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    before = world.stored()
    with LoopbackS3() as other, world.connect(store=f"s3://{other.bucket}") as cal:
        [result] = cal.resume()
        assert result.frame.version.key is None
        assert cal.fetch(result).read_bytes() == path.read_bytes()
        assert other.object_keys() == []
    assert world.stored() == before


@pytest.mark.parametrize("world", ["file system"], indirect=True)
@pytest.mark.parametrize("step", [IngestStep.STORED, IngestStep.ARCHIVED, IngestStep.RECORDED])
def test_bytes_that_the_store_cut_short_are_put_again(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    for held in (world.folder / "store").rglob("*"):
        if held.is_file():
            held.chmod(0o644)
            held.write_bytes(b"")
    with world.connect() as cal:
        cal.resume()
        result = cal.ingest(path, is_master=True)
        for source in ("store", "archive"):
            assert cal.fetch(result, source=source).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("step", [step for step in IngestStep if step is not IngestStep.RECORDED])
def test_a_wrong_setting_or_right_never_ends_an_ingestion(step, world, make_frame):
    path = make_frame()
    world.ingest_and_die(path, step)
    database = world.places["db"]
    powerless = world.archive.add_user(is_staff=True, is_superuser=False)
    with calrecords.connect(db=database, store=world.places["store"]) as nowhere:
        [result] = nowhere.resume()
        assert isinstance(result.error, ConfigurationError)
    with world.connect(token="0" * 40) as stranger:
        stranger.resume()
    policy = default_retrying().copy(sleep=lambda _seconds: None)
    client = ArchiveClient(world.archive.root, powerless, retrying=policy)
    with client, world.connect(archive=client) as weak:
        weak.resume()
    with world.connect() as cal:
        cal.resume()
        [row] = cal.query()
        assert cal.fetch(row["frame_id"], source="archive").read_bytes() == path.read_bytes()
        assert cal.resume() == cal.failed_ingestions() == []
    assert [versions for _, _, versions in world.archived()] == [[md5_of(path)]]
    assert list(world.stored().values()) == [[md5_of(path)]]


def test_another_cameras_frame_is_not_overwritten_by_a_resumed_one(world, make_frame):
    first = make_frame("one", camera="fa01", basename="bpm", seed=1)
    second = make_frame("two", camera="fa02", basename="bpm", seed=2)
    world.ingest_and_die(first, IngestStep.STORED)
    with world.connect() as cal:
        with pytest.raises(DuplicateRecordError, match="camera"):
            cal.ingest(second, is_master=True)
        assert cal.resume() == []
        assert cal.get(basename="bpm").camera == "fa01"
    assert [versions for _, _, versions in world.archived()] == [[md5_of(first)]]


def test_ingesting_a_killed_registration_goes_on_to_the_archive(world, make_frame):
    class PowerCutError(BaseException):
        pass

    def cut(reached):
        if reached is IngestStep.PUBLISHED:
            raise PowerCutError

    path = make_frame()
    with world.connect(on_step=cut) as cal, pytest.raises(PowerCutError):
        cal.register(path, is_master=True)
    with world.connect() as cal:
        result = cal.ingest(path, is_master=True)
        assert (result.outcome, result.frame_id) == (IngestOutcome.INGESTED, 1)
        assert cal.resume() == []
    assert world.archived() == [(1, result.frame.basename, [md5_of(path)])]


def test_one_unreadable_row_does_not_keep_the_others_from_being_resumed(world, make_frame, caplog):
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(2)]
    for path in paths:
        world.ingest_and_die(path, IngestStep.INTENDED)
    with closing(sqlite3.connect(world.places["db"])) as connection:
        connection.execute("""UPDATE ingestions SET facts = '{"colour": 1}' WHERE id = 1""")
        connection.commit()
    with world.connect() as cal:
        assert [result.path for result in cal.resume()] == [str(paths[1])]
        assert "passed over" in caplog.text
        assert cal.ingest(paths[0], is_master=True).outcome is IngestOutcome.INGESTED


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_failed_ingestion_goes_on_once_its_bytes_turn_up(world, make_frame):
    path = make_frame()
    data = path.read_bytes()
    world.ingest_and_die(path, IngestStep.INTENDED)
    path.unlink()
    with world.connect() as cal:
        assert [result.outcome for result in cal.resume()] == [IngestOutcome.FAILED]
        assert cal.resume() == []
        assert [failed.path for failed in cal.failed_ingestions()] == [str(path)]
        path.write_bytes(data)
        version = world.folder / "store" / cal.open_file(path).store_key
        version.parent.mkdir(parents=True, exist_ok=True)
        path.rename(version)
        [result] = cal.resume()
        assert (result.path, result.error) == (str(path), None)
        assert cal.fetch(result).read_bytes() == data
        assert cal.failed_ingestions() == []
