"""Whoever comes next can tell what is left to do, and one worker at a time is at a basename."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from calrecords.errors import (
    ArchiveUnavailableError,
    DuplicateRecordError,
    FileStoreRefusedError,
    InvalidRecordError,
)
from calrecords.frames import Ingestion
from calrecords.vocabulary import IngestionState

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
INTENDED, STORED, ARCHIVED, RECORDED, FAILED = IngestionState


def as_written(intent, **changes):
    """Return what the journal should say of an intent."""
    values = {
        name: getattr(intent, name)
        for name in (
            *("path", "basename", "extension", "digest", "facts", "archive_record", "key"),
            "content_type",
        )
    }
    return Ingestion(**({"state": INTENDED} | values | changes))


def test_the_whole_life_of_an_ingestion(journal, make_intent, make_version, database, sql):
    intent = make_intent()
    claim = journal.intend(intent)
    number = claim.ingestion.id
    assert claim.ingestion == as_written(intent, id=number)
    assert journal.unfinished() == [claim.ingestion]

    stored = claim.advance(STORED, version_key="v1")
    assert stored == as_written(intent, id=number, state=STORED, version_key="v1")
    assert journal.unfinished() == [stored] == [claim.ingestion]

    archived = claim.advance(ARCHIVED, frame_id=2**40, archived_at=NOON)
    assert archived == replace(stored, state=ARCHIVED, frame_id=2**40, archived_at=NOON)
    assert journal.unfinished() == [archived]
    assert database.count() == 0

    new = make_version(version_key="v1", frame_id=2**40, archived_at=NOON, key=intent.key)
    frame = claim.finish(new)
    assert frame == database.get(frame_id=2**40)
    done = replace(archived, state=RECORDED, facts=None, archive_record=None)
    assert claim.ingestion == done
    assert (journal.unfinished(), journal.failed()) == ([], [])
    assert journal.claim(number) is None
    closed = ("lease_owner", "lease_until", "facts", "archive_record")
    assert sql(f"SELECT {', '.join(closed)} FROM ingestions") == [(None,) * 4]
    assert sql("SELECT count(*) FROM ingestions WHERE facts IS NULL") == [(1,)]


def test_documents_come_back_as_they_were_written(journal, make_intent):
    record = {"b": [1e300, 2**70, None], "a": {"é": (1.0, 5e-324)}, "basename": "flat"}
    ingestion = journal.intend(make_intent(archive_record=record)).ingestion
    expected = {"b": [1e300, 2**70, None], "a": {"é": [1.0, 5e-324]}, "basename": "flat"}
    (read,) = journal.unfinished()
    assert repr(read.archive_record) == repr(expected) == repr(ingestion.archive_record)


def test_no_archive_record_is_none(journal, make_intent, sql):
    assert journal.intend(make_intent(archive_record=None)).ingestion.archive_record is None
    assert journal.unfinished()[0].archive_record is None


def test_one_worker_at_a_time_is_at_a_basename(journal, make_intent):
    first = journal.intend(make_intent("flat", "one"))
    assert journal.intend(make_intent("flat", "one")) is None
    assert journal.intend(make_intent("flat", "two")) is None
    assert journal.intend(make_intent("flat", "one", extension=".fits")) is None
    assert journal.claim(first.ingestion.id) is None
    other = journal.intend(make_intent("bias", "one"))
    assert other is not None
    first.release()
    second = journal.intend(make_intent("flat", "two"))
    assert second.ingestion.id != first.ingestion.id
    assert journal.claim(first.ingestion.id) is None
    assert [ingestion.basename for ingestion in journal.unfinished()] == ["flat", "bias", "flat"]


def test_an_intent_of_a_second_content_that_has_to_wait_is_not_written(journal, make_intent, sql):
    journal.intend(make_intent("flat", "one"))
    journal.intend(make_intent("flat", "two"))
    assert sql("SELECT count(*) FROM ingestions") == [(1,)]


@pytest.mark.parametrize("reached", [STORED, ARCHIVED])
def test_what_is_begun_is_taken_up_where_it_stands(journal, make_intent, reached):
    claim = journal.intend(make_intent())
    before = claim.advance(reached, version_key="v1")
    claim.release()
    again = make_intent(path="/elsewhere/flat.fits.fz", key="another", facts_with={"filter": "gp"})
    taken = journal.intend(again)
    assert taken.ingestion == replace(before, path="/elsewhere/flat.fits.fz")


@pytest.mark.parametrize("how", ["nothing done", "failed", "recorded"])
def test_a_newer_intent_holds_where_nothing_or_all_is_done(journal, make_intent, make_version, how):
    claim = journal.intend(make_intent())
    if how == "failed":
        claim.advance(ARCHIVED, version_key="v1", frame_id=7, archived_at=NOON)
        claim.fail(FileStoreRefusedError("no"))
    elif how == "recorded":
        claim.finish(make_version(version_key="v1", frame_id=7))
    else:
        claim.release()
    intent = make_intent(
        path="/elsewhere/flat.fits.fz",
        key="another",
        content_type="x/y",
        archive_record={"A": 1},
        facts_with={"filter": "gp"},
    )
    taken = journal.intend(intent)
    expected = as_written(
        intent,
        id=claim.ingestion.id,
        attempts=1 if how == "failed" else 0,
        version_key=None if how == "nothing done" else "v1",
    )
    assert taken.ingestion == expected
    assert (journal.unfinished(), journal.failed()) == ([taken.ingestion], [])


def test_a_transient_failure_is_left_to_be_resumed(journal, make_intent, sql):
    claim = journal.intend(make_intent())
    stored = claim.advance(STORED, version_key="v1")
    claim.fail(ArchiveUnavailableError("the archive is away"))
    failed = replace(
        stored, error="ArchiveUnavailableError", message="the archive is away", attempts=1
    )
    assert journal.unfinished() == [failed] == [claim.ingestion]
    assert journal.failed() == []
    resumed = journal.claim(failed.id)
    assert resumed.ingestion == failed


def test_a_permanent_failure_ends_it(journal, make_intent):
    claim = journal.intend(make_intent())
    claim.fail(FileStoreRefusedError("the store refuses"))
    failed = as_written(
        make_intent(),
        id=claim.ingestion.id,
        state=FAILED,
        error="FileStoreRefusedError",
        message="the store refuses",
        attempts=1,
    )
    assert (journal.unfinished(), journal.failed()) == ([], [failed])
    assert journal.claim(failed.id) is None
    assert journal.intend(make_intent("flat", "other")) is not None


def test_lists_are_oldest_first(journal, make_intent):
    claims = [journal.intend(make_intent(name)) for name in ("c", "a", "b")]
    for claim in claims[:2]:
        claim.fail(FileStoreRefusedError("no"))
    assert [ingestion.basename for ingestion in journal.failed()] == ["c", "a"]
    assert [ingestion.basename for ingestion in journal.unfinished()] == ["b"]


def test_an_ingestion_that_is_not_there_cannot_be_claimed(journal):
    assert journal.claim(99) is None
    assert (journal.unfinished(), journal.failed()) == ([], [])


@pytest.mark.parametrize(
    ("values", "changes", "says"),
    [
        ({"path": "/data/\udcff.fits"}, {}, "path is no valid Unicode text"),
        ({"archive_record": {"A": float("nan")}}, {}, "archive_record 'A' is nan"),
        ({"basename": "b" * 1001}, {}, "basename is too long"),
        ({}, {"exposure_time": float("inf")}, "exposure_time is inf"),
        ({}, {"inputs": (("K", "\0"),)}, "basename holds a NUL"),
    ],
)
def test_what_could_not_be_recorded_in_the_end_is_refused_at_the_start(
    journal, make_intent, sql, values, changes, says
):
    with pytest.raises(InvalidRecordError) as refused:
        journal.intend(make_intent(**values, facts_with=changes))
    assert says in str(refused.value)
    assert sql("SELECT * FROM ingestions") == []


def test_another_frames_basename_is_refused_at_the_start(
    journal, make_intent, make_version, record, sql
):
    record(make_version())
    with pytest.raises(DuplicateRecordError, match="rename the file"):
        journal.intend(make_intent(facts_with={"camera": "fa16"}))
    assert sql("SELECT * FROM ingestions") == []


def test_other_bytes_with_the_same_md5_are_refused(journal, make_intent):
    journal.intend(make_intent()).release()
    intent = make_intent()
    with pytest.raises(DuplicateRecordError, match="other bytes"):
        journal.intend(replace(intent, digest=replace(intent.digest, sha256="0" * 64)))


def test_facts_that_cannot_be_read_are_passed_over_with_the_files_name(
    journal, make_intent, sql, caplog
):
    journal.intend(make_intent())
    sql("""UPDATE ingestions SET facts = '{"of_a_later_version": 1}'""", "SELECT 1")
    assert journal.unfinished() == []
    assert "/data/flat.fits.fz: the journal holds facts" in caplog.text
