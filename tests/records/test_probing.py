"""A walk through the index reads what it gives, in its order, whatever a planner believes."""

from datetime import UTC, datetime, timedelta

import pytest

from calrecords.matching import MatchSet, Probe
from calrecords.records.bulk_probing import nearest
from calrecords.records.candidate_rows import Dialect
from calrecords.records.importing import Importer, ImportOrder
from calrecords.records.match_sets import register_match_sets
from calrecords.records.probing import candidates
from calrecords.vocabulary import Verdict

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
MANY = 3000
BIASES = MatchSet(("camera", "site"), "BIAS")
KEY = BIASES.key({"site": "lsc", "camera": "fa01"})
ORDER = ImportOrder(source="rows", reason="test", author="test")

PROBES = {
    "either side": {},
    "before": {"looks_after": False, "takes_same_time": False},
    "after": {"looks_before": False},
    "in a window": {"start": NIGHT - 5 * HOUR, "end": NIGHT + 5 * HOUR},
    "made before": {"created_before": NIGHT},
    "of any verdict": {"verdicts": frozenset(Verdict)},
    "valid": {"valid_at": NIGHT},
    "as of a moment": {"as_of": datetime(2999, 1, 1, tzinfo=UTC)},
}


@pytest.fixture
def many(database):
    """Return a database with one long walk, of whose tables no planner has statistics."""
    with database.write_rows() as connection:
        register_match_sets(connection, [BIASES], datetime.now(UTC))
    rows = (
        {
            **{"filename": f"bias-{number}.fits", "obstype": "BIAS", "is_master": True},
            **{"site": "lsc", "camera": "fa01", "created": NIGHT - 1000 * HOUR},
            "dateobs": NIGHT + (number - MANY // 2) * HOUR,
        }
        for number in range(MANY)
    )
    assert Importer(database, ORDER).run(enumerate(rows, 1)).recorded == MANY
    return database


@pytest.fixture
def explained(many):
    """Return a function that runs statements, and the plans of those that it ran."""
    plans = []

    def ask(text, values):
        prefix = "EXPLAIN " if many.is_server else "EXPLAIN QUERY PLAN "
        plans.append("\n".join(str(row[-1]) for row in many.ask(prefix + text, values)))
        return many.ask(text, values)

    return ask, plans


def demand_a_walk(plan, *, sides, is_server):
    if is_server:
        walks = [line for line in plan.splitlines() if "using pk_selection_index" in line]
        assert len(walks) >= sides, plan
        assert not any(word in plan for word in ("Sort", "Bitmap", "Seq Scan", "Hash")), plan
    else:
        assert plan.count("SEARCH k USING PRIMARY KEY (match_key=? AND dateobs") >= sides, plan
        assert "TEMP B-TREE" not in plan, plan
        assert "SCAN k" not in plan, plan


@pytest.mark.parametrize("asked", PROBES.values(), ids=PROBES)
def test_a_walk_uses_the_index_and_sorts_nothing(many, explained, asked):
    ask, plans = explained
    probe = Probe(key=KEY, dateobs=NIGHT, **asked)
    found = candidates(ask, Dialect(not many.is_server), probe, known_then=lambda frames: frames)
    walk = iter(found)
    taken = [next(walk) for _ in range(5)]
    assert max(abs(frame.dateobs - NIGHT) for frame in taken) <= 5 * HOUR
    sides = probe.looks_before + probe.looks_after
    demand_a_walk(plans[0], sides=sides, is_server=many.is_server)
    assert len(plans) > 1
    for plan in plans[1:]:
        demand_a_walk(plan, sides=1, is_server=many.is_server)


def test_many_walks_use_the_index_and_sort_nothing(many, explained):
    ask, plans = explained
    probes = [Probe(key=KEY, dateobs=NIGHT + number * HOUR / 4) for number in range(50)]
    found = nearest(ask, Dialect(not many.is_server), probes)
    for frame, probe in zip(found, probes, strict=True):
        assert abs(frame.dateobs - probe.dateobs) <= HOUR / 2
    demand_a_walk(plans[0], sides=2, is_server=many.is_server)
    demand_a_walk(plans[1], sides=1, is_server=many.is_server)
