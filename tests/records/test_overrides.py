"""An override is obeyed for its target or camera and time, and never deleted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from calrecords.errors import InvalidRecordError, RecordNotFoundError
from calrecords.records import Overrides, RecordedOverride, Subject
from calrecords.records.overrides import ANY_OVERRIDE, find_override

START = datetime(2026, 5, 1, tzinfo=UTC)
WHO = {"reason": "x", "author": "ana"}


def after(hours):
    return START + timedelta(hours=hours)


@pytest.fixture
def flat(record, make_version):
    return record(make_version(), START)


@pytest.fixture
def overrides(database):
    return Overrides(database)


@pytest.fixture
def found(database):
    """Return a function that gives the number of the override that a choice obeys."""

    def find(caltype="skyflat", basename="science", site="lsc", camera="fa15", hour=0, as_of=None):
        target = {"basename": basename, "site": site, "camera": camera, "dateobs": after(hour)}
        with database.read() as connection:
            one = find_override(connection, caltype, **target, as_of=as_of)
        return one and one.id

    return find


def test_an_override_is_whole(overrides, flat):
    subject = Subject(target="science", applies_until=after(9))
    made = overrides.set(" SKYFLAT ", flat, subject, **WHO)
    assert made == RecordedOverride(
        id=1,
        caltype="SKYFLAT",
        version_id=1,
        filename="flat.fits.fz",
        md5=flat.version.md5,
        target="science",
        site=None,
        camera=None,
        applies_after=None,
        applies_until=after(9),
        reason="x",
        author="ana",
        recorded_at=made.recorded_at,
    )
    assert overrides.set("SKYFLAT", flat, subject, reason="x", author="bo") == made
    assert overrides.all() == [made]


def test_the_targets_own_comes_first_and_then_the_newest(overrides, flat, found):
    camera = Subject(site="lsc", camera="fa15")
    overrides.set("SKYFLAT", flat, Subject(target="science"), **WHO)
    overrides.set("SKYFLAT", flat, camera, **WHO)
    overrides.set("SKYFLAT", flat, replace(camera, applies_after=after(1)), **WHO)
    assert (found(), found(basename="other"), found(basename=None, hour=1)) == (1, 2, 3)
    overrides.set("SKYFLAT", flat, Subject(target="science"), reason="y", author="ana")
    assert found() == 4


def test_an_override_is_for_nothing_else(overrides, flat, found):
    period = {"applies_after": after(1), "applies_until": after(2)}
    overrides.set("SKYFLAT", flat, Subject(site="lsc", camera="fa15", **period), **WHO)
    hours = [found(hour=hour) for hour in (0.9, 1, 1.9, 2)]
    assert hours == [None, 1, 1, None]
    elsewhere = [{"caltype": "BIAS"}, {"site": "ogg"}, {"camera": "fa16"}, {"site": None}]
    assert [found(hour=1, **other) for other in elsewhere] == [None] * 4


def test_a_withdrawn_override_held_until_then(overrides, flat, found):
    made = overrides.set("SKYFLAT", flat, Subject(target="science"), **WHO)
    gone = overrides.withdraw(1, reason="better one", author="bo")
    assert gone == replace(
        made, withdrawn_at=gone.withdrawn_at, withdrawn_by="bo", withdrawn_reason="better one"
    )
    assert overrides.withdraw(1, reason="again", author="cy") == gone
    assert (overrides.all(withdrawn=False), overrides.all()) == ([], [gone])
    moment = timedelta(microseconds=1)
    times = [made.recorded_at - moment, made.recorded_at, gone.withdrawn_at - moment]
    assert [found(as_of=time) for time in [*times, gone.withdrawn_at]] == [None, 1, 1, None]
    assert found() is None
    assert overrides.set("SKYFLAT", flat, Subject(target="science"), **WHO).id == 2


def test_that_there_is_none_is_known_at_once(database, overrides, flat):
    def there_is():
        with database.read() as connection:
            return connection.exec_driver_sql(ANY_OVERRIDE).first()

    assert there_is() is None
    overrides.set("SKYFLAT", flat, Subject(target="science"), **WHO)
    assert there_is() is not None


@pytest.mark.parametrize(
    ("caltype", "subject", "error", "said"),
    [
        ("SKYFLAT", Subject(), InvalidRecordError, "one target, or for a site and a camera"),
        ("SKYFLAT", Subject(site="lsc"), InvalidRecordError, "one target, or for a site"),
        (
            "SKYFLAT",
            Subject(target="s", site="lsc", camera="fa15"),
            InvalidRecordError,
            "give either",
        ),
        ("SKYFLAT", Subject(target="s", camera="fa15"), InvalidRecordError, "give either"),
        (
            "SKYFLAT",
            Subject(target="s", applies_after=START, applies_until=START),
            InvalidRecordError,
            "not later",
        ),
        ("", Subject(target="s"), InvalidRecordError, "caltype ''"),
        ("B" * 101, Subject(target="s"), InvalidRecordError, "the caltype"),
        ("SKYFLAT", Subject(target="s\0"), InvalidRecordError, "the target"),
        (
            "SKYFLAT",
            Subject(site="lsc", camera="fa16"),
            RecordNotFoundError,
            "camera 'fa16' at site 'lsc' is recorded; known there: fa15",
        ),
        ("SKYFLAT", Subject(site="ogg\0", camera="x"), RecordNotFoundError, "known there: none"),
    ],
)
def test_an_override_of_nothing_is_refused(
    overrides, flat, database, caltype, subject, error, said
):
    with pytest.raises(error, match=said):
        overrides.set(caltype, flat, subject, **WHO)
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM overrides")) == 0


@pytest.mark.parametrize("number", [7, -1, 2**70])
def test_what_is_not_there_cannot_be_withdrawn(overrides, number):
    with pytest.raises(RecordNotFoundError, match=f"no override {number}; look at: calrecords"):
        overrides.withdraw(number, **WHO)
