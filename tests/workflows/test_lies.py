"""The answers of a real archive that mislead, each met by a whole ingestion or look-up."""

import hashlib

import pytest

from calrecords import IngestOutcome
from calrecords.archive import ArchiveClient
from calrecords.archive.policy import default_retrying
from calrecords.errors import (
    ArchiveUnavailableError,
    FrameNotFoundError,
    InvalidKeywordError,
    StoredFileNotFoundError,
    VersionExistsError,
)


@pytest.fixture
def impatient(world):
    """Return a client that tries as often as usual, without waiting in between."""
    policy = default_retrying().copy(sleep=lambda _seconds: None)
    with ArchiveClient(world.archive.root, world.archive.token, retrying=policy) as client:
        yield client


def md5_of(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def one_of_each(world, path, result):
    """Return whether the archive, the store and the answer agree on one version."""
    return (
        world.archived() == [(result.frame_id, result.frame.basename, [md5_of(path)])]
        and world.stored() == {result.frame.version.key: [md5_of(path)]}
        and result.frame.version.md5 == md5_of(path)
    )


def test_a_checksum_filter_that_does_not_filter_hides_no_new_frame(world, make_frame):
    assert world.archive.md5_filter_works is False
    with world.connect() as cal:
        cal.ingest(make_frame(obstype="BIAS"), is_master=True)
        second = cal.ingest(make_frame(obstype="DARK", exposure_time=300.0), is_master=True)
        assert second.outcome is IngestOutcome.INGESTED
        assert cal.archive.has_version("f" * 32) is not True
    assert len(world.archived()) == 2


def test_a_frame_without_an_observation_date_is_never_sent(world, make_frame):
    with world.connect() as cal:
        path = make_frame()
        with pytest.raises(InvalidKeywordError, match="DATE-OBS"):
            cal.ingest(path, is_master=True, metadata={"DATE-OBS": ""})
    assert [method for method, _ in world.archive.requests] == ["OPTIONS"]
    assert world.stored() == {}


@pytest.mark.parametrize("ending", ["", "/", "//"])
def test_a_root_without_its_slash_registers_all_the_same(ending, world, make_frame):
    root = world.archive.root.rstrip("/") + ending
    with world.connect(archive=root) as cal:
        result = cal.ingest(make_frame(), is_master=True)
        assert cal.lookup(result.frame_id).frame_id == result.frame_id
    assert ("POST", "/frames/") in world.archive.requests


def test_a_redirected_post_is_not_taken_for_success(world, make_frame, impatient):
    path = make_frame()
    with world.connect(archive=impatient) as cal:
        world.archive.faults.add("redirect", method="POST", location="/frames/?limit=1", times=9)
        with pytest.raises(Exception, match="API_ROOT") as raised:
            cal.ingest(path, is_master=True)
        assert raised.type.__module__ == "calrecords.errors"
        assert len(cal.query()) == 0
    assert world.archived() == []


@pytest.mark.parametrize("kind", ["500-after-commit", "lost-answer"])
def test_a_frame_that_was_stored_in_spite_of_the_answer_is_not_sent_twice(
    kind, world, make_frame, impatient
):
    path = make_frame()
    with world.connect(archive=impatient) as cal:
        world.archive.faults.add(kind, method="POST")
        result = cal.ingest(path, is_master=True)
        assert result.outcome is IngestOutcome.INGESTED
    assert one_of_each(world, path, result)
    assert [method for method, _ in world.archive.requests].count("POST") == 1


@pytest.mark.parametrize("kind", ["500", "reset", "login-page", "not-json", "truncated", "503"])
def test_an_answer_that_says_nothing_is_asked_about_until_it_is_known(
    kind, world, make_frame, impatient
):
    path = make_frame()
    with world.connect(archive=impatient) as cal:
        world.archive.faults.add(kind, method="POST", times=2)
        result = cal.ingest(path, is_master=True)
    assert one_of_each(world, path, result)


def test_a_checksum_known_under_another_name_is_said(world, make_frame):
    path = make_frame()
    other = path.with_name("another-name.fits")
    other.write_bytes(path.read_bytes())
    with world.connect() as cal:
        cal.ingest(path, is_master=True)
        with pytest.raises(VersionExistsError, match="another-name"):
            cal.ingest(other, is_master=True)


def test_a_placeholders_number_is_no_frame_until_its_file_is_ingested(world, make_frame):
    with world.connect() as cal:
        path = make_frame(extra={"L1IDBIAS": "a-bias-not-yet-there"})
        frame = cal.ingest(path, is_master=True).frame
        related = cal.lookup(frame.frame_id).related_frame_ids
        assert len(related) >= 1
        for placeholder in related:
            with pytest.raises(FrameNotFoundError):
                cal.lookup(placeholder)
        bias = cal.ingest(make_frame(basename="a-bias-not-yet-there", seed=9), is_master=True)
        assert bias.outcome is IngestOutcome.INGESTED
        assert bias.frame_id in related
        assert cal.lookup(bias.frame_id).basename == "a-bias-not-yet-there"


def test_an_older_version_whose_url_is_gone_comes_from_the_store_or_is_called_superseded(
    world, make_frame
):
    first = make_frame("one", seed=1, reduction_level=0)
    second = make_frame("two", seed=2, reduction_level=91)
    with world.connect() as cal:
        old = cal.ingest(first, is_master=True).frame
        new = cal.ingest(second, is_master=True).frame
        assert old.version.key != new.version.key
        with pytest.raises(
            (StoredFileNotFoundError, ValueError), match=r"(?i)superseded|moved|overwritten"
        ):
            cal.fetch(old, source="archive")
        assert cal.fetch(old).read_bytes() == first.read_bytes()
        assert cal.fetch(new, source="archive").read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "kind", ["login-page", "truncated", "unannounced-end", "corrupted", "500", "reset"]
)
@pytest.mark.parametrize("world", ["file system"], indirect=True)
def test_a_download_that_goes_wrong_is_tried_again_and_never_kept_wrong(
    kind, world, make_frame, impatient
):
    path = make_frame()
    with world.connect(archive=impatient) as cal:
        result = cal.ingest(path, is_master=True)
        world.archive.faults.add(kind, method="GET", path="/files/*")
        try:
            local = cal.fetch(result, source="archive")
        except (ValueError, ArchiveUnavailableError):
            assert cal.cache.get(result.frame) is None
            local = cal.fetch(result, source="archive")
        assert local.read_bytes() == path.read_bytes()
    assert world.strays() == []
