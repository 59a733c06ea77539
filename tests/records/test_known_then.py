"""What was known of many versions at a moment is what was known of each then."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from calrecords.records import Judgements
from calrecords.records.correcting import correct_version
from calrecords.records.judging import Statement, record_validity, record_verdict
from calrecords.records.known_then import as_known_at, validities_at, verdicts_at
from calrecords.vocabulary import Binning, Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def after(hours):
    return START + timedelta(hours=hours)


def said(hour, known=None):
    known_from = None if known is None else after(known)
    return Statement(reason="x", author="ana", recorded_at=after(hour), known_from=known_from)


@pytest.fixture
def then(database):
    """Return a function that gives versions as they were known at a moment."""

    def read(frames, moment):
        with database.read() as connection:
            return as_known_at(connection, frames, moment)

    return read


def test_a_verdict_holds_from_the_moment_that_it_is_known(database, record, make_version):
    record(make_version(), START)
    with database.write_rows() as connection:
        record_verdict(connection, 1, Verdict.BAD, said(5))
        record_verdict(connection, 1, Verdict.GOOD, said(6, known=2))
        record_validity(connection, 1, None, after(9), said(7))
    moments = [after(2) - MOMENT, after(2), after(5) - MOMENT, after(5), after(99)]
    with database.read() as connection:
        verdicts = [verdicts_at(connection, [1], moment).get(1) for moment in moments]
        ranges = [validities_at(connection, [1], moment).get(1) for moment in moments]
    assert verdicts == [None, Verdict.GOOD, Verdict.GOOD, Verdict.BAD, Verdict.BAD]
    assert ranges == [None, None, None, None, (None, after(9))]


def test_corrections_are_undone_in_their_order(database, record, make_version, then):
    first = record(make_version(), START)
    for hour, facts in [
        (
            1,
            {"filter": "gp", "binning": Binning(1, 1), "attributes.GAIN": 2, "attributes.NEW": [1]},
        ),
        (2, {"filter": None, "dateobs": None, "dayobs": date(2020, 1, 1), "created": after(0)}),
        (2, {"filter": "zs", "attributes.NEW": None, "exposure_time": 1.0}),
    ]:
        with database.write_rows() as connection:
            assert correct_version(connection, 1, facts, said(hour))
    now = {1: database.get(basename="flat")}
    assert (now[1].filter, now[1].attributes["NEW"], now[1].dateobs) == ("zs", None, None)
    assert then(now, after(1) - MOMENT) == {1: first}
    changed = {"GAIN": 2, "NEW": [1]}
    second = replace(
        first, filter="gp", binning=Binning(1, 1), attributes={**first.attributes, **changed}
    )
    assert then(now, after(2) - MOMENT) == {1: second}
    assert then(now, after(2)) == now


def test_many_versions_are_read_at_once(database, record, make_version, then):
    with database.write() as session:
        from calrecords.records.recording import record_version

        for n in range(1001):
            record_version(session, make_version(f"f{n}", str(n)), START)
    frame = database.get(basename="f0")
    judgements = Judgements(database)
    judgements.mark(database.get(basename="f0"), Verdict.BAD, reason="x", author="ana")
    judgements.mark(database.get(basename="f1000"), Verdict.GOOD, reason="x", author="ana")
    known = then(dict.fromkeys(range(1, 1002), frame), datetime.now(UTC))
    marked = {n: one.verdict for n, one in known.items() if one.verdict is not Verdict.UNKNOWN}
    assert (len(known), marked) == (1001, {1: Verdict.BAD, 1001: Verdict.GOOD})
