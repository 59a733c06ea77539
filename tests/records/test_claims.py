"""A claim may write only while it holds, and keeps its hold while its process works."""

import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import (
    ArchiveUnavailableError,
    DuplicateRecordError,
    FileStoreRefusedError,
    RecordsUnavailableError,
    RetryError,
)
from calrecords.vocabulary import IngestionState

STORED, FAILED = IngestionState.STORED, IngestionState.FAILED
SECOND = timedelta(seconds=1)


@pytest.fixture
def claim(journal, make_intent):
    return journal.intend(make_intent())


@pytest.fixture
def column(database):
    """Return a function that reads one column of the only journal row."""
    import sqlalchemy as sa

    from calrecords.records.models import JournalEntry

    def read(name):
        with database.read() as connection:
            return connection.scalar(sa.select(getattr(JournalEntry, name)))

    return read


@pytest.fixture
def taken_over(claim, sql):
    """Return a claim that another worker has taken over."""
    sql("UPDATE ingestions SET lease_owner = 'another|1|1|1'", "SELECT 1")
    return claim


@pytest.mark.parametrize("verb", ["advance", "finish", "renew"])
def test_a_claim_that_was_taken_over_may_not_write(taken_over, make_version, sql, verb, column):
    before = sql("SELECT * FROM ingestions")
    calls = {
        "advance": lambda: taken_over.advance(STORED, version_key="v1"),
        "finish": lambda: taken_over.finish(make_version()),
        "renew": taken_over.renew,
    }
    with pytest.raises(RecordsUnavailableError, match=r"flat\.fits\.fz: another worker has taken"):
        calls[verb]()
    assert sql("SELECT * FROM ingestions") == before
    assert sql("SELECT * FROM calibration_frames") == []


@pytest.mark.parametrize("verb", ["fail", "release"])
def test_letting_go_of_what_was_taken_over_changes_nothing(taken_over, sql, verb):
    before = sql("SELECT * FROM ingestions")
    taken_over.fail(FileStoreRefusedError("no")) if verb == "fail" else taken_over.release()
    assert sql("SELECT * FROM ingestions") == before


def test_a_claim_on_a_row_that_is_gone_may_not_write(claim, sql):
    sql("DELETE FROM ingestions", "SELECT 1")
    with pytest.raises(RecordsUnavailableError):
        claim.advance(STORED)
    claim.fail(RetryError("x"))
    claim.release()


def test_only_what_the_journal_holds_can_be_learned(claim, column):
    with pytest.raises(TypeError, match="does not hold frameid, state_"):
        claim.advance(STORED, frameid=7, state_=1)
    assert column("state") == "intended"


def test_each_step_renews_the_hold(claim, column, sql):
    sql("UPDATE ingestions SET lease_until = '2026-01-01 00:00:00.000000'", "SELECT 1")
    claim.advance(STORED, version_key="v1")
    assert column("lease_until") > datetime.now(UTC) + 50 * SECOND


def test_a_refused_finish_leaves_the_claim_as_it_was(claim, record, make_version, column, sql):
    record(make_version("another", frame_id=7))
    before = sql("SELECT * FROM ingestions")
    with pytest.raises(DuplicateRecordError):
        claim.finish(make_version(frame_id=7))
    assert sql("SELECT * FROM ingestions") == before
    assert sql("SELECT basename FROM calibration_frames") == [("another",)]
    claim.fail(DuplicateRecordError("it is another frame's"))
    assert (column("state"), column("lease_owner")) == ("failed", None)


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "wait_s"),
    [
        (0, None, 1),
        (1, None, 2),
        (5, None, 32),
        (11, None, 2048),
        (12, None, 3600),
        (10**6, None, 3600),
        (0, 0.5, 1),
        (0, 120.0, 120),
        (5, 10.0, 32),
        (0, 7200.0, 7200),
        (0, 1e300, 86400),
        (0, float("inf"), 86400),
        (0, float("nan"), 1),
        (0, -5.0, 1),
    ],
)
def test_each_transient_failure_waits_longer_or_as_long_as_was_asked(
    claim, column, sql, attempts, retry_after_s, wait_s
):
    sql(f"UPDATE ingestions SET attempts = {attempts}", "SELECT 1")
    before = datetime.now(UTC)
    claim.fail(ArchiveUnavailableError("away", retry_after_s=retry_after_s))
    after = datetime.now(UTC)
    assert before + wait_s * SECOND <= column("next_attempt_at") <= after + wait_s * SECOND
    assert (column("attempts"), column("state"), column("lease_owner")) == (
        attempts + 1,
        "intended",
        None,
    )


