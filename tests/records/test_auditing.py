"""What audits saw is kept, once for each audit, and one process at a time goes on with one."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import RecordNotFoundError, RecordsUnavailableError
from calrecords.records import Audits, Sighting
from calrecords.records.leases import new_owner

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
DAY = timedelta(days=1)
SEEN = Sighting(
    fingerprint="a" * 64,
    kind="object missing",
    name="flat.fits",
    found="recorded as a/b.fits, and not in the store",
    what={"key": "a/b.fits", "size": None, "list": [1]},
    seen_at=NOW,
)


@pytest.fixture
def audits(database):
    return Audits(database)


def test_an_audit_is_kept_with_what_it_saw(audits):
    held = audits.begin("all", NOW)
    other = replace(SEEN, fingerprint="b" * 64, seen_at=NOW + DAY)
    held.save({"archive": {"cursor": [1, "x"]}}, [SEEN], NOW + DAY)
    held.save({"archive": {"cursor": None}}, [SEEN, other, other], NOW + 2 * DAY, is_finished=True)
    found = audits.get()
    assert (found.id, found.question, found.progress) == (1, "all", {"archive": {"cursor": None}})
    assert (found.started_at, found.updated_at, found.finished_at) == (
        NOW,
        NOW + 2 * DAY,
        NOW + 2 * DAY,
    )
    assert audits.findings(1) == [SEEN, other]
    assert audits.get(1) == found


def test_the_newest_audit_is_the_one_that_is_shown(audits):
    for name in ("one", "two"):
        audits.begin(name, NOW).release()
    assert audits.get().question == "two"


@pytest.mark.parametrize("number", [None, 7])
def test_an_audit_that_never_was_is_not_found(audits, number):
    with pytest.raises(RecordNotFoundError, match="run: calrecords audit"):
        audits.get(number)


def test_an_unfinished_audit_goes_on_where_it_stopped(audits):
    first = audits.begin("all", NOW)
    first.save({"cursor": 5}, [], NOW)
    first.release()
    again = audits.begin("all", NOW + DAY)
    assert (again.audit.id, again.audit.progress) == (1, {"cursor": 5})
    again.save({"cursor": 9}, [], NOW + DAY, is_finished=True)
    again.release()
    assert audits.begin("all", NOW + 2 * DAY).audit.id == 2


def test_another_question_and_one_asked_anew_have_audits_of_their_own(audits):
    audits.begin("all", NOW).release()
    assert audits.begin("site lsc", NOW).audit.id == 2
    assert audits.begin("all", NOW, anew=True).audit.id == 3


def test_one_process_at_a_time_is_at_an_audit(audits):
    held = audits.begin("all", NOW)
    with pytest.raises(RecordsUnavailableError, match="at audit 1"):
        audits.begin("all", NOW)
    held.release()
    taken = audits.begin("all", NOW)
    with pytest.raises(RecordsUnavailableError, match="taken over audit 1"):
        held.save({}, [SEEN], NOW)
    assert audits.findings(1) == []
    taken.save({}, [SEEN], NOW)
    held.release()
    taken.save({}, [], NOW)


def test_the_audit_of_a_process_that_ended_is_free_at_once(audits, sql):
    audits.begin("all", NOW)
    code = "from calrecords.records.leases import new_owner; print(new_owner())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().split("|")[0] == new_owner().split("|")[0]
    sql(f"UPDATE audits SET lease_owner = '{done.stdout.strip()}'", "SELECT 1")
    assert audits.begin("all", NOW).audit.id == 1


def test_an_audit_that_was_left_too_long_is_free(audits, sql):
    audits.begin("all", NOW)
    sql("UPDATE audits SET lease_until = '2026-01-01 00:00:00.000000'", "SELECT 1")
    assert audits.begin("all", NOW).audit.id == 1


def test_an_audit_that_was_left_by_a_wrong_clock_is_free(audits, sql):
    audits.begin("all", NOW)
    far = "lease_until = '2999-01-01 00:00:00.000000'"
    sql(f"UPDATE audits SET lease_owner = 'elsewhere:boot:pid|1|1|0', {far}", "SELECT 1")
    assert audits.begin("all", NOW).audit.id == 1


def test_what_other_audits_saw_is_told_with_when_it_was_first(audits):
    for day in (3, 1, 2):
        held = audits.begin("all", NOW, anew=True)
        held.save({}, [replace(SEEN, seen_at=NOW + day * DAY)], NOW, is_finished=True)
    many = [f"{number:064}" for number in range(1200)]
    assert audits.seen_before(2, [*many, SEEN.fingerprint]) == {SEEN.fingerprint: NOW + 2 * DAY}
    assert audits.seen_before(1, [SEEN.fingerprint]) == {SEEN.fingerprint: NOW + DAY}
    assert audits.seen_before(1, many) == {}


def test_many_faults_with_anybodys_names_can_be_written(audits):
    held = audits.begin("all", NOW)
    odd = "null \0 and half of a pair \ud800"
    many = [replace(SEEN, fingerprint=f"{n:064}", name=odd, found=odd) for n in range(1200)]
    held.save({}, many, NOW)
    held.save({}, many, NOW)
    found = audits.findings(1)
    assert len(found) == 1200
    assert found[0].name == "null \\0 and half of a pair \\ud800"
