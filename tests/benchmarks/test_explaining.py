"""How long the reasons of a choice take, over the whole history of a camera.

Run with: python -m pytest tests/benchmarks/test_explaining.py --benchmark-enable
"""

import statistics
import time

import pytest

from calrecords.errors import NoCalibrationError

MOST_SECONDS = 1.0
ROUNDS = 5


def chosen_for(cal, target):
    try:
        return cal.best(target, "BIAS")
    except NoCalibrationError as error:
        return error


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_reasons_take_less_than_a_second(kind, count, masters, asked, tell, benchmark, is_enabled):
    cal = masters(count if is_enabled else 500 + count // 1000).cal
    targets = [target for target, caltype in asked if caltype == "BIAS"][:ROUNDS]
    targets += [{**targets[0], "binning": "9x9"}, {**targets[0], "camera": "none"}]
    took, seen = [], []
    for target in targets:
        chosen = chosen_for(cal, target)
        began = time.perf_counter()
        reasons = cal.explain(chosen)
        took.append(time.perf_counter() - began)
        seen.append(max(row.tested for row in reasons.rows if row.field == "is_master"))
        assert reasons.total == cal._database.count()
        assert (reasons.passed > 0) == (not isinstance(chosen, NoCalibrationError))
    median = statistics.median(took)
    benchmark.extra_info.update(median_s=median, longest_s=max(took), candidates=max(seen))
    benchmark.pedantic(cal.explain, args=(chosen,), rounds=1)
    if is_enabled:
        tell(
            "explain",
            database={"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind],
            masters=f"{count:,}",
            of_the_camera=f"{max(seen):,}",
            seconds=f"{median:.2f}",
        )
        assert median < MOST_SECONDS
