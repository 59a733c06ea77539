"""What is said of a version is added to what was said before, and the last that is known holds."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calrecords.errors import InvalidRecordError, RecordNotFoundError
from calrecords.records import Judgements
from calrecords.records.judging import Statement, record_validity, record_verdict
from calrecords.vocabulary import Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)
BAD, GOOD, UNKNOWN = Verdict.BAD, Verdict.GOOD, Verdict.UNKNOWN


def after(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def frame(record, make_version):
    return record(make_version(), START)


@pytest.fixture
def say(database, frame):
    """Return a function that writes a verdict or a range at an hour."""

    def write(hour, *values, reason="", author="ana", known=None):
        known_from = None if known is None else after(known)
        said = Statement(
            reason=reason, author=author, recorded_at=after(hour), known_from=known_from
        )
        write_one = record_verdict if isinstance(values[0], Verdict) else record_validity
        with database.write_rows() as connection:
            return write_one(connection, 1, *values, said)

    return write


@pytest.fixture
def history(database):
    """Return a function that gives the rows of a history, without what is alike in all."""

    def read(table):
        with database.read() as connection:
            rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY id")).mappings()
            return [
                tuple(str(row[name]) for name in row if name not in {"id", "version_id"})
                for row in rows
            ]

    return read


def test_each_verdict_is_added_and_the_last_one_holds(say, history, database):
    assert say(1, BAD, reason="stripes")
    assert say(2, GOOD, author="bo")
    assert [row[:3] for row in history("verdicts")] == [
        ("bad", "stripes", "ana"),
        ("good", "", "bo"),
    ]
    assert database.get(basename="flat").verdict is GOOD


def test_what_was_said_already_is_no_news(say, history):
    assert [
        say(1, UNKNOWN),
        say(1, BAD, reason="stripes"),
        say(2, BAD, reason="stripes", author="bo"),
        say(3, BAD, reason="and blooming"),
        say(4, BAD, reason="stripes"),
        say(5, UNKNOWN),
        say(6, UNKNOWN),
    ] == [False, True, False, True, True, True, False]
    assert [row[0] for row in history("verdicts")] == ["bad", "bad", "bad", "unknown"]


def test_what_an_importer_knew_earlier_does_not_undo_what_was_said_since(say, history, database):
    assert say(5, BAD, reason="stripes")
    assert say(6, GOOD, reason="night log", known=-10)
    assert not say(7, GOOD, reason="night log", known=-10)
    assert database.get(basename="flat").verdict is BAD
    assert say(8, UNKNOWN, reason="looked again", known=7)
    assert database.get(basename="flat").verdict is UNKNOWN
    assert len(history("verdicts")) == 3


def test_a_slow_clock_does_not_make_a_later_word_an_earlier_one(say, database):
    say(5, BAD, reason="stripes")
    say(4, GOOD)
    assert database.get(basename="flat").verdict is GOOD
    with database.read() as connection:
        last = connection.scalar(sa.text("SELECT count(DISTINCT recorded_at) FROM verdicts"))
    assert last == 1


def test_of_two_words_at_one_moment_the_later_written_holds(say, database):
    for verdict in (GOOD, BAD, GOOD, BAD):
        say(1, verdict, reason=verdict)
    assert database.get(basename="flat").verdict is BAD


def test_a_range_is_half_open_and_its_ends_may_be_open(say, history, database):
    assert not say(1, None, None)
    assert say(2, after(10), None, reason="new chip")
    assert not say(3, after(10), None, reason="new chip")
    assert say(4, None, after(20), reason="new chip")
    frame = database.get(basename="flat")
    assert (frame.good_after, frame.good_until) == (None, after(20))
    assert len(history("validity_changes")) == 2
    assert say(5, None, None, reason="always")
    assert database.get(basename="flat").good_until is None


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        ((BAD,), {"reason": "a\0b"}, "the reason"),
        ((BAD,), {"reason": "a\ud800"}, "the reason"),
        ((BAD,), {"author": "a\0b"}, "the author"),
        ((BAD,), {"known": 9}, "lies in the future"),
        ((after(2), after(2)), {}, "which is not later"),
        ((after(2), after(1)), {}, "which is not later"),
    ],
)
def test_what_cannot_be_said_leaves_nothing(say, history, values, more, said):
    with pytest.raises(InvalidRecordError, match=said):
        say(1, *values, **more)
    assert (history("verdicts"), history("validity_changes")) == ([], [])


def test_a_word_is_about_one_version_and_a_new_version_starts_unknown(
    database, record, make_version
):
    judgements = Judgements(database)
    old = record(make_version(content="1"), START)
    assert judgements.mark(old, BAD, reason="x", author="ana").verdict is BAD
    new = record(make_version(content="2"), after(1))
    assert new.verdict is UNKNOWN
    assert judgements.mark(old, GOOD, reason="y", author="ana").version == old.version
    assert [one.verdict for one in database.versions("flat")] == [UNKNOWN, GOOD]


def test_recording_the_same_version_again_leaves_what_was_said(
    database, record, make_version, frame
):
    judgements = Judgements(database)
    judgements.mark(frame, BAD, reason="x", author="ana")
    judgements.set_validity(frame, START, after(9), reason="y", author="ana")
    mended = judgements.correct(frame, {"filter": "gp"}, reason="z", author="ana")
    again = record(make_version(frame_id=7, version_key="k" * 32, archived_at=after(1)), after(2))
    assert (again.verdict, again.good_until, again.filter) == (BAD, after(9), "gp")
    assert (again.attributes, again.frame_id) == (mended.attributes, 7)


def test_a_version_that_is_not_recorded_is_not_found(database, frame, make_version):
    from dataclasses import replace

    judgements = Judgements(database)
    unknown = [replace(frame, basename="other"), replace(frame, basename="a\0b")]
    unknown.append(replace(frame, version=replace(frame.version, md5="0" * 32)))
    for one in unknown:
        with pytest.raises(RecordNotFoundError, match="no such version is recorded"):
            judgements.mark(one, BAD, reason="x", author="ana")


def test_a_version_is_found_again_once_its_checksum_is_learned(database, record, make_version):
    from dataclasses import replace

    frame = record(make_version(version_key="v1"), START)
    without = replace(frame, version=replace(frame.version, md5=None))
    nameless = replace(without, version=replace(without.version, version_key=None))
    judgements = Judgements(database)
    assert judgements.mark(without, BAD, reason="x", author="ana").version == frame.version
    assert judgements.mark(nameless, GOOD, reason="", author="ana").version == frame.version
