"""Candidates that are read whole are those of the index, in its order."""

import random
from datetime import UTC, datetime, timedelta

import pytest

import calrecords
from calrecords.records import Choices
from calrecords.selection import ask, load_rules, make_target
from calrecords.workflows.unindexed import UnindexedCandidates

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
RULES = """
name = "unindexed"
[defaults]
where = {{ obstype = "BIAS" }}
{defaults}
[[rule]]
name = "bias"
caltype = "BIAS"
equal = [{equal}]
"""
DIRECTIONS = ("either", "before", "before_or_equal", "after", "after_or_equal", "bracket")


def random_row(rng, number):
    return {
        "filename": f"frame-{number:03d}.fits",
        "obstype": rng.choice(["BIAS", "BIAS", "DARK"]),
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "is_master": rng.random() < 0.7,
        "dateobs": rng.choice([None, *(NIGHT + timedelta(hours=at) for at in range(-9, 10))]),
        "created": rng.choice([None, NIGHT, NIGHT + timedelta(hours=1)]),
        "good_until": rng.choice([None, None, NIGHT + timedelta(hours=3)]),
        "verdict": rng.choice(["unknown", "good", "bad"]),
        "attributes": {"gain": rng.choice([1, 2.0, "high"])},
    }


@pytest.fixture
def cal(tmp_path):
    rng = random.Random(12)
    places = {"db": tmp_path / "r.sqlite", "store": tmp_path / "s", "cache": tmp_path / "c"}
    with calrecords.connect(**places) as connected:
        report = connected.import_records([random_row(rng, number) for number in range(300)])
        assert report.recorded == 300
        yield connected


@pytest.fixture
def questions(tmp_path):
    """Return many questions of rules that the records are not indexed by."""

    def make(defaults, equal):
        path = tmp_path / "rules.toml"
        path.write_text(RULES.format(defaults=defaults, equal=equal))
        rule = load_rules(path).rules[0]
        for at in range(-10, 11):
            for site, camera in (("lsc", "fa01"), ("coj", "fa02"), ("ogg", "fa01")):
                target = {"site": site, "camera": camera, "dateobs": NIGHT + timedelta(hours=at)}
                described = make_target({**target, "gain": 2, "is_master": True})
                yield ask(rule, described)
                yield ask(rule, described, include_bad=True, created_before=NIGHT)

    return make


@pytest.mark.parametrize("equal", ['"site", "camera"', '"camera", "is_master"', '"gain"', ""])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize(
    "window", ["", 'window = { before = "3 h", after = "5 h", ends = "closed" }']
)
def test_they_come_in_the_order_of_the_index(cal, questions, equal, direction, window):
    gain = '[attributes]\ngain = "text"\n'
    defaults = f'direction = "{direction}"\n{window}\n{gain}'
    asked = list(questions(defaults, equal))
    unindexed, choices = UnindexedCandidates(cal._database), Choices(cal._database)
    random.Random(13).shuffle(asked)
    asked.sort(key=unindexed.order)
    found = [list(unindexed.candidates(question)) for question in asked]
    assert not any(list(choices.candidates(question.probe)) for question in asked)
    cal._database.ensure_match_sets({asked[0].rule.plan.match_set})
    assert found == [list(choices.candidates(question.probe)) for question in asked]
    assert sum(map(len, found)) > 100
