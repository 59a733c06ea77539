"""How fast rules choose that are more than two probes: tolerances, weights, conditionals.

The candidates that the rules of the Gemini Observatory are tested with are multiplied, either
over thirty years, so that each target has as many near it as in its case, or within the same
months. The same rules are asked of all candidates in memory, one after the other.

Run with: python -m pytest tests/benchmarks/test_choosing_by_rules.py --benchmark-enable
"""

import json
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import pytest

import calrecords
from calrecords.errors import NoCalibrationError
from calrecords.records import FrameFilter
from calrecords.selection import ask, choose_among, load_rules, make_target

RECORDS = 100_000
LEAST_TIMES_FASTER = 20
FACTS = {"obstype", "instrument", "created", "filter", "object", "proposal", "exposure_time"}
RULES = load_rules("gemini")


@pytest.fixture(scope="module")
def groups(shared_data):
    """Return by the name of a rule its candidates and cases."""
    return json.loads((shared_data / "selection" / "gemini_cases.json").read_text())["rules"]


def over_the_years(rng, copy):
    return timedelta(days=(-1) ** copy * 600 * ((copy + 1) // 2), seconds=rng.randrange(86400))


def in_the_same_months(rng, _):
    return timedelta(seconds=rng.randrange(-5 * 86400, 5 * 86400))


def candidates(groups, moved):
    """Yield copies of the candidates, as an import takes them, without end."""
    rng = random.Random("gemini")
    for copy in count():
        for rule, group in groups.items():
            for given in group["candidates"]:
                words = {name: value for name, value in given.items() if name != "id"}
                words = RULES.in_our_words(words)
                by = moved(rng, copy) if copy else timedelta(0)
                times = {name: moment(words.pop(name)) + by for name in ("dateobs", "created")}
                facts = {name: words.pop(name) for name in FACTS & words.keys()}
                yield {
                    **{"site": "mko", "camera": facts["instrument"], "obstype": "UNKNOWN"},
                    **{name: value for name, value in facts.items() if value is not None},
                    **times,
                    "filename": f"{rule}-{given['id']}-{copy}.fits",
                    "attributes": {k.removeprefix("attributes."): v for k, v in words.items()},
                }


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def cases(groups):
    """Return targets, each with the calibration type that its rule finds, and the rule."""
    return [
        (RULES.in_our_words({**case["science"], "types": case["types"]}), rule.caltype, rule)
        for name, group in groups.items()
        for rule in [RULES.rule(name)]
        for case in group["cases"]
    ]


@pytest.fixture
def connected(kind, tmp_path, request):
    """Return records without any, by the rules of the Gemini Observatory."""
    server = request.getfixturevalue("postgresql_server") if kind == "postgresql" else None
    place = server.migrated() if server else tmp_path / "records.sqlite"
    places = {"db": place, "store": tmp_path / "store", "cache": tmp_path / "cache"}
    with calrecords.connect(**places, rules="gemini") as cal:
        yield cal
    if server:
        server.drop(place)


def names_chosen(cal, target, caltype):
    try:
        chosen = cal.best(target, caltype)
    except NoCalibrationError:
        return []
    return [one.frame.basename for one in (chosen, *chosen.alternatives)]


def names_among(frames, target, rule):
    return [one.basename for one in choose_among(ask(rule, make_target(target)), frames)]


@pytest.mark.parametrize("moved", [over_the_years, in_the_same_months])
def test_rules_are_asked_of_few_candidates(
    kind, moved, connected, groups, medians_us, tell, benchmark, is_enabled
):
    total = RECORDS if is_enabled else 500
    connected.import_records(islice(candidates(groups, moved), total))
    frames = connected._database.find(FrameFilter())
    assert len(frames) == total
    asked = cases(groups)
    some = asked[:: 10 if is_enabled else 50]
    scans = []
    for target, caltype, rule in some:
        began = time.perf_counter()
        expected = names_among(frames, target, rule)
        scans.append(time.perf_counter() - began)
        assert names_chosen(connected, target, caltype) == expected
    frames.clear()
    took = {
        name: medians_us({"best": (lambda *one: names_chosen(connected, *one), items)})["best"]
        for name, items in by_rule(asked).items()
    }
    typical, scan = statistics.median(took.values()), statistics.median(scans) * 1e6
    benchmark.extra_info.update(took, typical_us=typical, scan_us=scan, ratio=scan / typical)
    benchmark.pedantic(names_chosen, args=(connected, *asked[0][:2]), rounds=10)
    if is_enabled:
        slowest = max(took, key=lambda name: took[name])
        tell(
            "choosing by Gemini's rules, microseconds",
            database={"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind],
            candidates=f"{total:,} {moved.__name__.replace('_', ' ')}",
            best=round(typical),
            slowest_rule=f"{took[slowest]:.0f} ({slowest})",
            asking_all_in_memory=f"{scan:,.0f}",
        )
        assert scan / typical >= LEAST_TIMES_FASTER


def by_rule(asked):
    found = {}
    for target, caltype, rule in asked:
        found.setdefault(rule.name, []).append((target, caltype))
    return found
