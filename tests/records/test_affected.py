"""What was made with a frame is found through masters, once each, whatever refers to what."""

import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from calrecords.records import AffectedFrame, Asked, Uses
from calrecords.records.affected import affected_counts
from calrecords.records.models import FrameUse

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def uses(database):
    return Uses(database)


@pytest.fixture
def frame(record, make_version):
    """Return a function that records a frame that was made from others."""

    def make(name, *inputs, content=None):
        named = tuple((f"IMCOM{n:03}", one) for n, one in enumerate(inputs))
        return record(make_version(name, content or name, facts_with={"inputs": named}), START)

    return make


def shown(found):
    return [(one.depth, one.basename, one.through, " > ".join(one.path)) for one in found]


def test_a_frame_is_followed_through_masters_of_masters_to_targets(uses, frame):
    raw = frame("raw")
    bias = frame("bias", "raw", "raw-2")
    dark = frame("dark", "dark-1", "bias")
    flat = frame("flat", "bias", "dark")
    uses.record("science", flat, "SKYFLAT", Asked())
    uses.record("science", dark, "DARK", Asked())
    uses.record("other", bias, "BIAS", Asked())
    found = uses.affected_by(raw)
    assert shown(found) == [
        (1, "bias", "IMCOM000", "raw > bias"),
        (2, "dark", "IMCOM001", "raw > bias > dark"),
        (2, "flat", "IMCOM000", "raw > bias > flat"),
        (2, "other", "BIAS", "raw > bias > other"),
        (3, "science", "DARK", "raw > bias > dark > science"),
    ]
    assert found[0] == AffectedFrame(
        basename="bias", obstype="SKYFLAT", through="IMCOM000", depth=1, path=("raw", "bias")
    )
    assert found[-1].obstype is None
    assert shown(uses.affected_by(dark)) == [
        (1, "flat", "IMCOM001", "dark > flat"),
        (1, "science", "DARK", "dark > science"),
    ]
    assert uses.affected_by(frame("alone")) == []


def test_a_circle_ends(uses, frame):
    one = frame("one", "two", "one")
    frame("two", "one")
    uses.record("two", one, "BIAS", Asked())
    assert shown(uses.affected_by(one)) == [(1, "two", "IMCOM000", "one > two")]


def test_the_uses_of_another_version_do_not_count(uses, frame):
    old = frame("bias", content="1")
    new = frame("bias", content="2")
    uses.record("early", old, "BIAS", Asked())
    uses.record("late", new, "BIAS", Asked())
    assert [one.basename for one in uses.affected_by(old)] == ["early"]
    assert [one.basename for one in uses.affected_by(new)] == ["late"]


def test_a_target_that_is_recorded_or_an_input_itself_is_followed_further(uses, frame):
    bias = frame("bias")
    dark = frame("dark", content="1")
    frame("dark", content="2")
    uses.record("dark", bias, "BIAS", Asked())
    uses.record("science", dark, "DARK", Asked())
    uses.record("reduced", bias, "BIAS", Asked())
    frame("stack", "reduced")
    assert shown(uses.affected_by(bias)) == [
        (1, "dark", "BIAS", "bias > dark"),
        (1, "reduced", "BIAS", "bias > reduced"),
        (2, "science", "DARK", "bias > dark > science"),
        (2, "stack", "IMCOM000", "bias > reduced > stack"),
    ]


def test_many_are_counted_at_once(database, uses, frame):
    made = [frame(*names) for names in (("a", "d"), ("b", "a"), ("c", "a", "b"), ("d", "c"))]
    made += [frame(f"e{number}", "b") for number in range(4)]
    for number in range(3):
        uses.record(f"science-{number}", made[2], "SKYFLAT", Asked())
    uses.record("e1", made[2], "SKYFLAT", Asked())
    with database.read() as connection:
        counts = affected_counts(connection, [*(one.basename for one in made), "science-0", "no"])
        assert affected_counts(connection, []) == {}
    assert counts == {
        **{one.basename: len(uses.affected_by(one)) for one in made},
        **{"science-0": 0, "no": 0},
    }
    assert counts["a"] == 10
    frame("a", content="another")
    with database.read() as connection:
        assert affected_counts(connection, ["a"]) == {"a": 10}


def test_many_uses_are_followed_in_a_moment(sqlite_database, record_on, frame_names):
    bias = record_on(sqlite_database)
    rows = [
        {"target_basename": name, "version_id": 1, "caltype": "BIAS", "recorded_at": START}
        for name in frame_names
    ]
    with sqlite_database.write_rows() as connection:
        connection.execute(sa.insert(FrameUse), rows)
    started = time.thread_time()
    assert len(Uses(sqlite_database).affected_by(bias)) == 20_000
    assert time.thread_time() - started < 2


@pytest.fixture
def frame_names():
    return [f"science-{n:06}" for n in range(20_000)]


@pytest.fixture
def record_on(make_version):
    from calrecords.records.recording import record_version

    def write(database):
        with database.write() as session:
            record_version(session, make_version("bias"), START)
        return database.get(basename="bias")

    return write
