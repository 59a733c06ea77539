"""A record without md5 takes the archive's at its first fetch, and says so."""

import logging
from dataclasses import replace

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    DuplicateRecordError,
    FrameNotFoundError,
    RecordNotFoundError,
    StoredFileNotFoundError,
)

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)


@pytest.fixture
def archived(world, make_frame):
    """Return a frame that the archive has, and its file."""
    path = make_frame()
    with world.connect() as cal:
        yield cal.ingest(path, is_master=True).frame, path


@pytest.fixture
def away(world, archived, tmp_path):
    """Return records elsewhere, into which the frame can be imported, and its row."""
    frame, _ = archived
    row = {
        "filename": frame.filename,
        "obstype": frame.obstype,
        "site": frame.site,
        "camera": frame.camera,
        "is_master": True,
        "dateobs": frame.dateobs,
        "created": frame.created,
        "frame_id": frame.frame_id,
        "verdict": "good",
    }
    with world.connect(db=tmp_path / "away.sqlite", store=tmp_path / "none") as cal:
        yield cal, row


def test_the_first_fetch_completes_the_record_and_says_so(away, archived, world, caplog):
    (cal, row), (frame, path) = away, archived
    cal.import_records([row])
    imported = cal.get(frame_id=frame.frame_id)
    assert imported.version.md5 is None
    caplog.set_level(logging.INFO, logger="calrecords")
    found = cal.fetch(frame.frame_id)
    assert (found.name, found.read_bytes()) == (path.name, path.read_bytes())
    said = [r.getMessage() for r in caplog.records if r.levelno == logging.INFO]
    assert any("recorded without a checksum; the archive's md5" in message for message in said)
    completed = cal.get(frame_id=frame.frame_id)
    assert completed.version == replace(frame.version, key=None)
    assert completed.verdict == "good"
    world.archive.clear_requests()
    assert cal.fetch(frame.basename) == found
    assert cal.fetch(imported) == found  # who still holds the frame as it was imported
    assert world.archive.requests == []
    assert len(cal.versions(frame.basename)) == 1
    assert cal.adopt(frame.frame_id).outcome == "already there"


def test_a_later_ingestion_or_import_completes_it_too(away, archived):
    (cal, row), (frame, path) = away, archived
    cal.import_records([row])
    assert cal.ingest(path, is_master=True).frame_id == frame.frame_id
    [version] = cal.versions(frame.basename)
    assert version.version.md5 == frame.version.md5
    assert version.verdict == "good"
    assert cal.import_records([row]).already_there == 1
    assert cal.import_records([row | {"md5": frame.version.md5}]).already_there == 1


def test_a_record_without_extension_gets_the_archives(away, archived):
    (cal, row), (frame, path) = away, archived
    cal.import_records([{**row, "filename": None, "basename": frame.basename}])
    assert cal.fetch(frame.frame_id).name == path.name
    assert cal.get(frame_id=frame.frame_id).filename == path.name


def test_a_download_that_fails_is_tried_again_later(away, archived, world):
    (cal, row), (frame, path) = away, archived
    cal.import_records([row])
    world.archive.faults.add("corrupted", method="GET", path="/files/*", times=99)
    with pytest.raises(Exception, match="md5"):
        cal.fetch(frame.frame_id)
    world.archive.faults.clear()
    assert cal.fetch(frame.frame_id).read_bytes() == path.read_bytes()


def test_what_the_archive_does_not_know_is_said(away, archived):
    (cal, row), (frame, _) = away, archived
    named = {"obstype": "BIAS", "site": "lsc", "camera": "fa15"}
    cal.import_records(
        [
            named | {"filename": "nowhere.fits", "frame_id": 4711},
            named | {"filename": "local.fits"},
            {**row, "filename": frame.basename + ".tar.gz"},
        ]
    )
    with pytest.raises(FrameNotFoundError):
        cal.fetch(4711)
    with pytest.raises(RecordNotFoundError, match="it has no frame ID to ask the archive with"):
        cal.fetch("local")
    with pytest.raises(StoredFileNotFoundError, match=r"no version with the extension '\.tar\.gz'"):
        cal.fetch(frame.frame_id)


def test_another_frame_under_the_same_id_is_refused(away, archived):
    (cal, row), (frame, _) = away, archived
    cal.import_records([row | {"filename": "other.fits"}])
    with pytest.raises(DuplicateRecordError, match=f"{frame.frame_id}, which is {frame.basename}"):
        cal.fetch("other")
    assert cal.get(basename="other").version.md5 is None


def test_the_version_that_the_record_names_is_taken_else_the_newest(
    away, archived, world, make_frame, caplog
):
    (cal, row), (frame, _) = away, archived
    remade = make_frame("remade", seed=2)
    with world.connect() as first:
        newest = first.ingest(remade, is_master=True).frame
    cal.import_records([row | {"version_key": frame.version.version_key}])
    with pytest.raises((ChecksumMismatchError, StoredFileNotFoundError)):
        cal.fetch(frame.frame_id)  # the archive's address leads to the newest one only
    assert cal.get(frame_id=frame.frame_id).version.md5 == frame.version.md5
    with world.connect(db=world.folder / "third.sqlite", store=world.folder / "none") as third:
        third.import_records([row])
        assert third.fetch(frame.frame_id).read_bytes() == remade.read_bytes()
        assert third.get(frame_id=frame.frame_id).version.md5 == newest.version.md5
    assert any("the record does not say which" in r.getMessage() for r in caplog.records)


def test_offline_nothing_is_asked_and_the_setting_is_named(away, archived, world, tmp_path):
    (cal, row), (frame, _) = away, archived
    cal.import_records([row])
    world.archive.clear_requests()
    with (
        world.connect(db=tmp_path / "away.sqlite", offline=True) as offline,
        pytest.raises(RecordNotFoundError, match="CALRECORDS_OFFLINE"),
    ):
        offline.fetch(frame.frame_id)
    assert world.archive.requests == []
