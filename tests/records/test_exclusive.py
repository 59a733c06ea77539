"""Where a rule allows one version of a configuration at a time, an overlap names the others."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import InvalidRecordError
from calrecords.matching import MatchSet
from calrecords.records import Judgements
from calrecords.vocabulary import Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)
ALIKE = MatchSet(("camera", "filter"), "SKYFLAT")
WHO = {"reason": "x", "author": "ana"}


def after(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def judgements(database):
    database.ensure_match_sets([ALIKE])
    return Judgements(database)


@pytest.fixture
def flats(judgements, record, make_version):
    """Return three flats of one configuration, of which two are valid one after the other."""
    names = ("a", "b", "c")
    made = [record(make_version(name, name), START) for name in names]
    judgements.set_validity(made[0], None, after(10), **WHO)
    judgements.set_validity(made[1], after(10), after(20), **WHO)
    return made


def valid(judgements, frame, start, end):
    ends = (None if moment is None else after(moment) for moment in (start, end))
    return judgements.set_validity(frame, *ends, **WHO, exclusive={"one flat": ALIKE})


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (None, None, "a.fits.fz [open, 2026-05-01T10:00:00Z); b.fits.fz [2026-05-01T10:00:00Z, "),
        (5, 10, "a.fits.fz [open, 2026-05-01T10:00:00Z); end"),
        (19, None, "b.fits.fz [2026-05-01T10:00:00Z, 2026-05-01T20:00:00Z); end"),
        (9, 11, "a.fits.fz [open, "),
        (12, 13, "b.fits.fz ["),
    ],
)
def test_an_overlap_is_refused_with_the_frames_and_the_ways_out(
    judgements, flats, sql, start, end, said
):
    with pytest.raises(InvalidRecordError, match="the rule 'one flat' is exclusive") as raised:
        valid(judgements, flats[2], start, end)
    assert said in str(raised.value)
    assert str(raised.value).startswith("c.fits.fz cannot be valid [")
    assert str(raised.value).endswith("choose another range, or mark them bad")
    assert len(sql("SELECT id FROM validity_changes")) == 2


def test_ranges_that_touch_do_not_overlap(judgements, flats):
    assert valid(judgements, flats[2], 20, None).good_after == after(20)
    assert valid(judgements, flats[1], 10, 19).good_until == after(19)


def test_what_no_rule_takes_does_not_count(judgements, flats, record, make_version):
    judgements.mark(flats[0], Verdict.BAD, **WHO)
    judgements.correct(flats[1], {"filter": "gp"}, **WHO)
    record(make_version("bias", "d", facts_with={"obstype": "BIAS"}), START)
    record(make_version("other", "e", facts_with={"camera": "fa16"}), START)
    assert valid(judgements, flats[2], None, None).good_after is None
    newer = record(make_version("c", "newer"), after(1))
    assert valid(judgements, newer, 1, 2).good_after == after(1)


def test_many_that_overlap_are_counted(judgements, record, make_version):
    made = [record(make_version(f"f{n}", str(n)), START) for n in range(8)]
    with pytest.raises(InvalidRecordError, match="and 2 more; end their validity first"):
        valid(judgements, made[0], 1, 2)
    assert valid(judgements, record(make_version("x", "x", facts_with={"filter": "y"})), 1, 2)


EXCLUDE = """
import sys
from datetime import UTC, datetime
from calrecords.errors import InvalidRecordError
from calrecords.matching import MatchSet
from calrecords.records import Judgements, RecordDatabase

database = RecordDatabase(sys.argv[1])
frame = database.get(basename=sys.argv[2])
alike = {"one flat": MatchSet(("camera", "filter"), "SKYFLAT")}
day = datetime(2030, 1, 1, tzinfo=UTC)
#READY
try:
    Judgements(database).set_validity(
        frame, day, None, reason="x", author=sys.argv[2], exclusive=alike
    )
    print("set")
except InvalidRecordError:
    print("refused")
database.close()
"""


def test_of_several_at_once_one_gets_the_time(database, place, judgements, flats, together):
    judgements.set_validity(flats[2], after(20), after(30), **WHO)
    names = [(place, name) for name in ("a", "b", "c")]
    assert sorted(together(EXCLUDE, *names)) == ["refused\n", "refused\n", "set\n"]
