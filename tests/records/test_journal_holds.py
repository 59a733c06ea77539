"""A hold on a basename ends with its time, or at once with its process."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import RecordsUnavailableError
from calrecords.records import RecordDatabase
from calrecords.records.journal import Journal
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
