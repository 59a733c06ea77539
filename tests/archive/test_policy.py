"""The policy repeats what may pass, waits as asked, and waits for no day."""

import time

import pytest

from calrecords.archive.policy import LONGEST_WAIT_S, default_retrying, repeated
from calrecords.errors import ArchiveRefusedError, ArchiveUnavailableError


@pytest.fixture
def waits():
    return []


@pytest.fixture
def policy(waits):
    return default_retrying().copy(sleep=waits.append)


def failing(error, calls):
    def act():
        calls.append(error)
        raise error

    return act


def test_does_not_retry_what_will_not_change(policy, waits):
    calls = []
    with pytest.raises(ArchiveRefusedError):
        policy(failing(ArchiveRefusedError("no"), calls))
    assert (len(calls), waits) == (1, [])


def test_waits_longer_each_time_at_most(policy, waits):
    calls = []
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("down"), calls))
    assert len(calls) == 5
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))


def test_waits_as_long_as_the_server_asks(policy, waits):
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("busy", retry_after_s=LONGEST_WAIT_S), []))
    assert waits == [LONGEST_WAIT_S] * 4


def test_does_not_wait_for_hours(policy, waits):
    calls = []
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("busy", retry_after_s=LONGEST_WAIT_S + 1), calls))
    assert (len(calls), waits) == (1, [])


def test_the_longest_wait_is_the_callers_to_choose(waits):
    policy = default_retrying(attempts=2, longest_wait_s=120).copy(sleep=waits.append)
    calls = []
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("busy", retry_after_s=120), calls))
    assert (len(calls), waits) == (2, [120])


def test_does_not_begin_a_wait_that_would_end_too_late(waits):
    policy = default_retrying(total_s=30).copy(sleep=waits.append)
    calls = []
    with pytest.raises(ArchiveUnavailableError) as caught:
        policy(failing(ArchiveUnavailableError("busy", retry_after_s=31), calls))
    assert (len(calls), waits, caught.value.retry_after_s) == (1, [], 31)


def test_the_waits_asked_for_stay_within_the_total_together():
    policy = default_retrying(total_s=2)
    calls = []
    start = time.monotonic()
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("busy", retry_after_s=0.8), calls))
    assert len(calls) == 3
    assert time.monotonic() - start < 2


def test_what_fails_at_first_is_repeated_as_often_as_the_policy_alone_would(policy, waits):
    alone, calls = [], []
    with pytest.raises(ArchiveUnavailableError):
        policy(failing(ArchiveUnavailableError("down"), alone))
    waited = len(waits)
    with pytest.raises(ArchiveUnavailableError):
        repeated(policy, failing(ArchiveUnavailableError("down"), calls))
    assert (len(calls), len(waits)) == (len(alone), 2 * waited)


def test_what_is_not_worth_it_is_asked_once(policy, waits):
    calls = []
    with pytest.raises(ArchiveRefusedError):
        repeated(policy, failing(ArchiveRefusedError("no"), calls))
    assert (len(calls), waits) == (1, [])


def test_an_answer_after_failures_is_returned_and_one_at_once_asks_no_policy(policy, waits):
    answers = iter([ArchiveUnavailableError("down"), ArchiveUnavailableError("down"), "answer"])

    def ask():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert repeated(policy, ask) == "answer"
    assert len(waits) == 2
    assert repeated(policy, lambda: "at once") == "at once"
    assert len(waits) == 2
