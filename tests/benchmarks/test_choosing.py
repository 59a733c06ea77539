"""How fast calibrations are chosen, against the same two-sided probe written by hand.

The records are made by the shared generator: masters of 60 cameras, five types and twelve
filters over five years. The probe by hand reads the same columns from one table with indexes
of its own, through the bare driver.

Run with: python -m pytest tests/benchmarks/test_choosing.py --benchmark-enable
"""

import statistics
import time

import pytest

from calrecords.errors import NoCalibrationError

COUNTS = (10_000, 100_000, 1_000_000)
MOST_TIMES_BY_HAND = {"sqlite": 8, "postgresql": 4}
MOST_TIMES_FOR_NOTHING = 10
MOST_GROWTH = 1.5
MOST_TIMES_BY_HAND_IN_BULK = 2
LEAST_TARGETS_PER_SECOND = 20_000
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def choose(cal):
    def best(target, kind):
        try:
            return cal.best(target, kind)
        except NoCalibrationError:
            return None

    return best


def nearest_by_hand(hand, target, kind):
    """Return the time of the nearer of both sides; of equal distance, of the earlier one."""
    times = [hand.time_in(row) for row in hand.probe(target, kind)]
    return min(times, key=lambda at: (abs(at - target["dateobs"]), at), default=None)


@pytest.fixture
def sized(is_enabled):
    """Return a function that makes a number small where nothing is measured."""
    return lambda count: count if is_enabled else 500 + count // 1000


@pytest.mark.parametrize("count", COUNTS)
def test_a_choice_costs_a_few_probes_by_hand(
    kind, count, masters, asked, medians_us, sized, tell, benchmark, is_enabled
):
    made = masters(sized(count))
    best, probe = choose(made.cal), made.hand.probe
    nothing = [({**target, "binning": "9x9"}, caltype) for target, caltype in asked]
    for target, caltype in asked:
        chosen = best(target, caltype)
        at = None if chosen is None else chosen.frame.dateobs
        assert at == nearest_by_hand(made.hand, target, caltype)
    assert not any(best(*one) for one in nothing[:30])
    works = {"by hand": (probe, asked), "best": (best, asked), "nothing": (best, nothing)}
    took = medians_us(works)
    ratio = took["best"] / took["by hand"]
    benchmark.extra_info.update(took, ratio=ratio)
    benchmark.pedantic(best, args=asked[0], rounds=10)
    if is_enabled:
        tell(
            "choosing, microseconds",
            database=NAMES[kind],
            masters=f"{count:,}",
            probe_by_hand=round(took["by hand"]),
            best=round(took["best"]),
            times=f"{ratio:.1f}",
            nothing_matches=round(took["nothing"]),
        )
        assert ratio <= MOST_TIMES_BY_HAND[kind]
        assert took["nothing"] <= MOST_TIMES_FOR_NOTHING * took["best"]


def test_a_choice_takes_no_longer_among_a_million(
    kind, masters, asked, medians_us, sized, benchmark, is_enabled
):
    works = {count: (choose(masters(sized(count)).cal), asked) for count in COUNTS}
    took = medians_us(works)
    growth = took[COUNTS[-1]] / took[COUNTS[0]]
    benchmark.extra_info.update({str(count): us for count, us in took.items()}, growth=growth)
    benchmark.pedantic(works[COUNTS[-1]][0], args=asked[0], rounds=10)
    if is_enabled:
        assert growth <= MOST_GROWTH


def seconds_of(work, *given):
    began = time.perf_counter()
    work(*given)
    return time.perf_counter() - began


@pytest.mark.parametrize("count", COUNTS[1:])
def test_many_targets_are_answered_at_once(
    kind, count, masters, many_targets, asked, sized, tell, benchmark, is_enabled
):
    made = masters(sized(count))
    biases = [(target, "BIAS") for target, _ in asked]
    table = made.cal.best_many(many_targets, "BIAS")
    singly = [choose(made.cal)(target, "BIAS") for target in many_targets[:50]]
    names = [None if one is None else one.frame.filename for one in singly]
    assert table["filename"].tolist()[:50] == names
    assert len(table) == len(many_targets)
    took, by_hand = [], []
    for _ in range(5 if is_enabled else 1):
        took.append(seconds_of(made.cal.best_many, many_targets, "BIAS") / len(many_targets))
        by_hand.append(seconds_of(lambda: [made.hand.probe(*one) for one in biases]) / len(biases))
    each, hand = statistics.median(took), statistics.median(by_hand)
    figures = {"targets_per_second": 1 / each, "by_hand_per_second": 1 / hand}
    benchmark.extra_info.update(figures, ratio=each / hand)
    benchmark.pedantic(made.cal.best_many, args=(many_targets, "BIAS"), rounds=1)
    if is_enabled:
        tell(
            f"best_many of {len(many_targets):,} targets",
            database=NAMES[kind],
            masters=f"{count:,}",
            targets_a_second=f"{1 / each:,.0f}",
            probes_by_hand_a_second=f"{1 / hand:,.0f}",
            times=f"{each / hand:.1f}",
        )
        assert each <= MOST_TIMES_BY_HAND_IN_BULK * hand
        if kind == "sqlite" and count == COUNTS[1]:
            assert 1 / each >= LEAST_TARGETS_PER_SECOND