def test_a_permanent_failure_has_no_next_attempt(journal, make_intent, claim, column):
    claim.fail(ArchiveUnavailableError("away"))
    assert column("next_attempt_at") is not None
    journal.claim(claim.ingestion.id).fail(FileStoreRefusedError("no"))
    assert (column("next_attempt_at"), column("state")) == (None, "failed")


@pytest.mark.parametrize("message", ["a\0b", "/data/\udcff.fits", "x" * 100_000])
def test_any_message_can_be_written_down(claim, journal, message):
    claim.fail(RetryError(message))
    written = journal.unfinished()[0].message
    assert written == message.replace("\0", "\\0").replace("\udcff", "\\udcff")


def wait_until(true, timeout_s=10):
    give_up = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_kept_hold_is_renewed_until_the_block_ends(claim, column):
    first = column("lease_until")
    with claim.kept(every_s=0.02):
        wait_until(lambda: column("lease_until") > first)
        second = column("lease_until")
        wait_until(lambda: column("lease_until") > second)
    assert "calrecords-lease" not in [thread.name for thread in threading.enumerate()]
    last = column("lease_until")
    time.sleep(0.1)
    assert column("lease_until") == last


def test_a_block_that_raises_ends_the_renewals(claim):
    with pytest.raises(ZeroDivisionError), claim.kept(every_s=0.02):
        raise ZeroDivisionError
    assert "calrecords-lease" not in [thread.name for thread in threading.enumerate()]


def test_short_work_needs_no_thread_of_its_own(claim):
    with claim.kept():
        assert not keeper_is_at_work()


def keeper_is_at_work():
    return "calrecords-lease" in [thread.name for thread in threading.enumerate()]


def test_a_hold_that_is_taken_over_is_no_longer_renewed_and_the_next_step_fails(
    claim, column, sql, caplog
):
    caplog.set_level(logging.INFO, "calrecords")
    with claim.kept(every_s=0.02):
        sql("UPDATE ingestions SET lease_owner = 'another|1|1|1'", "SELECT 1")
        wait_until(lambda: caplog.records and not keeper_is_at_work())
        with pytest.raises(RecordsUnavailableError):
            claim.advance(STORED, version_key="v1")
    assert [record.getMessage() for record in caplog.records] == [
        "/data/flat.fits.fz: the hold on this ingestion has ended"
    ]


def test_a_renewal_that_fails_is_logged_and_tried_again(claim, column, sql, caplog):
    first = column("lease_until")
    with claim.kept(every_s=0.02):
        sql("ALTER TABLE ingestions RENAME TO away")
        wait_until(lambda: len(caplog.records) >= 2)
        sql("ALTER TABLE away RENAME TO ingestions")
        wait_until(lambda: column("lease_until") > first)
    failures = {(record.levelname, record.getMessage()[:82]) for record in caplog.records}
    assert failures == {
        (
            "WARNING",
            "/data/flat.fits.fz: the hold on this ingestion cannot be renewed, and is tried aga",
        )
    }


def test_what_is_finished_while_it_is_kept_ends_quietly(claim, make_version, caplog):
    with claim.kept(every_s=0.001):
        time.sleep(0.05)
        frame = claim.finish(make_version(frame_id=7))
        time.sleep(0.05)
    assert frame.frame_id == 7
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_finishing_twice_records_once(journal, claim, make_intent, make_version, database):
    new = make_version(frame_id=7, version_key="v1")
    first = claim.finish(new)
    with pytest.raises(RecordsUnavailableError):
        claim.finish(new)
    again = journal.intend(make_intent()).finish(replace(new, key="key"))
    assert again == replace(first, version=replace(first.version, key="key"))
    assert database.count() == 1
    assert len(database.versions("flat")) == 1


@pytest.mark.parametrize("verb", ["fail", "release", "advance"])
def test_what_is_noted_is_written_with_whatever_is_written_next(claim, column, verb):
    said = claim.note(IngestionState.ARCHIVED, version_key="v1", frame_id=7)
    assert (said, said.state) == (claim.ingestion, IngestionState.ARCHIVED)
    assert (column("state"), column("version_key"), column("frame_id")) == ("intended", None, None)
    write = {
        "fail": lambda: claim.fail(RetryError("not now")),
        "release": claim.release,
        "advance": lambda: claim.advance(IngestionState.ARCHIVED),
    }
    write[verb]()
    assert (column("state"), column("version_key"), column("frame_id")) == ("archived", "v1", 7)
    with pytest.raises(TypeError, match="frameid"):
        claim.note(STORED, frameid=7)
