"""Past uses are read some at a time, with what is recorded of their targets."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from calrecords.errors import RecordNotFoundError
from calrecords.matching import MatchSet
from calrecords.records import Asked, Uses
from calrecords.records.past_uses import NAMES_AT_ONCE, PastUses, RecordedVersion
from calrecords.records.uses import newest_uses

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def past(database):
    return PastUses(database, at_once=3)


def test_every_newest_use_is_on_one_page(database, past, record, make_version):
    assert list(past.pages()) == []
    frames = [record(make_version(name, name), START) for name in ("a", "b")]
    uses = Uses(database)
    for number in range(7):
        for frame, caltype in zip((*frames, frames[1]), ("BIAS", "BIAS", "DARK"), strict=True):
            uses.record(f"science-{number}", frame, caltype, Asked())
    pages = list(past.pages())
    assert [len({use.target for use in page}) for page in pages] == [3, 3, 1]
    with database.read() as connection:
        every = newest_uses(connection)
    assert sorted(use.id for page in pages for use in page) == sorted(use.id for use in every)
    assert len(every) == 14


def test_targets_that_are_recorded_are_described(past, record, make_version):
    old = record(make_version("flat", "1"), START)
    new = record(make_version("flat", "2"), START)
    names = {f"unknown-{number}" for number in range(NAMES_AT_ONCE)}
    assert past.described({"flat", *names}) == {"flat": new}
    assert past.described(set()) == {}
    assert past.version(old) == RecordedVersion(id=1, frame=old, is_current=False)
    assert past.version(new) == RecordedVersion(id=2, frame=new, is_current=True)
    assert past.version_numbered(1) == old
    assert (past.count_affected(new), past.affected_counts(["flat"])) == (0, {"flat": 0})


def test_a_version_that_is_not_recorded_is_said(past, record, make_version):
    frame = record(make_version(), START)
    with pytest.raises(RecordNotFoundError, match="nosuch"):
        past.version(replace(frame, basename="nosuch"))


def test_which_sets_are_not_indexed_is_known_without_indexing_them(database, past):
    sets = [MatchSet(("camera",)), MatchSet(("camera", "site"))]
    database.ensure_match_sets(sets[:1])
    assert past.missing_sets(sets) == past.missing_sets(sets) == {sets[1]}
