"""What could have been chosen is counted and read as it was known at a moment."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.records.correcting import correct_version
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.judging import Statement, record_verdict
from calrecords.records.recording import record_version
from calrecords.records.rejections import AROUND, FRAMES_AT_A_TIME, FrameGroup, Population
from calrecords.vocabulary import Verdict

START = datetime(2026, 5, 1, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
FA15, FA16 = ("lsc", "fa15", "sinistro"), ("lsc", "fa16", "fa16")


def after(hours):
    return START + timedelta(hours=hours)


def at_hour(hours):
    return {"dateobs": after(hours)}


@pytest.fixture
def population(database):
    """Return a function that asks a population, of a moment, in a transaction of its own."""

    def ask(question, as_of=None, **how):
        with database.read() as connection:
            return question(Population(connection, as_of, **how))

    return ask


def groups_of(population, **how):
    found = population(lambda one: one.groups(), **how)
    return [
        (group.obstype, (group.site, group.camera, group.instrument), group.count)
        for group in found
    ]


def names_of(population, kinds=(True, False), obstypes=None, **how):
    def read(one):
        groups = [group for group in one.groups() if obstypes is None or group.obstype in obstypes]
        return [frame.basename for frame in one.read(groups, kinds)]

    return population(read, **how)


@pytest.fixture
def three_nights(record, make_version):
    """Record frames of three hours: a flat, then a flat and a bias, then one of another camera."""
    record(make_version("flat-1", "1"), after(1))
    record(make_version("flat-2", "2", facts_with={"is_master": False}), after(2))
    record(make_version("bias", "3", facts_with={"obstype": "BIAS"}), after(2))
    record(make_version("other", "4", facts_with={"camera": "fa16", "instrument": ""}), after(3))


@pytest.mark.parametrize("few", [0, 1, 100])
def test_frames_are_counted_as_they_were_known(three_nights, population, few):
    now = [("BIAS", FA15, 1), ("SKYFLAT", FA15, 2), ("SKYFLAT", FA16, 1)]
    assert groups_of(population, few=few) == now
    assert groups_of(population, as_of=after(3), few=few) == now
    assert groups_of(population, as_of=after(3) - MOMENT, few=few) == now[:2]
    assert groups_of(population, as_of=after(2), few=few) == now[:2]
    assert groups_of(population, as_of=after(2) - MOMENT, few=few) == [("SKYFLAT", FA15, 1)]
    assert groups_of(population, as_of=after(1) - MOMENT, few=few) == []


def test_a_group_knows_its_instrument(three_nights, population, sql):
    [row] = sql("SELECT id FROM instruments WHERE camera = 'fa16'")
    assert population(lambda one: one.groups())[2] == FrameGroup("SKYFLAT", *FA16, 1, row[0])


def test_masters_are_told_from_individuals(three_nights, population):
    def kinds(one):
        return one.kinds(one.groups())

    assert population(kinds) == {True: 3, False: 1}
    assert population(kinds, after(1)) == {True: 1, False: 0}
    assert population(lambda one: one.kinds([])) == {True: 0, False: 0}


def test_only_frames_of_the_groups_and_kinds_are_read(three_nights, population):
    assert names_of(population) == ["flat-1", "flat-2", "bias", "other"]
    assert names_of(population, [True]) == ["flat-1", "bias", "other"]
    assert names_of(population, [False]) == ["flat-2"]
    assert names_of(population, [True, False], ["BIAS"]) == ["bias"]
    assert names_of(population, [True], as_of=after(2)) == ["flat-1", "bias"]
    assert names_of(population, []) == names_of(population, obstypes=[]) == []


def test_the_version_that_was_current_is_read_as_it_was(database, record, make_version, population):
    record(make_version(content="old"), after(1))
    with database.write_rows() as connection:
        said = Statement(reason="x", author="ana", recorded_at=after(2))
        record_verdict(connection, 1, Verdict.BAD, said)
        said = Statement(reason="x", author="ana", recorded_at=after(3))
        correct_version(connection, 1, {"filter": "zs"}, said)
    record(make_version(content="new", facts_with={"filter": "gp"}), after(4))

    def only(one):
        return [(frame.filter, str(frame.verdict)) for frame in one.read(one.groups(), {True})]

    moments = [after(1) - MOMENT, after(1), after(2), after(3), after(4) - MOMENT, after(4), None]
    assert [population(only, moment) for moment in moments] == [
        [],
        [("rp", "unknown")],
        [("rp", "bad")],
        [("zs", "bad")],
        [("zs", "bad")],
        [("gp", "unknown")],
        [("gp", "unknown")],
    ]


@pytest.mark.parametrize("few", [0, 100])
def test_what_an_importer_knew_earlier_counts_from_then(database, population, few):
    row = {"obstype": "SKYFLAT", "site": "lsc", "camera": "fa16", "is_master": True}
    row |= {"filename": "flat.fits", "dateobs": after(0), "known_from": after(2)}
    order = ImportOrder(source="test", reason="log", author="import")
    assert Importer(database, order).run(iter([(1, row)])).recorded == 1
    one = [("SKYFLAT", FA16, 1)]
    assert groups_of(population, as_of=after(2), few=few) == one
    assert groups_of(population, as_of=after(2) - MOMENT, few=few) == []
    assert names_of(population, as_of=after(2)) == ["flat"]
    assert names_of(population, as_of=after(2) - MOMENT) == []


def test_a_fact_is_what_it_was_before_it_was_corrected(database, record, make_version, population):
    record(make_version(), after(1))
    for hour, name in ((2, "second"), (3, "third")):
        with database.write_rows() as connection:
            said = Statement(reason="x", author="ana", recorded_at=after(hour))
            assert correct_version(connection, 1, {"proposal": name, "filter": name}, said)

    def proposals(one):
        [frame] = one.read(one.groups(), {True})
        return frame.filter, frame.proposal, frame.object

    assert [population(proposals, after(hour)) for hour in (1, 2, 3)] == [
        ("rp", "calibrate", "auto_focus"),
        ("second", "second", "auto_focus"),
        ("third", "third", "auto_focus"),
    ]
    assert population(proposals) == ("third", "third", "auto_focus")


def test_more_frames_than_one_query_takes_are_all_read(database, make_version, population):
    count = FRAMES_AT_A_TIME + 3
    with database.write_rows() as connection:
        for number in range(count):
            new = make_version(f"flat-{number:04}", str(number), facts_with=at_hour(number))
            record_version(connection, new, after(1))
    expected = [f"flat-{number:04}" for number in range(count)]
    assert names_of(population) == names_of(population, as_of=after(1)) == expected

    def nearest(one):
        found = [frame.basename for frame in one.around(one.groups(), after(200))]
        return sorted(found[:AROUND]), sorted(found[AROUND:])

    sides = expected[201 - AROUND : 201], expected[201 : 201 + AROUND]
    assert population(nearest) == population(nearest, after(1)) == sides
    assert population(nearest, few=0) == population(nearest, after(1), few=0) == sides


@pytest.mark.parametrize("few", [0, 100])
def test_around_a_time_only_known_frames_of_the_groups_are_read(three_nights, population, few):
    def nearest(one):
        flats = [group for group in one.groups() if group.obstype == "SKYFLAT"]
        return sorted(frame.basename for frame in one.around(flats, START))

    assert population(nearest, few=few) == ["flat-1", "flat-2", "other"]
    assert population(nearest, after(2), few=few) == ["flat-1", "flat-2"]
    assert population(lambda one: list(one.around([], START)), few=few) == []
