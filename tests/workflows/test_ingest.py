import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from calrecords import IngestOutcome
from calrecords.errors import (
    ArchiveRefusedError,
    ChecksumMismatchError,
    DataFileNotFoundError,
    DuplicateRecordError,
    InvalidKeywordError,
    SchemaError,
    VersionExistsError,
)
from calrecords.testing import ScienceArchive
from calrecords.workflows.results import IngestStep

REAL_FRAMES = [
    "bias_kb70_20151221_bin2x2.fits",
    "bias_kb70_20151221_bin2x2.fits.fz",
    "coj1m011-fl08-20151216-0049-b00.fits.fz",
    "coj1m011-fl08-20151216-0083-d00.fits.fz",
    "coj1m011-kb05-20150219-0125-e90.fits",
    "coj1m011-kb05-20150219-0125-e90.fits.fz",
    "cpt1m010-kb70-20151219-0073-e10.fits.fz",
    "cpt1m010-kb70-20151219-0073-e10_cat.fits.fz",
    "cpt1m012-fl10-20151216-0044-f00.fits.fz",
    "dark_kb70_20151222_bin2x2.fits",
    "dark_kb70_20151222_bin2x2.fits.fz",
    "flat_kb70_20151222_SKYFLAT_bin2x2_ip.fits",
    "flat_kb70_20151222_SKYFLAT_bin2x2_ip.fits.fz",
    "lsc1m005-kb78-20151109-0179-e90.fits.fz",
]


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_every_real_frame_is_listed(shared_data):
    assert sorted(path.name for path in (shared_data / "lco").glob("*.f*")) == REAL_FRAMES


@pytest.mark.parametrize("name", REAL_FRAMES)
def test_a_real_frame_comes_back_byte_for_byte(name, world, shared_data):
    path = shared_data / "lco" / name
    with world.connect() as cal:
        result = cal.ingest(path)
        world_after = (world.stored(), world.published(), world.archived())
        again = cal.ingest(path)
        assert result.outcome is IngestOutcome.INGESTED
        assert (again.outcome, again.frame) == (IngestOutcome.ALREADY_THERE, result.frame)
        assert (world.stored(), world.published(), world.archived()) == world_after
        key = result.frame.version.key
        assert world.stored() == {key: [md5_of(path)]}
        assert world.published() == {key: md5_of(path)}
        assert world.archived() == [(result.frame_id, result.frame.basename, [md5_of(path)])]
        for source in (None, "store", "archive"):
            assert cal.fetch(result.frame_id, source=source).read_bytes() == path.read_bytes()
        assert cal.lookup(result.frame_id).basename == result.frame.basename
        assert [one.version for one in cal.versions(result)] == [result.frame.version]
    assert world.strays() == []


def test_new_bytes_under_a_basename_become_a_version_and_old_bytes_stay(world, make_frame):
    first = make_frame("one", seed=1)
    second = make_frame("two", seed=2)
    assert first.name == second.name
    with world.connect() as cal:
        one = cal.ingest(first, is_master=True)
        two = cal.ingest(second, is_master=True)
        assert (one.outcome, two.outcome) == (IngestOutcome.INGESTED, IngestOutcome.NEW_VERSION)
        assert one.frame_id == two.frame_id
        assert [v.version for v in cal.versions(one)] == [two.frame.version, one.frame.version]
        assert cal.get(frame_id=one.frame_id) == two.frame
        assert cal.fetch(one.frame).read_bytes() == first.read_bytes()
        assert cal.fetch(two.frame).read_bytes() == second.read_bytes()
        assert cal.fetch(one.frame, source="store").read_bytes() == first.read_bytes()
        assert cal.fetch(two.frame, source="archive").read_bytes() == second.read_bytes()
        assert cal.ingest(first, is_master=True).frame == one.frame
    assert world.archived() == [(one.frame_id, one.frame.basename, [md5_of(second), md5_of(first)])]
    assert world.published() == {two.frame.version.key: md5_of(second)}


