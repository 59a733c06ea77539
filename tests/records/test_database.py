"""One records database: shared by threads, opened anew after a fork, bound to one archive."""

import gc
import os
import pickle
import signal
import threading
import time

import pytest
import sqlalchemy as sa

from calrecords.errors import CalRecordsError, SchemaError
from calrecords.records import Journal, RecordDatabase

ROOT = "https://archive.example/"
OTHER = "https://archive-dev.example/"


def test_it_says_where_it_is_without_its_password():
    database = RecordDatabase("postgresql://operator:topsecret@db.example/records?sslkey=topsecret")
    place = "postgresql+psycopg://operator:***@db.example/records"
    assert (database.place, repr(database), database.is_server, database.exists()) == (
        place,
        f"RecordDatabase('{place}')",
        True,
        True,
    )


def test_a_file_is_no_server_and_need_not_exist(tmp_path):
    database = RecordDatabase(tmp_path / "records.sqlite")
    assert (database.is_server, database.exists(), database.revision()) == (False, False, None)
    database.open()
    assert (database.exists(), database.place) == (True, f"sqlite:///{tmp_path}/records.sqlite")
    database.close()


def test_it_stays_the_same_file_in_another_working_directory(tmp_path):
    before = os.getcwd()  # noqa: PTH109 - put back below as it was
    (tmp_path / "elsewhere").mkdir()
    try:
        os.chdir(tmp_path)
        database = RecordDatabase("sqlite:///records.sqlite")
        os.chdir("elsewhere")
        database.open()
    finally:
        os.chdir(before)
    database.close()
    assert list(tmp_path.rglob("*.sqlite")) == [tmp_path / "records.sqlite"]
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_it_can_be_used_again_after_it_is_closed(database, backend, place):
    assert database.count() == 0
    database.close()
    database.close()
    assert len(backend.connections(place)) <= (1 if backend.name == "postgresql" else 0)
    assert database.count() == 0


def test_what_is_dropped_without_being_closed_leaks_no_thread(sqlite_files):
    before = threading.active_count()
    database = RecordDatabase(sqlite_files.migrated())
    database.open()
    database.close()
    del database
    gc.collect()
    assert threading.active_count() == before


def test_threads_share_it(database, record, make_version):
    failures = []

    def work(number):
        try:
            for turn in range(5):
                record(make_version(f"flat-{number}-{turn}"))
                assert database.get(basename=f"flat-{number}-{turn}").basename
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert database.count() == 100


def in_child(work):
    """Return the exit code of a forked child that does some work, and its name for a failure."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            work()
            code = 0
        except CalRecordsError:
            code = 71
        finally:
            os._exit(code)
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def test_a_forked_child_uses_connections_of_its_own(database, record, make_version):
    record(make_version("before"))

    def work():
        for number in range(5):
            record(make_version(f"in-child-{number}"))
        gc.collect()
        database.close()
        assert database.count() == 6

    assert in_child(work) == 0
    record(make_version("after"))
    assert database.count() == 7


def test_a_child_that_only_closes_leaves_its_parent_alone(database, backend, record, make_version):
    record(make_version())
    before = connected(database, backend)

    def work():
        database.close()
        gc.collect()

    for _ in range(3):
        assert in_child(work) == 0
        assert database.count() == 1
    assert connected(database, backend) == before


def connected(database, backend):
    """Return which process of the server is at the other end."""
    if backend.name == "sqlite":
        return None
    with database.read() as connection:
        return connection.scalar(sa.text("SELECT pg_backend_pid()"))


def test_a_child_of_a_child_works_too(database, record, make_version):
    record(make_version())
    assert in_child(lambda: exit_with(in_child(database.count))) == 0
    assert database.count() == 1


def exit_with(code):
    assert code == 0


def test_a_fork_while_another_thread_opens_does_not_hang_the_child(tmp_path):
    database = RecordDatabase(tmp_path / "records.sqlite")
    database.open()
    with database._lock:  # as another thread would hold it
        assert in_child(database.count) == 0
    database.close()


def test_a_fork_within_a_reading_transaction_of_a_server_leaves_the_transaction_whole(
    postgresql_server,
):
    place = postgresql_server.migrated()
    database = RecordDatabase(place)
    with database.write() as session:
        session.execute(sa.text("INSERT INTO sites (code) VALUES ('lsc')"))
        assert in_child(database.count) == 0
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT code FROM sites")) == "lsc"
    database.close()
    postgresql_server.give_back(place)


def test_a_journal_goes_along_into_a_child(database, make_intent):
    journal = Journal(database)
    claim = journal.intend(make_intent())

    def work():
        assert journal.claim(claim.ingestion.id) is None
        assert journal.intend(make_intent("another")) is not None

    assert in_child(work) == 0
    assert journal.intend(make_intent("another")) is not None
    claim.renew()


def test_it_belongs_to_the_first_archive_that_binds_it(database, sql):
    database.demand_archive(ROOT)
    assert sql("SELECT root FROM archives") == []
    for _ in range(2):
        database.belongs_to(ROOT)
        database.demand_archive(ROOT)
    assert sql("SELECT id, root FROM archives") == [(1, ROOT)]


@pytest.mark.parametrize("verb", ["belongs_to", "demand_archive"])
def test_another_archive_is_refused(database, sql, verb):
    database.belongs_to(ROOT)
    with pytest.raises(SchemaError) as refused:
        getattr(database, verb)(OTHER)
    assert str(refused.value) == (
        f"{database.place} holds frame IDs of {ROOT}, which mean other frames at {OTHER}; "
        "set API_ROOT back, or name another database"
    )
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert sql("SELECT root FROM archives") == [(ROOT,)]


BIND = """
import sys
from calrecords.errors import SchemaError
from calrecords.records import RecordDatabase

database = RecordDatabase(sys.argv[1])
database.count()
#READY
try:
    database.belongs_to(sys.argv[2])
    print("bound")
except SchemaError:
    print("refused")
database.close()
"""


@pytest.mark.parametrize(
    ("roots", "answers"),
    [([ROOT] * 4, ["bound\n"] * 4), ([ROOT, OTHER], ["bound\n", "refused\n"])],
)
def test_processes_that_bind_at_once_agree_on_one_archive(
    database, place, together, sql, roots, answers
):
    for _ in range(3):
        sql("DELETE FROM archives", "SELECT 1")
        assert sorted(together(BIND, *[(place, root) for root in roots])) == answers
        assert len(sql("SELECT root FROM archives")) == 1
