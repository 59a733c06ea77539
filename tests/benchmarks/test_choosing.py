"""How fast calibrations are chosen, against the same two-sided probe written by hand.

The records are made by the shared generator: masters of 60 cameras, five types and twelve
filters over five years. The probe by hand reads the same columns from one table with an index
of its own, through the bare driver.

Run with: python -m pytest tests/benchmarks/test_choosing.py --benchmark-enable
"""

import importlib.util
import sqlite3
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

import calrecords
from calrecords.errors import NoCalibrationError
from calrecords.records import RecordDatabase
from calrecords.records.candidate_rows import COLUMNS, Dialect

GENERATOR = Path(__file__).parents[3] / "shared" / "tools" / "gen_records.py"
OURS = ("configuration_mode", "binning", "filter", "ccd_temperature")
OPEN_BEFORE, OPEN_AFTER = datetime(1001, 1, 1), datetime(2999, 1, 1)  # noqa: DTZ001 - naive there
INDEXED = ("site", "camera", "obstype", "is_master", "configuration_mode", "binning")
INDEXED += ("filter", "ccd_temperature", "dateobs")


@pytest.fixture(scope="module")
def generator(request):
    request.getfixturevalue("shared_data")
    spec = importlib.util.spec_from_file_location("gen_records", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def utc(moment):
    return moment.replace(tzinfo=UTC)


def in_our_words(row):
    facts = dict(row["attributes"])
    return {
        "filename": row["filename"],
        "obstype": row["type"],
        "frame_id": row["frameid"],
        "is_master": row["is_master"],
        "verdict": "bad" if row["is_bad"] else "unknown",
        "dateobs": utc(row["dateobs"]),
        "created": utc(row["datecreated"]),
        "good_after": None if row["good_after"] < OPEN_BEFORE else utc(row["good_after"]),
        "good_until": None if row["good_until"] > OPEN_AFTER else utc(row["good_until"]),
        **{name: row[name] for name in ("site", "camera", "instrument")},
        **{name: facts.pop(name) for name in OURS if name in facts},
        "attributes": facts,
    }


def targets_of(generator, count):
    """Return targets that a bias, a dark or a flat is to be chosen for, with its type."""
    kinds = ("BIAS", "DARK", "SKYFLAT")
    for number, row in enumerate(generator.science_frames(count)):
        facts = {name: row[name] for name in row if name in {*OURS, "site", "camera", "instrument"}}
        facts |= {k: v for k, v in row.get("attributes", {}).items() if k in OURS}
        yield {**facts, "dateobs": utc(row["dateobs"])}, kinds[number % 3]


@pytest.fixture
def connected(tmp_path, request):
    opened = []

    def connect(rows, *, server=False):
        place = tmp_path / f"records-{len(opened)}.sqlite"
        if server:
            place = request.getfixturevalue("postgresql_server").empty()
            database = RecordDatabase(place)
            database.upgrade()
            database.close()
        cal = calrecords.connect(db=place, store=tmp_path / "store", cache=tmp_path / "cache")
        opened.append(cal)
        cal.import_records(rows)
        return cal

    yield connect
    for cal in opened:
        cal.close()


def by_hand_sqlite(cal, path):
    """Return a two-sided probe of one table in a file, through the bare driver."""
    names = [name for name in COLUMNS if name != "version_id"]
    columns = Dialect(is_sqlite=True).columns
    select = (
        f"SELECT {columns} FROM frame_versions AS v JOIN calibration_frames AS f"
        " ON f.id = v.calibration_frame_id JOIN instruments AS i ON i.id = f.instrument_id"
        " JOIN sites AS s ON s.id = i.site_id"
        " JOIN (SELECT DISTINCT version_id, dateobs FROM selection_index) AS k"
        " ON k.version_id = v.id"
    )
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"CREATE TABLE flat ({', '.join(COLUMNS)})")
    marks = ", ".join("?" * len(COLUMNS))
    connection.execute("BEGIN")
    connection.executemany(f"INSERT INTO flat VALUES ({marks})", cal._database.ask(select, {}))
    connection.execute("COMMIT")
    connection.execute(f"CREATE INDEX probe ON flat ({', '.join(INDEXED)})")
    connection.execute("ANALYZE")
    equal = " AND ".join(f"{name} IS ?" for name in INDEXED[:-1])
    ends = "verdict <> 'bad' AND (good_after IS NULL OR good_after <= ?)"
    ends += " AND (good_until IS NULL OR good_until > ?) ORDER BY dateobs"
    start = f"SELECT {', '.join(names)} FROM flat WHERE {equal} AND dateobs"
    before = f"{start} <= ? AND {ends} DESC LIMIT 1"
    after = f"{start} > ? AND {ends} ASC LIMIT 1"

    def probe(target, kind):
        at = target["dateobs"].replace(tzinfo=None).isoformat(" ", "microseconds")
        values = (
            *(target["site"], target["camera"], kind, 1, target["configuration_mode"]),
            target["binning"],
            target["filter"] if kind == "SKYFLAT" else None,
            float(target["ccd_temperature"]) if kind == "DARK" else None,
            *(at, at, at),
        )
        return [connection.execute(text, values).fetchone() for text in (before, after)]

    return probe, connection


