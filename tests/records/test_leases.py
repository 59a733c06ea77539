"""A hold ends with its process, wherever that can be known, and with its time elsewhere."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.records.leases import LEASE, is_gone, is_held, new_owner

HOLD = (
    "import sys; from calrecords.records.leases import new_owner; "
    "print(new_owner(), flush=True); sys.stdin.read()"
)


@pytest.fixture
def holder():
    """Return a process that holds something, and the name it holds it under."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.communicate()


def changed(owner, position, value):
    parts = owner.split("|")
    parts[position] = value
    return "|".join(parts)


def test_two_claims_of_one_process_differ():
    assert new_owner() != new_owner()


def test_a_process_at_work_is_not_gone(holder):
    _, owner = holder
    assert not is_gone(owner)
    assert not is_gone(new_owner())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_is_gone_before_and_after_somebody_waits_for_it(holder, number):
    process, owner = holder
    process.send_signal(number)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(owner)
    process.communicate()
    assert is_gone(owner)


def test_another_process_with_the_number_of_a_dead_one_does_not_hold_its_claims(holder):
    _, owner = holder
    assert is_gone(changed(owner, 2, "1"))


def test_where_the_start_of_a_process_is_not_known_its_number_is_believed(holder):
    process, owner = holder
    unknown = changed(owner, 2, "")
    assert not is_gone(unknown)
    process.kill()
    process.communicate()
    assert is_gone(unknown)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_processes_of_another_host_boot_or_container_are_not_judged(holder, part):
    process, owner = holder
    where = owner.split("|")[0].split(":")
    assert len(where) >= 4
    where[part - 3] = "another"
    process.kill()
    process.communicate()
    assert not is_gone(changed(owner, 0, ":".join(where)))
    assert is_gone(owner)


@pytest.mark.parametrize(
    "owner", ["", "junk", "host:1:2:3", "||||", "|pid||", f"{new_owner().split('|')[0]}|-1|0|x"]
)
def test_a_name_that_is_not_ours_is_not_judged(owner):
    assert not is_gone(owner)


def test_a_number_that_no_process_can_have_is_gone():
    assert is_gone(changed(new_owner(), 1, str(2**70)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_process_is_judged_by_its_start():
    ours = new_owner()
    child = os.fork()
    if child == 0:
        os.setuid(65534)
        os._exit(2 * is_gone(changed(ours, 2, "1")) + is_gone(ours))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2


ELSEWHERE = "elsewhere:boot:pid|1|1|0"
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("left", "lease", "holds"),
    [
        (-LEASE, LEASE, False),
        (LEASE, LEASE, True),
        (1.5 * LEASE, LEASE, True),
        (2 * LEASE + DAY, LEASE, False),
        (2 * LEASE + DAY, DAY, False),
        (LEASE / 2 + DAY, DAY, True),
        (1000 * DAY, DAY, False),
    ],
)
def test_what_would_hold_longer_than_any_was_made_by_a_wrong_clock(left, lease, holds):
    assert is_held(ELSEWHERE, datetime.now(UTC) + left, lease) is holds


def test_a_process_that_is_seen_to_live_holds_what_it_has_whatever_its_clock_was(holder):
    process, owner = holder
    until = datetime.now(UTC) + 1000 * DAY
    assert is_held(owner, until)
    assert is_held(new_owner(), until)
    process.kill()
    process.wait()
    assert not is_held(owner, until)


@pytest.mark.parametrize("hold", [(None, None), (ELSEWHERE, None), (None, datetime.now(UTC) + DAY)])
def test_what_nobody_has_is_not_held(hold):
    assert not is_held(*hold)
