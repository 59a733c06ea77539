"""A hold on a basename ends with its time, or at once with its process."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import FileStoreRefusedError, RecordsUnavailableError
from calrecords.records import RecordDatabase
from calrecords.records.engine import BUSY_TIMEOUT_S
from calrecords.records.journal import Journal, Standing
from calrecords.vocabulary import IngestionState

STORED = IngestionState.STORED
OF_ANOTHER_HOST = "elsewhere:boot:pid|1|1|0"


def test_the_hold_of_another_host_ends_with_its_time(journal, make_intent, sql):
    claim = journal.intend(make_intent())
    sql(f"UPDATE ingestions SET lease_owner = '{OF_ANOTHER_HOST}'", "SELECT 1")
    assert journal.claim(claim.ingestion.id) is None
    assert journal.intend(make_intent("flat", "other")) is None
    run_out(sql)
    assert journal.claim(claim.ingestion.id) is not None


def test_the_hold_of_a_host_that_went_down_with_a_wrong_clock_is_void(journal, make_intent, sql):
    claim = journal.intend(make_intent())
    far = "lease_until = '2999-01-01 00:00:00.000000'"
    sql(f"UPDATE ingestions SET lease_owner = '{OF_ANOTHER_HOST}', {far}", "SELECT 1")
    assert journal.look(claim.ingestion.id) == Standing(claim.ingestion, is_held=False)
    taken = journal.claim(claim.ingestion.id)
    taken.advance(STORED, version_key="v1")
    with pytest.raises(RecordsUnavailableError, match="another worker has taken over"):
        claim.advance(STORED, version_key="v1")


def run_out(sql):
    past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%d %H:%M:%S.%f")
    sql(f"UPDATE ingestions SET lease_until = '{past}'", "SELECT 1")


def test_a_hold_that_ran_out_is_void_once_another_is_at_the_basename(journal, make_intent, sql):
    slow = journal.intend(make_intent("flat", "one"))
    run_out(sql)
    quick = journal.intend(make_intent("flat", "two"))
    for late in (slow.renew, lambda: slow.advance(STORED, version_key="v1")):
        with pytest.raises(RecordsUnavailableError, match="another worker has taken over"):
            late()
    quick.advance(STORED, version_key="v2")


def test_a_hold_that_ran_out_unnoticed_can_be_renewed(journal, make_intent, sql):
    claim = journal.intend(make_intent())
    run_out(sql)
    claim.renew()
    assert journal.claim(claim.ingestion.id) is None
    run_out(sql)
    claim.advance(STORED, version_key="v1")
    assert journal.claim(claim.ingestion.id) is None


HOLD = """
import os, signal, sys
from calrecords.records import Journal, RecordDatabase
journal = Journal(RecordDatabase(sys.argv[1]))
claim = journal.claim(int(sys.argv[2]))
assert claim is not None
print("held", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_hold_of_a_killed_process_is_void_at_once(journal, make_intent, place, sql):
    claim = journal.intend(make_intent())
    claim.release()
    command = [sys.executable, "-c", HOLD, place, str(claim.ingestion.id)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (killed.returncode, killed.stdout) == (-9, "held\n")
    assert sql("SELECT lease_owner IS NOT NULL FROM ingestions") in ([(1,)], [(True,)])
    assert journal.intend(make_intent("flat", "other")) is not None


@pytest.fixture
def other(place, database):
    """Return a function of another connection to a server, which keeps what it has locked."""
    import psycopg

    with psycopg.connect(place) as connection:
        yield connection.execute
        connection.rollback()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "lock",
    [
        "SELECT id FROM ingestions WHERE basename = 'flat' FOR UPDATE",
        "UPDATE ingestions SET attempts = 7 WHERE basename = 'flat' RETURNING id",
        "SELECT pg_advisory_xact_lock(hashtext('flat'))",
    ],
)
def test_on_a_server_nobody_waits_for_a_row_that_another_worker_is_writing(
    journal, make_intent, other, lock
):
    flat, bias = journal.intend(make_intent("flat")), journal.intend(make_intent("bias"))
    for claim in (flat, bias):
        claim.release()
    other(lock)
    began = time.monotonic()
    assert journal.claim(flat.ingestion.id) is None
    assert journal.intend(make_intent("flat")) is None
    assert journal.intend(make_intent("flat", "other")) is None
    assert journal.look(flat.ingestion.id) is not None
    taken = journal.claim(bias.ingestion.id)
    assert taken.ingestion == bias.ingestion
    taken.advance(STORED, version_key="v1")
    assert time.monotonic() - began < BUSY_TIMEOUT_S


def test_unfinished_ingestions_are_numbered_oldest_first(journal, make_intent):
    claims = [journal.intend(make_intent(f"flat-{n % 4}", str(n // 4))) for n in range(4)]
    for claim in claims:
        claim.release()
    claims += [journal.intend(make_intent(f"flat-{n}", "1")) for n in range(3)]
    numbers = [claim.ingestion.id for claim in claims]
    assert list(journal.numbers()) == sorted(numbers)
    assert list(journal.numbers("flat-1")) == [numbers[1], numbers[5]]
    assert list(journal.numbers("nowhere")) == []
    claims[4].fail(FileStoreRefusedError("no"))
    assert list(journal.numbers()) == [number for number in numbers if number != numbers[4]]


def test_how_an_ingestion_stands_is_seen_without_taking_it(journal, make_intent, make_version, sql):
    claim = journal.intend(make_intent())
    number = claim.ingestion.id
    assert journal.look(number) == Standing(claim.ingestion, is_held=True)
    sql(f"UPDATE ingestions SET lease_owner = '{OF_ANOTHER_HOST}'", "SELECT 1")
    assert journal.look(number).is_held
    run_out(sql)
    assert journal.look(number) == Standing(claim.ingestion, is_held=False)
    again = journal.claim(number)
    again.release()
    assert journal.look(number) == Standing(claim.ingestion, is_held=False)
    journal.claim(number).finish(make_version())
    assert journal.look(number) is None
    assert journal.look(99) is None


INTEND = """
import sys
from hashlib import md5, sha256
from calrecords.frames import ContentDigest, FrameFacts
from calrecords.records import Intent, Journal, RecordDatabase

place, worker, same = sys.argv[1:]
database = RecordDatabase(place)
journal = Journal(database)
database.count()
data = b"same" if same == "same" else worker.encode()
intent = Intent(
    path="/data/" + worker, basename="bias", extension=".fits", key="key", archive_record=None,
    digest=ContentDigest(md5(data).hexdigest(), sha256(data).hexdigest(), len(data)),
    facts=FrameFacts(obstype="BIAS", site="lsc", camera="kb70"),
)
#READY
print("claimed" if journal.intend(intent) else "taken", flush=True)
sys.stdin.readline()
database.close()
"""


@pytest.mark.parametrize("kind", ["same", "different"])
def test_of_processes_that_intend_at_once_one_gets_it(place, database, together, kind):
    workers = [(place, str(worker), kind) for worker in range(6)]
    answers = together(INTEND, *workers, answer=True)
    assert sorted(answers) == ["claimed\n", *["taken\n"] * 5]


def test_two_databases_have_a_journal_each(tmp_path, make_intent):
    first, second = (RecordDatabase(tmp_path / name) for name in ("1.sqlite", "2.sqlite"))
    for database in (first, second):
        database.open()
        assert Journal(database).intend(make_intent()) is not None
        database.close()
