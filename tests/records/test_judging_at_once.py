"""Processes that judge the same frames at once lose nothing, and leave the last word."""

import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest

from calrecords.errors import CalRecordsError
from calrecords.records import Judgements
from calrecords.records.correcting import correct_version
from calrecords.records.judging import Statement, record_verdict
from calrecords.records.pinning import locked_frame_row, locked_version_row
from calrecords.vocabulary import Verdict

MARK = """
import sys
from calrecords.records import Judgements, RecordDatabase
from calrecords.vocabulary import Verdict

database = RecordDatabase(sys.argv[1])
frame = database.get(basename="flat")
judgements = Judgements(database)
#READY
for n in range(10):
    verdict = Verdict.BAD if n % 2 else Verdict.GOOD
    judgements.mark(frame, verdict, reason=f"{sys.argv[2]} {n}", author=sys.argv[2])
    judgements.correct(frame, {"object": f"{sys.argv[2]} {n}"}, reason="x", author=sys.argv[2])
database.close()
"""


@pytest.fixture
def indexed(database, record, make_version):
    from calrecords.matching import MatchSet

    by_object = MatchSet(("object",), "SKYFLAT")
    database.ensure_match_sets([by_object])
    record(make_version())
    return by_object


def test_no_word_and_no_correction_is_lost(database, place, together, sql, indexed):
    together(MARK, *[(place, name) for name in ("ana", "bo", "cy")])
    reasons = {f"{name} {n}" for name in ("ana", "bo", "cy") for n in range(10)}
    rows = sql("SELECT verdict, reason FROM verdicts ORDER BY recorded_at, id")
    assert {reason for _, reason in rows} == reasons
    frame = database.get(basename="flat")
    assert frame.verdict == rows[-1][0]
    assert len(sql("SELECT id FROM corrections")) == 30
    [(key, _)] = sql("SELECT match_key, 1 FROM selection_index WHERE known_until IS NULL")
    [(now,)] = sql("SELECT object FROM frame_versions")
    assert bytes(key) == indexed.key({"object": now})


@pytest.fixture
def meanwhile(database):
    """Return a function that begins something in a thread, and gives what waits for its end."""

    @contextmanager
    def begun(work):
        failures = []

        def run():
            try:
                work()
            except CalRecordsError as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(0.2)
        assert thread.is_alive()
        yield
        thread.join()
        assert failures == []

    return begun


def said(reason):
    return Statement(reason=reason, author="ana", recorded_at=datetime.now(UTC))


def test_who_says_the_same_meanwhile_waits_and_finds_it_said(
    database, record, make_version, sql, meanwhile
):
    frame = record(make_version())
    again = meanwhile(
        lambda: Judgements(database).mark(frame, Verdict.BAD, reason="x", author="bo")
    )
    with ExitStack() as stack, database.write_rows() as connection:
        version = locked_version_row(connection, frame)
        record_verdict(connection, version, Verdict.BAD, said("x"))
        stack.enter_context(again)
    assert sql("SELECT author FROM verdicts") == [("ana",)]


def test_a_new_version_meanwhile_waits_and_ends_the_corrected_facts(
    database, record, make_version, sql, indexed, meanwhile
):
    frame = database.get(basename="flat")
    newer = meanwhile(lambda: database.record(make_version(content="newer")))
    with ExitStack() as stack, database.write_rows() as connection:
        version = locked_frame_row(connection, frame)
        correct_version(connection, version, {"object": "mended"}, said("x"))
        stack.enter_context(newer)
    assert sql("SELECT version_id FROM selection_index WHERE known_until IS NULL") == [(2,)]
    assert sql("SELECT count(*) FROM selection_index") == [(3,)]


REGISTER = """
import sys
from calrecords.matching import MatchSet
from calrecords.records import RecordDatabase

database = RecordDatabase(sys.argv[1])
#READY
for name in ("camera", "filter", "site", "telescope"):
    database.ensure_match_sets([MatchSet((name,), "SKYFLAT")])
database.close()
"""
RECORD = """
import sys
from datetime import UTC, datetime
from hashlib import md5
from calrecords.frames import FrameFacts
from calrecords.records import NewVersion, PartialDigest, RecordDatabase

database = RecordDatabase(sys.argv[1])
facts = FrameFacts(obstype="SKYFLAT", site="lsc", camera="fa15", dateobs=datetime.now(UTC))
#READY
for n in range(20):
    for content in ("1", "2"):
        digest = PartialDigest(md5(f"{sys.argv[2]} {n} {content}".encode()).hexdigest())
        name = f"{sys.argv[2]}-{n}"
        database.record(NewVersion(basename=name, extension=".fits", facts=facts, digest=digest))
database.close()
"""


def test_every_version_is_in_every_set_that_is_registered_meanwhile(place, together, sql, database):
    script = f"import sys\nif sys.argv[2] == 'register':\n{indented(REGISTER)}\nelse:\n"
    script += indented(RECORD)
    together(script, (place, "register"), (place, "ana"), (place, "bo"))
    counted = sql(
        "SELECT count(*), count(DISTINCT match_key), count(DISTINCT version_id) "
        "FROM selection_index WHERE known_until IS NULL"
    )
    assert counted == [(4 * 40, 4, 40)]
    assert sql("SELECT count(*) FROM selection_index") == [(4 * 80,)]


def indented(script):
    return "\n".join(f"    {line}" for line in script.splitlines())
