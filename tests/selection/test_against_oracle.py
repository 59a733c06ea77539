"""The library against a slow, obviously right oracle, on random rules, targets and candidates.

A few hundred cases are part of the suite. The long run::

    CALRECORDS_PROPERTY_CASES=10000 pytest tests/selection/test_against_oracle.py
"""

import importlib.util
import os
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from calrecords.errors import RuleError
from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection import ask, choose_among, make_target, rank
from calrecords.selection.fields import value_of
from calrecords.selection.rule_set_reading import read_rule_set
from calrecords.vocabulary import Verdict

spec = importlib.util.spec_from_file_location("oracle", Path(__file__).parent / "oracle.py")
oracle = importlib.util.module_from_spec(spec)
spec.loader.exec_module(oracle)

CASES = int(os.environ.get("CALRECORDS_PROPERTY_CASES", "300"))
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FACTS = {one.name for one in fields(CalibrationFrame)}
ATTRIBUTES = {"number": "number", "word": "text", "flag": "flag", "block_start": "time"}

numbers = st.sampled_from([2.5, 2.5, 1, 3.0, 4, 0.5, None])
words = st.sampled_from(["ab", "ab", "abc", "b", None])
flags = st.sampled_from([True, True, False, None])
VALUES = {"number": numbers, "word": words, "flag": flags, "filter": words}
hours = st.sampled_from([0, 0, 1, -1, 2, -2, 3.5, -3.5, 24, -24])
ticks = st.sampled_from([0, 0, 0, 1, -1])
times = st.builds(lambda h, t: NOON + timedelta(hours=h, microseconds=t), hours, ticks)
maybe_times = st.one_of(st.none(), times)
NULLS = st.sampled_from([None, "match", "skip", "never"])


def mostly(usual, unusual):
    return st.one_of(usual, usual, usual, usual, unusual)


def with_nulls(term):
    return NULLS.map(lambda nulls: term if nulls is None else {**term, "nulls": nulls})


def constants(name):
    return VALUES[name].filter(lambda value: value is not None)


names = st.sampled_from(sorted(VALUES))
equals = names.flatmap(lambda name: with_nulls({"field": name}))
fixed = names.flatmap(
    lambda name: st.tuples(
        constants(name), st.sampled_from(["equal", "not_equal", "one_of"])
    ).flatmap(lambda p: with_nulls({"field": name, p[1]: [p[0]] if p[1] == "one_of" else p[0]}))
)
cross = st.tuples(
    st.sampled_from(["word", "filter"]),
    st.sampled_from(["word", "filter"]),
    st.sampled_from(["equal", "not_equal", "contains", "starts_with"]),
).flatmap(lambda p: with_nulls({"field": p[0], p[2]: {"target": p[1]}}))
numeric = st.one_of(
    st.tuples(st.sampled_from(["above", "at_most"]), constants("number")).map(
        lambda p: {"field": "number", p[0]: p[1]}
    ),
    st.tuples(st.sampled_from([0.0, 0.5, 1.5, 2.0]), st.sampled_from(["open", "closed"])).flatmap(
        lambda p: with_nulls({"field": "number", "within": p[0], "ends": p[1]})
    ),
    st.booleans().map(lambda there: {"field": "word", "present": there}),
)
terms = st.one_of(fixed, cross, numeric)
conditions = st.one_of(
    st.tuples(names, st.booleans()).map(lambda p: {"field": p[0], "present": p[1]}),
    fixed,
    st.lists(fixed, min_size=1, max_size=2).map(lambda parts: {"any": parts}),
)
directions = st.sampled_from(
    ["either", "before", "before_or_equal", "after", "after_or_equal", "bracket"]
)
branches = st.fixed_dictionaries(
    {"when": st.lists(conditions, max_size=1)},
    optional={
        "terms": st.lists(terms, max_size=1),
        "direction": directions,
        "count": st.integers(1, 3),
        "no_result": st.booleans(),
    },
)
orders = st.lists(
    st.sampled_from(
        [
            "closest_in_time",
            {"closest_in_time": "2 h"},
            {"closest": "number"},
            {"highest": "number"},
            {"lowest": "number"},
            {
                "weighted": [
                    {"field": "dateobs", "scale": "4 h"},
                    {"field": "number", "scale": 2.0},
                ]
            },
        ]
    ),
    min_size=1,
    max_size=2,
)
windows = st.tuples(
    st.sampled_from(["1 h", "2 h", "3.5 h"]), st.sampled_from(["open", "closed"])
).map(lambda p: {"within": p[0], "ends": p[1]})
parts = {
    "equal": st.lists(equals, min_size=1, max_size=2, unique_by=lambda one: one["field"]),
    "where": st.one_of(
        st.just({"obstype": "BIAS"}), constants("filter").map(lambda value: {"filter": value})
    ),
    "terms": st.lists(terms, min_size=1, max_size=2),
    "prefer": st.lists(st.one_of(names, fixed), min_size=1, max_size=2),
    "direction": directions,
    "window": windows,
    "order": orders,
    "count": st.integers(1, 4),
    "verdicts": st.sampled_from([["good"], ["good", "unknown"]]),
    "valid": st.booleans(),
    "created_before": st.just("block_start"),
    "conditional": st.lists(
        st.lists(branches, min_size=1, max_size=3).map(lambda some: {"branch": some}),
        min_size=1,
        max_size=2,
    ),
}
rules = st.lists(st.sampled_from(sorted(parts)), max_size=3, unique=True).flatmap(
    lambda chosen: st.fixed_dictionaries(
        {
            "name": st.just("random"),
            "caltype": st.just("BIAS"),
            **{name: parts[name] for name in chosen},
        }
    )
)
targets = st.fixed_dictionaries({"dateobs": times, "block_start": maybe_times, **VALUES})
candidates = st.lists(
    st.fixed_dictionaries(
        {
            "dateobs": mostly(times, st.none()),
            "created": maybe_times,
            "verdict": st.sampled_from(["good", "good", "good", "unknown", "bad"]),
            "good_after": mostly(st.none(), times),
            "good_until": mostly(st.none(), times),
            "obstype": st.sampled_from(["BIAS", "BIAS", "BIAS", "DARK"]),
            **VALUES,
        }
    ),
    min_size=4,
    max_size=14,
)
asked = st.fixed_dictionaries(
    {},
    optional={
        "max_results": st.sampled_from([1, 1, 2, 3, 12]),
        "created_before": mostly(st.none(), times),
        "include_bad": st.booleans(),
    },
)


