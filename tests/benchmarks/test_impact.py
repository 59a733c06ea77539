"""How fast it is known what an edit would change, against choosing for each use by itself.

Run with: python -m pytest tests/benchmarks/test_impact.py --benchmark-enable
"""

import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import calrecords
from calrecords.records.models import FrameUse
from calrecords.selection import rule_files

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
CAMERAS = 60
LCO = (Path(rule_files.__file__).parent / "rules" / "lco.toml").read_text()
CLOSEST = 'order = "closest_in_time"'
OF_BIASES = 'where = { obstype = "BIAS" }\nequal = ["configuration_mode", "binning"]'
EDITS = {
    "a window": (CLOSEST, f'{CLOSEST}\nwindow = {{ within = "20 d", ends = "closed" }}', 4),
    "another key": (OF_BIASES, OF_BIASES.replace('"binning"', '"binning", "filter"'), 8),
}


def somewhere(rng):
    at = NIGHT - timedelta(hours=rng.randrange(24 * 365))
    return {"site": "lsc", "camera": f"fa{rng.randrange(CAMERAS):02d}", "dateobs": at}


@pytest.fixture
def used(tmp_path, is_enabled):
    """Return records with masters, and the target of each of many uses of them."""
    rng = random.Random(15)
    count = 10_000 if is_enabled else 50
    setup = {"binning": "1x1", "filter": "rp", "obstype": "BIAS", "is_master": True}
    with calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path, cache=tmp_path) as cal:
        cal.import_records(
            {**setup, **somewhere(rng), "filename": f"bias-{number}.fits"}
            for number in range(2 * count + 1000)
        )
        targets = [{**setup, **somewhere(rng)} for _ in range(count)]
        rows = [
            {
                **{"target_basename": f"science-{number}", "version_id": 1, "caltype": "BIAS"},
                "recorded_at": NIGHT,
                "target": {**target, "dateobs": target["dateobs"].isoformat()},
            }
            for number, target in enumerate(targets)
        ]
        with cal._database.write_rows() as connection:
            connection.execute(sa.insert(FrameUse), rows)
        yield cal, targets


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_is_judged_at_the_cost_of_a_few_choices(
    used, tmp_path, benchmark, is_enabled, edit
):
    cal, targets = used
    old, new, limit = edit
    path = tmp_path / "edited.toml"
    path.write_text(LCO.replace(old, new))
    cal.impact(rules=path)
    began = time.perf_counter()
    for target in targets:
        cal.best(target, "BIAS")
    alone = time.perf_counter() - began
    began = time.perf_counter()
    table = cal.impact(rules=path)
    took = time.perf_counter() - began
    assert table.meta["uses"] == len(targets)
    benchmark.extra_info.update(one_by_one_s=alone, impact_s=took, ratio=took / alone)
    benchmark.pedantic(cal.impact, kwargs={"rules": path}, rounds=1)
    if is_enabled:
        assert took <= limit * alone
