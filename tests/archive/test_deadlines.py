"""A deadline is for the whole call."""

import pytest

from calrecords.archive.deadlines import Deadline


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_allows_the_shorter_of_a_wait_and_of_what_is_left(clock):
    deadline = Deadline(10, 3, clock)
    assert (deadline.allow(), deadline.allow(5), deadline.allow(50)) == (3, 5, 10)
    clock.now += 8
    assert (deadline.allow(), deadline.allow(5)) == (2, 2)


def test_allows_nothing_when_it_is_over(clock):
    deadline = Deadline(10, 3, clock)
    assert not deadline.is_over
    clock.now += 10
    assert deadline.is_over
    with pytest.raises(TimeoutError, match="within 10 s"):
        deadline.allow()


def test_moves_for_an_answer_that_keeps_coming(clock):
    deadline = Deadline(10, 3, clock)
    deadline.extend(5)
    clock.now += 13
    assert deadline.allow() == 2