def frame(number, values):
    facts = {
        **dict.fromkeys(FACTS),
        **{name: value for name, value in values.items() if name in FACTS},
        "basename": f"frame{number:02}",
        "verdict": Verdict(values["verdict"]),
        "attributes": {k: v for k, v in values.items() if k in ATTRIBUTES and v is not None},
        "version": FrameVersion(None, None, None, None, ".fits", None),
    }
    return CalibrationFrame(**facts)


def from_the_records(question, frames):
    """Return what an index of the records would give, outward in time."""
    probe = question.probe
    match_set = question.rule.plan.match_set

    def is_given(one):
        values = {name: value_of(one, name) for name in match_set.fields}
        return (
            match_set.obstype in ("", one.obstype)
            and match_set.key(values) == probe.key
            and one.dateobs is not None
            and (probe.looks_before or one.dateobs >= probe.dateobs)
            and (probe.looks_after or one.dateobs <= probe.dateobs)
            and (probe.takes_same_time or one.dateobs != probe.dateobs)
            and (probe.start is None or probe.start <= one.dateobs)
            and (probe.end is None or one.dateobs <= probe.end)
            and one.verdict in probe.verdicts
            and (
                probe.valid_at is None or one.good_after is None or one.good_after <= probe.valid_at
            )
            and (
                probe.valid_at is None or one.good_until is None or probe.valid_at < one.good_until
            )
            and (
                probe.created_before is None
                or (one.created is not None and one.created < probe.created_before)
            )
        )

    given_frames = [one for one in frames if is_given(one)]
    no_time = datetime.max.replace(tzinfo=UTC)
    return iter(
        sorted(
            given_frames,
            key=lambda one: (
                abs(one.dateobs - probe.dateobs),
                one.dateobs,
                (one.created is None, no_time - (one.created or no_time)),
                one.basename,
            ),
        )
    )


@settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(rules, targets, candidates, asked, st.randoms(use_true_random=False))
def test_chooses_what_the_oracle_chooses(rule, values, rows, options, random):
    table = {"name": "random", "attributes": ATTRIBUTES, "rule": [rule]}
    try:
        rule_set = read_rule_set(table, "random.toml")
    except RuleError as error:
        assume("two things at once" not in str(error))
        raise
    rows = [{**row, "basename": f"frame{number:02}"} for number, row in enumerate(rows)]
    expected = oracle.answer(rule, values, rows, **options)
    target = make_target({"site": "lsc", "camera": "fa01", **values})
    question = ask(rule_set.rules[0], target, **options)
    frames = [frame(number, row) for number, row in enumerate(rows)]
    random.shuffle(frames)
    assert [one.basename for one in choose_among(question, frames)] == expected
    assert [one.basename for one in rank(question, from_the_records(question, frames))] == expected
    passing = [one.basename for one in frames if question.passes(one)]
    assert set(expected) <= set(passing)
