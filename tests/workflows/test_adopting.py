"""Frames that the archive has, and our records do not."""

import pytest

from calrecords import IngestOutcome
from calrecords.errors import (
    ConfigurationError,
    DuplicateRecordError,
    FrameNotFoundError,
    StoredFileNotFoundError,
)
from calrecords.frames import FrameVersion

FACTS = (
    *("frame_id", "basename", "obstype", "is_master", "reduction_level", "site", "camera"),
    *("instrument", "filter", "binning", "configuration_mode", "exposure_time"),
    *("ccd_temperature", "dateobs", "dayobs", "created", "attributes"),
)


def facts_of(frame):
    return {name: getattr(frame, name) for name in FACTS}


@pytest.fixture
def elsewhere(world, tmp_path):
    """Return what ingests a file into the same archive, with other records."""

    def ingest(path, **said):
        with world.connect(db=tmp_path / "elsewhere.sqlite") as cal:
            return cal.ingest(path, **said).frame

    return ingest


@pytest.mark.parametrize(
    "name",
    [
        "bias_kb70_20151221_bin2x2.fits.fz",
        "coj1m011-fl08-20151216-0083-d00.fits.fz",
        "cpt1m010-kb70-20151219-0073-e10_cat.fits.fz",
        "flat_kb70_20151222_SKYFLAT_bin2x2_ip.fits",
    ],
)
@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_an_adopted_frame_has_the_facts_that_ingesting_it_gave(name, world, elsewhere, shared_data):
    there = elsewhere(shared_data / "lco" / name)
    with world.connect() as cal:
        world.archive.clear_requests()
        result = cal.adopt(there.frame_id)
        assert [one.partition("?")[0] for _, one in world.archive.requests] == [
            f"/frames/{there.frame_id}/",
            f"/frames/{there.frame_id}/headers/",
        ]
        assert (result.outcome, result.path) == (IngestOutcome.ADOPTED, name)
        assert facts_of(result.frame) == facts_of(there)
        assert result.frame == cal.get(frame_id=there.frame_id)


def test_what_is_not_known_without_the_bytes_is_learned_at_the_first_fetch(
    world, elsewhere, make_frame, caplog
):
    path = make_frame()
    there = elsewhere(path)
    whole = there.version
    with world.connect() as cal:
        frame = cal.adopt(there.frame_id).frame
        assert frame.version == FrameVersion(
            whole.version_key, whole.md5, None, None, ".fits", whole.key
        )
        with caplog.at_level("INFO", logger="calrecords"):
            assert cal.fetch(frame).read_bytes() == path.read_bytes()
        assert "the archive's md5" in caplog.text
        assert cal.get(frame_id=frame.frame_id).version == whole


def test_adopting_again_changes_nothing_and_costs_one_request(world, elsewhere, make_frame):
    there = elsewhere(make_frame())
    with world.connect() as cal:
        first = cal.adopt(there.frame_id)
        world.archive.clear_requests()
        again = cal.adopt(there.frame_id)
        assert (again.outcome, again.frame) == (IngestOutcome.ALREADY_THERE, first.frame)
        assert len(world.archive.requests) == 1


def test_ingesting_an_adopted_frame_finds_it_and_completes_its_record(world, elsewhere, make_frame):
    path = make_frame()
    there = elsewhere(path)
    before = (world.stored(), world.archived())
    with world.connect() as cal:
        cal.adopt(there.frame_id)
        world.archive.clear_requests()
        result = cal.ingest(path)
        assert (result.outcome, result.frame) == (IngestOutcome.ALREADY_THERE, there)
        assert world.archive.requests == []
    assert (world.stored(), world.archived()) == before


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_version_that_our_store_has_not_is_recorded_without_a_key(
    world, elsewhere, make_frame, tmp_path
):
    path = make_frame()
    there = elsewhere(path)
    with world.connect(store=tmp_path / "another") as cal:
        frame = cal.adopt(there.frame_id).frame
        assert frame.version.key is None
        assert cal.fetch(frame).read_bytes() == path.read_bytes()
        assert cal.ingest(path).frame == there
        assert cal.fetch(frame, source="archive").read_bytes() == path.read_bytes()
        completed = cal.get(frame_id=there.frame_id)
        assert cal.fetch(completed, source="store").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_only_the_newest_version_is_adopted(world, elsewhere, make_frame):
    elsewhere(make_frame("one", seed=1))
    newest = elsewhere(make_frame("two", seed=2))
    with world.connect() as cal:
        frame = cal.adopt(newest.frame_id).frame
        assert frame.version.md5 == newest.version.md5
        assert cal.versions(frame) == [frame]


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_newer_version_is_adopted_beside_the_recorded_one(world, elsewhere, make_frame):
    one, two = make_frame("one", seed=1), make_frame("two", seed=2)
    elsewhere(one)
    with world.connect() as cal:
        first = cal.ingest(one).frame
        newest = elsewhere(two)
        result = cal.adopt(first.frame_id)
        assert result.outcome is IngestOutcome.ADOPTED
        assert [f.version.md5 for f in cal.versions(first)] == [
            newest.version.md5,
            first.version.md5,
        ]


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_what_is_said_of_a_frame_goes_before_its_header(world, elsewhere, make_frame):
    there = elsewhere(make_frame(is_master=False))
    with world.connect() as cal:
        frame = cal.adopt(there.frame_id, is_master=True, metadata={"FILTER": "rp"}).frame
        assert (frame.is_master, frame.filter) == (True, "rp")


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_another_frames_basename_is_not_taken(world, elsewhere, make_frame, tmp_path):
    there = elsewhere(make_frame("one", basename="mask", camera="fa01"))
    with world.connect() as cal:
        cal.register(make_frame("two", basename="mask", camera="fa02"))
        with pytest.raises(DuplicateRecordError, match=r"camera 'fa02'.*'fa01'"):
            cal.adopt(there.frame_id)
        assert cal.get(basename="mask").frame_id is None


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_registered_frame_that_is_adopted_gets_its_frame_id(world, elsewhere, make_frame):
    path = make_frame()
    there = elsewhere(path)
    with world.connect() as cal:
        registered = cal.register(path).frame
        result = cal.adopt(there.frame_id)
        assert (registered.frame_id, result.frame) == (None, there)


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_what_the_archive_has_not_cannot_be_adopted(world, elsewhere, make_frame, tmp_path):
    elsewhere(make_frame(extra={"L1IDBIAS": "a-placeholder.fits"}))
    with world.connect() as cal:
        with pytest.raises(FrameNotFoundError):
            cal.adopt(4711)
        [placeholder] = [f["id"] for f in world.archive.frames() if not f["versions"]]
        with pytest.raises((FrameNotFoundError, StoredFileNotFoundError)):
            cal.adopt(placeholder)
        assert len(cal.query()) == 0
    with world.connect(archive=None, db=tmp_path / "none.sqlite") as cal:
        cal.archive = None
        with pytest.raises(ConfigurationError, match="API_ROOT"):
            cal.adopt(1)
