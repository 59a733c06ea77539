"""A record is mended only where it still says what was seen."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import DuplicateRecordError
from calrecords.frames import ContentDigest
from calrecords.matching import MatchSet
from calrecords.records import AuditReads, AuditScope, RecordFixes
from calrecords.records.correcting import correct_version
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.judging import Statement
from calrecords.records.match_sets import register_match_sets

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


@pytest.fixture
def offered(sql):
    """Return a function that gives each version for each time that it is or was offered."""

    def read():
        asked = (
            "SELECT version_id, known_until IS NULL FROM selection_index "
            "WHERE known_until IS NULL OR known_until > known_from ORDER BY known_from, version_id"
        )
        return [(version, bool(is_open)) for version, is_open in sql(asked)]

    return read


@pytest.fixture
def mark(sql):
    """Return a function that marks one version, or none, as current behind our back."""

    def change(version=None):
        sql("UPDATE frame_versions SET is_current = (1 = 0)", "SELECT 1")
        chosen = f"WHERE id = {version or 0}"
        sql(f"UPDATE frame_versions SET is_current = (1 = 1) {chosen}", "SELECT 1")

    return change


@pytest.fixture
def indexed(database):
    """Index all frames by their camera."""
    with database.write_rows() as connection:
        register_match_sets(connection, [MatchSet(("camera",))], NOW)


@pytest.mark.parametrize("marked", [None, 1, 2])
def test_the_newest_version_is_made_current_where_it_is_not(
    marked, database, fixes, record, make_version, mark, indexed, offered
):
    frames = [record(make_version(content=content)) for content in ("one", "two", "three")]
    before = [(1, False), (2, False), (3, True)]
    assert offered() == before
    assert not fixes.current("flat", 3, 3)
    mark(marked)
    assert not fixes.current("flat", marked, 1)
    assert not fixes.current("flat", 3, 3)
    assert fixes.current("flat", marked, 3)
    assert database.get(basename="flat") == frames[-1]
    assert offered() == [*before[:2], (3, False), (3, True)]
    assert not fixes.current("flat", marked, 3)
    assert not fixes.current("flat", 3, 3)
    assert not fixes.current("no such frame", None, 3)


def test_a_frame_without_versions_has_no_current_one(fixes, record, make_version, sql):
    record(make_version())
    sql(*(f"DELETE FROM {table}" for table in ("frame_inputs", "frame_versions")), "SELECT 1")
    assert not fixes.current("flat", None, 1)


def test_a_version_that_was_corrected_while_it_was_not_current_is_offered_as_it_is(
    database, fixes, record, make_version, mark, indexed, offered
):
    for content in ("one", "two"):
        frame = record(make_version(content=content))
    mark(1)
    said = Statement(reason="x", author="ana", recorded_at=datetime.now(UTC))
    with database.write_rows() as connection:
        register_match_sets(connection, [MatchSet(("filter",))], datetime.now(UTC))
        assert correct_version(connection, 2, {"filter": "gp"}, said)
    assert fixes.current("flat", 1, 2)
    assert database.get(basename="flat") == replace(frame, filter="gp")
    now_open = [version for version, is_open in offered() if is_open]
    assert now_open == [2, 2]  # once for each set


@pytest.mark.parametrize("marked", [None, 1])
@pytest.mark.parametrize("is_imported", [True, False])
def test_what_comes_in_mends_what_was_marked_too(
    marked, is_imported, database, record, make_version, mark, indexed, offered
):
    for content in ("one", "two"):
        record(make_version(content=content), NOW)
    mark(marked)
    newer = make_version(content="three", archived_at=NOW + timedelta(hours=1))
    if is_imported:
        names = ("obstype", "site", "camera", "is_master", "dateobs", "filter")
        row = {name: getattr(newer.facts, name) for name in names}
        row |= {"filename": "flat.fits.fz", "md5": newer.digest.md5}
        order = ImportOrder(source="rows", reason="imported", author="me")
        rows = [(1, row | {"archived_at": newer.archived_at})]
        assert Importer(database, order).run(rows).recorded == 1
    else:
        record(newer)
    assert database.get(basename="flat").version.md5 == newer.digest.md5
    assert [version for version, is_open in offered() if is_open] == [3]


def test_an_import_that_brings_an_older_version_mends_what_was_marked(
    database, record, make_version, mark, indexed, offered
):
    for content in ("one", "two"):
        frame = record(make_version(content=content), NOW)
    mark(1)
    names = ("obstype", "site", "camera", "is_master", "dateobs", "filter")
    row = {name: getattr(make_version().facts, name) for name in names}
    row |= {"filename": "flat.fits.fz", "md5": "0" * 32, "archived_at": NOW - timedelta(hours=1)}
    order = ImportOrder(source="rows", reason="imported", author="me")
    assert Importer(database, order).run([(1, row)]).recorded == 1
    assert database.get(basename="flat") == frame
    assert [version for version, is_open in offered() if is_open] == [2]


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
