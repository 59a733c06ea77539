"""What is learned of a version later is filled in, and nothing else."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import DuplicateRecordError, RecordNotFoundError
from calrecords.frames import ContentDigest
from calrecords.records import PartialDigest


@pytest.fixture
def partial(record, make_version):
    """Return a frame that was recorded without its bytes, and what they are."""
    whole = make_version().digest
    new = make_version(digest=PartialDigest(whole.md5), version_key="v1", frame_id=7)
    return record(new), whole


def test_what_was_missing_is_filled_in(database, partial):
    frame, whole = partial
    assert (frame.version.sha256, frame.version.size, frame.version.key) == (None, None, None)
    completed = database.complete(frame, whole, "a/b.fits")
    version = completed.version
    assert (version.md5, version.sha256, version.size) == (whole.md5, whole.sha256, whole.size)
    assert (version.key, version.version_key) == ("a/b.fits", "v1")
    assert database.complete(frame, whole, "elsewhere") == completed == database.get(frame_id=7)


def test_other_bytes_with_the_same_md5_are_refused(database, partial):
    frame, whole = partial
    database.complete(frame, whole)
    before = database.get(frame_id=7)
    for other in (
        ContentDigest(whole.md5, "0" * 64, whole.size),
        ContentDigest(whole.md5, whole.sha256, whole.size + 1),
    ):
        with pytest.raises(DuplicateRecordError, match="same md5 but other bytes"):
            database.complete(frame, other)
    assert database.get(frame_id=7) == before


def test_what_is_not_recorded_cannot_be_completed(database, partial, sql):
    frame, whole = partial
    sql("UPDATE frame_versions SET md5 = 'another'", "SELECT 1")
    with pytest.raises(RecordNotFoundError, match="no such version"):
        database.complete(frame, whole)


def test_versions_of_every_name_are_found_by_their_content(database, record, make_version):
    first = record(make_version("first", version_key="1"))
    second = record(make_version("second", version_key="2"))
    record(make_version("second", "other"))
    found = database.with_md5(first.version.md5)
    assert [(f.basename, f.version) for f in found] == [
        ("first", first.version),
        ("second", second.version),
    ]
    assert database.with_md5("\0") == []


def test_the_version_that_the_archive_stored_last_is_the_current_one_then(
    database, record, make_version
):
    one, two = (record(make_version(content=content)) for content in ("one", "two"))
    whole = make_version(content="one").digest
    assert database.get(basename="flat").version == two.version
    database.complete(one, whole, version_key="v1", archived_at=datetime.now(UTC))
    assert database.get(basename="flat").version.md5 == one.version.md5
    newest_first = [frame.version.md5 for frame in database.versions("flat")]
    assert newest_first == [one.version.md5, two.version.md5]