def test_the_two_names_of_one_frame_are_one_record(world, shared_data):
    plain = shared_data / "lco" / "dark_kb70_20151222_bin2x2.fits"
    packed = plain.with_name(plain.name + ".fz")
    with world.connect() as cal:
        one, two = cal.ingest(plain, is_master=True), cal.ingest(packed, is_master=True)
        assert one.frame_id == two.frame_id
        assert len(cal.query()) == 1
        assert cal.fetch(one.frame).read_bytes() == plain.read_bytes()
        assert cal.fetch(two.frame).read_bytes() == packed.read_bytes()


def test_what_only_the_archive_has_is_taken_over_without_an_upload(world, make_frame, tmp_path):
    path = make_frame()
    with world.connect() as cal:
        first = cal.ingest(path, is_master=True)
    before = (world.stored(), world.archived())
    world.archive.clear_requests()
    with world.connect(db=tmp_path / "other.sqlite") as cal:
        second = cal.ingest(path, is_master=True)
        assert second.outcome is IngestOutcome.ALREADY_THERE
        assert second.frame == first.frame
    assert [method for method, _ in world.archive.requests] == ["OPTIONS", "GET"]
    assert (world.stored(), world.archived()) == before


def test_a_new_frame_costs_two_requests_and_a_known_one_none(world, make_frame):
    with world.connect() as cal:
        cal.ingest(make_frame(obstype="BIAS"), is_master=True)
        world.archive.clear_requests()
        path = make_frame(obstype="DARK", exposure_time=300.0)
        frame = cal.ingest(path, is_master=True).frame
        assert [method for method, _ in world.archive.requests] == ["GET", "POST"]
        world.archive.clear_requests()
        cal.ingest(path, is_master=True)
        cal.get(frame_id=frame.frame_id)
        cal.fetch(frame)
        cal.fetch(frame)
        assert world.archive.requests == []


def test_facts_that_the_archive_cannot_tell_are_recorded(world, make_frame):
    path = make_frame(obstype="SKYFLAT", filter="rp", exposure_time=9.5, binning="2x2")
    with world.connect() as cal:
        frame = cal.ingest(path, is_master=True).frame
        assert (frame.obstype, frame.filter, str(frame.binning)) == ("SKYFLAT", "rp", "2x2")
        assert (frame.exposure_time, frame.is_master, frame.site) == (9.5, True, "lsc")
        assert (frame.version.md5, frame.version.size) == (md5_of(path), path.stat().st_size)
        [row] = cal.query(obstype="skyflat", filter="rp", binning="2 2")
        assert row["frame_id"] == frame.frame_id


def test_another_cameras_frame_is_not_replaced(world, make_frame):
    with world.connect() as cal:
        frame = cal.ingest(make_frame("one", camera="fa01", basename="bpm"), is_master=True).frame
        before = (world.stored(), world.published(), world.archived())
        with pytest.raises(DuplicateRecordError, match=r"bpm.*camera 'fa01'.*'fa02'"):
            cal.ingest(make_frame("two", camera="fa02", basename="bpm"), is_master=True)
        assert cal.get(basename="bpm") == frame
    assert (world.stored(), world.published(), world.archived()) == before


def test_another_cameras_frame_in_the_archive_is_not_replaced(world, make_frame, tmp_path):
    with world.connect() as cal:
        cal.ingest(make_frame("one", camera="fa01", basename="bpm"), is_master=True)
    before = (world.stored(), world.published(), world.archived())
    with (
        world.connect(db=tmp_path / "other.sqlite") as cal,
        pytest.raises(DuplicateRecordError, match=r"camera 'fa01'.*'fa02'"),
    ):
        cal.ingest(make_frame("two", camera="fa02", basename="bpm"), is_master=True)
    assert (world.stored(), world.published(), world.archived()) == before