def median_us(work, items):
    took = []
    for item in items:
        began = time.perf_counter()
        work(*item)
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e6


def choose(cal):
    def best(target, kind):
        try:
            return cal.best(target, kind)
        except NoCalibrationError:
            return None

    return best


def test_a_choice_costs_a_few_probes_by_hand(connected, generator, tmp_path, benchmark, is_enabled):
    rows = map(in_our_words, generator.generate(100_000 if is_enabled else 1500))
    cal = connected(rows)
    asked = list(targets_of(generator, 3000 if is_enabled else 30))
    probe, connection = by_hand_sqlite(cal, tmp_path / "flat.sqlite")
    best = choose(cal)
    missing = [({**target, "binning": "9x9"}, kind) for target, kind in asked]
    for work in (probe, best):
        median_us(work, asked)
    hand, ours = median_us(probe, asked), median_us(best, asked)
    miss = median_us(best, missing)
    benchmark.extra_info.update(by_hand_us=hand, ours_us=ours, miss_us=miss, ratio=ours / hand)
    benchmark.pedantic(best, args=asked[0], rounds=10)
    same = sum(agree(best(*one), probe(*one), one[0]) for one in asked)
    connection.close()
    assert same == len(asked)
    if is_enabled:
        assert ours <= 8 * hand
        assert miss <= 10 * ours


def agree(chosen, sides, target):
    """Return whether a choice is one of the two that were found by hand, or none of none."""
    found = [row for row in sides if row is not None]
    if chosen is None:
        return not found
    at = chosen.frame.dateobs.replace(tzinfo=None).isoformat(" ", "microseconds")
    return at in {row[0] for row in found}


def test_a_choice_takes_no_longer_among_many_records(connected, generator, benchmark, is_enabled):
    few, many = (10_000, 300_000) if is_enabled else (500, 1500)
    asked = list(targets_of(generator, 3000 if is_enabled else 30))
    took = []
    for count in (few, many):
        best = choose(connected(map(in_our_words, generator.generate(count))))
        median_us(best, asked)
        took.append(median_us(best, asked))
    benchmark.extra_info.update(few_us=took[0], many_us=took[1])
    benchmark.pedantic(best, args=asked[0], rounds=10)
    if is_enabled:
        assert took[1] <= 1.5 * took[0]


def test_many_targets_are_answered_at_once(connected, generator, benchmark, is_enabled):
    cal = connected(map(in_our_words, generator.generate(100_000 if is_enabled else 1500)))
    targets = [target for target, _ in targets_of(generator, 20_000 if is_enabled else 50)]
    cal.best_many(targets[:100], "BIAS")
    table = benchmark.pedantic(cal.best_many, args=(targets, "BIAS"), rounds=3)
    assert len(table) == len(targets)
    began = time.perf_counter()
    cal.best_many(targets, "BIAS")
    rate = len(targets) / (time.perf_counter() - began)
    benchmark.extra_info.update(targets_per_second=rate)
    if is_enabled:
        one = choose(cal)
        alone = median_us(one, [(target, "BIAS") for target in targets[:3000]])
        assert rate >= 1.5e6 / alone
