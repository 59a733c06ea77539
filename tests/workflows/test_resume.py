import hashlib

import pytest

from calrecords import IngestOutcome
from calrecords.errors import DataFileNotFoundError
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


@pytest.mark.parametrize("step", [IngestStep.INTENDED, IngestStep.ARCHIVED, IngestStep.PUBLISHED])
def test_a_killed_older_version_never_replaces_a_newer_one(step, world, make_frame):
    older, newer = make_frame("one", seed=1), make_frame("two", seed=2)
    world.ingest_and_die(older, step)
    with world.connect() as cal:
        cal.ingest(newer, is_master=True)
        cal.resume()
        [(frame_id, _, versions)] = world.archived()
        current = cal.get(frame_id=frame_id)
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
        if step is IngestStep.PUT:
            assert isinstance(result.error, DataFileNotFoundError)
        else:
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