def test_a_refused_registration_leaves_the_good_bytes(world, make_frame):
    first, second = make_frame("one", seed=1), make_frame("two", seed=2)
    with world.connect() as cal:
        one = cal.ingest(first, is_master=True)
        before = (world.stored(), world.published(), world.archived())
        staff_only = world.archive.add_user(is_staff=True, is_superuser=False)
        with (
            world.connect(token=staff_only) as powerless,
            pytest.raises(ArchiveRefusedError),
        ):
            powerless.ingest(second, is_master=True)
        assert (world.stored(), world.published(), world.archived()) == before
        assert cal.fetch(one.frame, source="archive").read_bytes() == first.read_bytes()


def test_bytes_that_the_archive_has_under_another_name_are_refused_and_taken_back(
    world, make_frame
):
    path = make_frame()
    other = shutil.copy(path, path.with_name("another-name.fits"))
    with world.connect() as cal:
        cal.ingest(path, is_master=True)
        before = (world.stored(), world.published(), world.archived())
        with pytest.raises(VersionExistsError, match="another"):
            cal.ingest(other, is_master=True)
        [failed] = cal.failed_ingestions()
        assert failed.path == str(other)
    assert (world.stored(), world.published(), world.archived()) == before


def test_a_file_that_changes_under_the_ingestion_is_a_stated_failure(world, make_frame):
    path = make_frame()

    def change(step):
        if step is IngestStep.INTENDED:
            data = bytearray(path.read_bytes())
            data[-1] ^= 1
            path.write_bytes(data)

    with (
        world.connect(on_step=change) as cal,
        pytest.raises(DataFileNotFoundError, match="changed"),
    ):
        cal.ingest(path, is_master=True)
    assert world.stored() == world.published() == {}
    assert world.archived() == []


def test_a_file_that_vanishes_under_the_ingestion_is_a_stated_failure(world, make_frame):
    path = make_frame()

    def remove(step):
        if step is IngestStep.INTENDED:
            path.unlink()

    with world.connect(on_step=remove) as cal, pytest.raises(DataFileNotFoundError):
        cal.ingest(path, is_master=True)
    assert world.stored() == {}
    assert world.archived() == []


def test_steps_come_in_order(world, make_frame):
    seen = []
    with world.connect(on_step=seen.append) as cal:
        cal.ingest(make_frame(), is_master=True)
    assert seen == list(IngestStep)


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_damage_in_the_store_is_never_handed_out(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        frame = cal.ingest(path, is_master=True).frame
        for held in (world.folder / "store").rglob("*"):
            if held.is_file():
                held.write_bytes(b"x" * held.stat().st_size)
        with pytest.raises(ChecksumMismatchError):
            cal.fetch(frame)
    assert world.strays() == []


def test_processes_that_ingest_one_file_at_once_get_one_frame(world, make_frame):
    path = make_frame()
    answers = world.at_once("ingest_all", [{"paths": [str(path)]}] * 4)
    assert answers == [{str(path): 1}] * 4
    assert [versions for _, _, versions in world.archived()] == [[md5_of(path)]]
    assert list(world.stored().values()) == [[md5_of(path)]]


def test_threads_that_ingest_versions_of_one_frame_leave_the_newest_published(world, make_frame):
    paths = [make_frame(f"seed-{seed}", seed=seed) for seed in range(6)]
    with world.connect() as cal, ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda path: cal.ingest(path, is_master=True), paths))
        assert len({result.frame_id for result in results}) == 1
        current = cal.get(frame_id=results[0].frame_id)
        for path, result in zip(paths, results, strict=True):
            assert cal.fetch(result.frame).read_bytes() == path.read_bytes()
    [(_, _, versions)] = world.archived()
    assert sorted(versions) == sorted(md5_of(path) for path in paths)
    assert versions[0] == current.version.md5 == world.published()[current.version.key]


