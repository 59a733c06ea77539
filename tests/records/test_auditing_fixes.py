"""A record is mended only where it still says what was seen."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import DuplicateRecordError
from calrecords.frames import ContentDigest
from calrecords.records import AuditReads, AuditScope, RecordFixes

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OTHER = ContentDigest("0" * 32, "1" * 64, 5)


@pytest.fixture
def fixes(database):
    return RecordFixes(database)


@pytest.fixture
def read(database):
    """Return a function that gives a frame with its versions."""
    return lambda name="flat": AuditReads(database, AuditScope()).named([name])[name]


def test_a_frame_gets_the_archives_number_and_its_versions_their_times(
    fixes, record, make_version, read
):
    md5s = [record(make_version(content=content)).version.md5 for content in ("one", "two")]
    assert fixes.frame_id("flat", None, 276, {md5s[0]: NOW, "f" * 32: NOW})
    frame = read()
    assert (frame.frame_id, [one.archived_at for one in frame.versions]) == (276, [NOW, None])
    assert not fixes.frame_id("flat", None, 277, {md5s[1]: NOW})
    assert not fixes.frame_id("flat", 5, 277, {})
    assert read() == frame
    assert fixes.frame_id("flat", 276, 277, {})
    assert read().frame_id == 277
    assert not fixes.frame_id("no such frame", None, 1, {})


def test_the_version_that_the_archive_stored_last_is_the_current_one_then(
    database, fixes, record, make_version
):
    one, two = (record(make_version(content=content)) for content in ("one", "two"))
    assert database.get(basename="flat").version == two.version
    assert fixes.frame_id("flat", None, 276, {one.version.md5: datetime.now(UTC)})
    newest_first = [one.version, two.version]
    assert [frame.version for frame in database.versions("flat")] == newest_first
    assert database.get(frame_id=276).version == one.version


def test_the_newest_version_is_made_current_where_none_is(
    database, fixes, record, make_version, sql
):
    for content in ("one", "two"):
        frame = record(make_version(content=content))
    offered = "SELECT count(*) FROM selection_index WHERE known_until IS NULL"
    before = sql(offered)
    assert not fixes.current("flat")
    sql("UPDATE frame_versions SET is_current = false", "SELECT 1")
    assert fixes.current("flat")
    assert database.get(basename="flat") == frame
    assert not fixes.current("flat")
    assert sql(offered) == before
    sql(*(f"DELETE FROM {table}" for table in ("selection_index", "frame_inputs")), "SELECT 1")
    sql("DELETE FROM frame_versions", "SELECT 1")
    assert not fixes.current("flat")
    assert not fixes.current("no such frame")


def test_two_frames_never_have_one_number(fixes, record, make_version, read):
    record(make_version(frame_id=7))
    record(make_version("other", frame_id=8))
    assert not fixes.frame_id("other", 9, 7, {})
    assert [read(name).frame_id for name in ("flat", "other")] == [7, 8]
    assert fixes.frame_id("other", 8, 7, {})
    assert [read(name).frame_id for name in ("flat", "other")] == [None, 7]


def test_a_version_gets_another_name_or_other_checksums(fixes, record, make_version, read):
    record(make_version(version_key="v1"))
    before = read().current
    assert not fixes.version_key(before.id, "v0", "v2")
    assert fixes.version_key(before.id, "v1", "v2")
    assert not fixes.content(before.id, OTHER.md5, OTHER)
    assert fixes.content(before.id, before.version.md5, OTHER)
    after = read().current.version
    assert (after.version_key, after.md5, after.sha256, after.size) == (
        *("v2", OTHER.md5, OTHER.sha256, OTHER.size),
    )


def test_two_versions_of_a_frame_never_have_one_content(fixes, record, make_version, read):
    record(make_version(content="one"))
    record(make_version(content="two"))
    one, two = read().versions
    version = one.version
    assert None not in {version.sha256, version.size}
    same = ContentDigest(version.md5, version.sha256, version.size)
    with pytest.raises(DuplicateRecordError):
        fixes.content(two.id, two.version.md5, same)
