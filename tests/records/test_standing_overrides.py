"""Overrides that are found in memory are those that the database finds."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.records import Overrides, Subject
from calrecords.records.overrides import find_override
from calrecords.records.standing_overrides import StandingOverrides

START = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def flats(record, make_version):
    elsewhere = {"site": "coj", "camera": "fa12", "instrument": "fa12"}
    return [
        record(make_version("a", "a"), START),
        record(make_version("b", "b", facts_with=elsewhere), START),
    ]


def random_subject(rng):
    start = rng.choice([None, START + timedelta(hours=rng.randint(-9, 9))])
    end = None if rng.random() < 0.5 else (start or START) + timedelta(hours=rng.randint(1, 9))
    period = {"applies_after": start, "applies_until": end}
    if rng.random() < 0.5:
        return Subject(target=f"science-{rng.randrange(3)}", **period)
    site, camera = rng.choice([("lsc", "fa15"), ("coj", "fa12")])
    return Subject(site=site, camera=camera, **period)


def test_what_is_found_is_what_the_database_finds(database, flats):
    rng = random.Random(3)
    overrides = Overrides(database)
    for number in range(60):
        frame, subject = rng.choice(flats), random_subject(rng)
        caltype = rng.choice(["BIAS", "bias", "DARK"])
        overrides.set(caltype, frame, subject, reason=f"reason {number}", author="ana")
    for number in range(1, 60, 4):
        overrides.withdraw(number, reason="", author="ana")
    standing = StandingOverrides(overrides.all(withdrawn=False))
    found = 0
    with database.read() as connection:
        for _ in range(300):
            asked = {
                "basename": rng.choice([None, *(f"science-{n}" for n in range(4))]),
                "site": rng.choice([None, "lsc", "coj"]),
                "camera": rng.choice([None, "fa15", "fa12"]),
                "dateobs": START + timedelta(hours=rng.randint(-12, 12)),
            }
            caltype = rng.choice(["Bias", " DARK", "FLAT"])
            expected = find_override(connection, caltype, **asked)
            assert standing.find(caltype, **asked) == expected
            found += expected is not None
    assert 50 < found < 250


def test_where_none_holds_none_is_found():
    asked = {"basename": "science", "site": "lsc", "camera": "fa15", "dateobs": START}
    assert StandingOverrides([]).find("BIAS", **asked) is None