def test_a_local_mask_is_registered_without_the_archive(world, make_frame):
    path = make_frame(obstype="BPM")
    with world.connect() as cal:
        with pytest.raises(InvalidKeywordError, match="register"):
            cal.ingest(path, is_master=True)
        world.archive.clear_requests()
        result = cal.register(path, is_master=True)
        assert (result.outcome, result.frame_id) == (IngestOutcome.REGISTERED, None)
        assert cal.register(path).outcome is IngestOutcome.ALREADY_THERE
        assert cal.fetch(result).read_bytes() == path.read_bytes()
        assert cal.query(obstype="BPM")["filename"].tolist() == [path.name]
        assert world.archive.requests == []
    assert world.published() == {result.frame.version.key: md5_of(path)}
    assert world.archived() == []


def test_a_registered_frame_gets_its_frame_id_when_it_is_ingested(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        local = cal.register(path, is_master=True)
        known = cal.ingest(path, is_master=True)
        assert known.frame_id is not None
        assert cal.get(basename=local.frame.basename) == known.frame
        assert [len(v) for v in world.stored().values()] == [1]


@pytest.mark.parametrize("step", [IngestStep.INTENDED, IngestStep.PUT, IngestStep.PUBLISHED])
def test_an_interrupted_registration_is_resumed_without_an_archive(step, world, make_frame):
    class PowerCutError(BaseException):
        pass

    def cut(reached):
        if reached is step:
            raise PowerCutError

    path = make_frame()
    with world.connect(on_step=cut) as cal, pytest.raises(PowerCutError):
        cal.register(path, is_master=True)
    with world.connect() as cal:
        [result] = cal.resume()
        assert result.outcome is IngestOutcome.REGISTERED
        assert cal.fetch(result).read_bytes() == path.read_bytes()
    assert world.archived() == []


def test_a_mistyped_archive_does_not_claim_a_new_database(world, make_frame):
    with world.connect(archive="http://127.0.0.1:9/") as cal:
        assert len(cal.query()) == 0
    with world.connect() as cal:
        assert cal.ingest(make_frame(), is_master=True).frame_id is not None
    with pytest.raises(SchemaError, match="API_ROOT"):
        world.connect(archive="http://127.0.0.1:9/")


def test_bytes_of_an_uncertain_registration_are_never_taken_back(world, make_frame):
    path = make_frame()
    powerless = world.archive.add_user(is_staff=True, is_superuser=False)
    world.ingest_and_die(path, IngestStep.REGISTERED)
    with world.connect(token=powerless) as cal:
        assert [result.outcome for result in cal.resume()] == [IngestOutcome.FAILED]
        with pytest.raises(ArchiveRefusedError):
            cal.ingest(path, is_master=True)
    with world.connect() as cal:
        result = cal.ingest(path, is_master=True)
        assert result.frame.version.key is not None
        assert cal.fetch(result, source="store").read_bytes() == path.read_bytes()
        assert cal.fetch(result, source="archive").read_bytes() == path.read_bytes()
    assert world.archived() == [(result.frame_id, result.frame.basename, [md5_of(path)])]
    assert world.stored() == {result.frame.version.key: [md5_of(path)]}


def test_bytes_of_a_refused_registration_are_taken_back_each_time(world, make_frame):
    path = make_frame()
    for _ in range(2):
        world.archive.faults.add("403", method="POST")
        with world.connect() as cal, pytest.raises(ArchiveRefusedError):
            cal.ingest(path, is_master=True)
        assert world.stored() == {}


def test_a_registered_version_of_an_archived_frame_can_be_ingested(world, make_frame):
    first, second = make_frame("one", seed=1), make_frame("two", seed=2)
    with world.connect() as cal:
        frame_id = cal.ingest(first, is_master=True).frame_id
        cal.register(second, is_master=True)
        result = cal.ingest(second, is_master=True)
        assert (result.outcome, result.frame_id) == (IngestOutcome.NEW_VERSION, frame_id)
        assert cal.fetch(result, source="archive").read_bytes() == second.read_bytes()
    assert [versions for _, _, versions in world.archived()] == [[md5_of(second), md5_of(first)]]


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_ingesting_again_puts_back_what_the_store_lost(world, make_frame):
    path = make_frame()
    with world.connect() as cal:
        frame = cal.ingest(path, is_master=True).frame
        published = world.published()
        shutil.rmtree(world.folder / "store")
        assert cal.ingest(path, is_master=True).outcome is IngestOutcome.ALREADY_THERE
        assert world.published() == published
        for source in ("store", "archive"):
            assert cal.fetch(frame, source=source).read_bytes() == path.read_bytes()


def test_forked_processes_share_no_connection(world, make_frame):
    paths = [make_frame(basename=f"bias-{n}", seed=n) for n in range(8)]
    with world.connect() as cal:
        cal.ingest(paths[0], is_master=True)
        cal.fetch(paths[0].name)
        children = []
        for path in paths[1:4]:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    result = cal.ingest(path, is_master=True)
                    found = cal.lookup(result.frame_id)
                    code = int(found.basename != result.frame.basename)
                finally:
                    os._exit(code)
            children.append(child)
        for path in paths[4:]:
            result = cal.ingest(path, is_master=True)
            assert cal.lookup(result.frame_id).basename == result.frame.basename
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert len(cal.query()) == len(paths)


@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_source_that_lies_in_the_store_is_never_taken_away(world, make_frame):
    path = make_frame(site="lsc", camera="fa01", dateobs="2026-01-01T04:00:00")
    with world.connect() as cal:
        key = cal.open_file(path, is_master=True).store_key
        place = world.folder / "store" / key
        place.parent.mkdir(parents=True)
        source = path.rename(place)
        world.archive.faults.add("403", method="POST")
        with pytest.raises(ArchiveRefusedError):
            cal.ingest(source, is_master=True)
        assert source.exists()
        [result] = cal.resume()
        assert cal.fetch(result, source="archive").read_bytes() == source.read_bytes()


def test_bytes_that_another_pipeline_stored_are_not_taken_back(world, make_frame, tmp_path):
    path = make_frame()
    with world.connect() as production:
        frame = production.ingest(path, is_master=True).frame
        with ScienceArchive() as staging:
            staging.faults.add("403", method="POST")
            with (
                world.connect(
                    db=tmp_path / "s.sqlite", archive=staging.root, token=staging.token
                ) as trial,
                pytest.raises(ArchiveRefusedError),
            ):
                trial.ingest(path, is_master=True)
        assert production.fetch(frame, source="store").read_bytes() == path.read_bytes()


def test_our_own_record_keeps_its_bytes_when_the_archive_has_another_version_key(
    world, make_frame, tmp_path
):
    path = make_frame()
    with world.connect() as ours:
        local = ours.register(path, is_master=True)
        with world.connect(db=tmp_path / "o.sqlite", store=tmp_path / "elsewhere") as theirs:
            theirs.ingest(path, is_master=True)
        result = ours.ingest(path, is_master=True)
        assert result.frame_id == 1
        assert ours.fetch(local.frame, source="store").read_bytes() == path.read_bytes()


def test_a_refused_first_ingestion_does_not_bind_the_database(world, make_frame):
    path = make_frame()
    with ScienceArchive() as other:
        other.faults.add("403", method="POST")
        with (
            world.connect(archive=other.root, token=other.token) as cal,
            pytest.raises(ArchiveRefusedError),
        ):
            cal.ingest(path, is_master=True)
    with world.connect() as cal:
        assert cal.ingest(path, is_master=True).frame_id == 1


def test_the_same_bytes_under_two_names_are_told_apart(world, make_frame):
    path = make_frame()
    other = shutil.copy(path, path.with_name("another-name.fits"))
    with world.connect() as cal:
        one = cal.register(path, is_master=True).frame
        two = cal.register(other, is_master=True).frame
        with pytest.raises(DuplicateRecordError, match="another-name"):
            cal.get(md5=one.version.md5)
        assert cal.get(basename="another-name", md5=one.version.md5) == two
