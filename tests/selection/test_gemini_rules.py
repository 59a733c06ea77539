"""`gemini.toml` against the rules it was written from, read literally, on frames made at random.

`gemini_rules.json` states each rule as data with the meaning of every term. The reader here
filters every candidate and sorts every one that is left; targets are the known ones with
values of others, or none, in some fields.
"""

import json
import math
import os
import random
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.selection import ask, choose_among, load_rules, make_target
from calrecords.selection.case_frames import frame_of

VARIANTS = int(os.environ.get("CALRECORDS_PROPERTY_CASES", "40"))
"""Targets that are made for each rule."""

LINES = {"R150": 150, "R400": 400, "R600": 600, "R831": 831, "B480": 480, "B600": 600}
LINES["B1200"] = 1200


def seconds(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def lines_per_mm(disperser):
    return next((n for name, n in LINES.items() if (disperser or "").startswith(name)), 1200)


def holds(value, op, wanted):
    if op in {"is_null", "not_null"}:
        return (value is None) == (op == "is_null")
    if op == "ne":
        return value != wanted
    if value is None:
        return False
    return {
        "eq": lambda: value == wanted,
        "in": lambda: value in wanted,
        "has": lambda: wanted in value,
        "gt": lambda: value > wanted,
        "ge": lambda: value >= wanted,
        "le": lambda: value <= wanted,
        "startswith": lambda: value.startswith(wanted),
    }[op]()


def science_satisfies(science, when):
    return all(
        any(science_satisfies(science, [part]) for part in one["any"])
        if "any" in one
        else holds(science.get(one["field"]), one["op"], one["value"])
        for one in when
    )


def candidate_satisfies(candidate, science, one):
    value = candidate.get(one["field"])
    wanted = one.get("value")
    if "value_from" in one:
        wanted = science.get(one["value_from"].removeprefix("sci."))
    if wanted is None and one["op"] == "eq":
        return value is None
    if value is None:
        return False
    text = str(value).lower()
    return {
        "eq": lambda: value == wanted,
        "ne": lambda: value != wanted,
        "in": lambda: value in wanted,
        "contains": lambda: str(wanted).lower() in text,
        "startswith": lambda: text.startswith(str(wanted).lower()),
        "endswith": lambda: text.endswith(str(wanted).lower()),
    }[one["op"]]()


def width_of(tolerance, science):
    if isinstance(tolerance, int | float):
        return tolerance
    text = tolerance["expr"]
    if "lines_per_mm" in text:
        pixels = 1000 if "MOS" in (science["types"] or []) else 200
        return pixels * 0.03 / lines_per_mm(science.get("disperser"))
    constant, _, rest = text.partition("/")
    assert rest == "cos(radians(sci.elevation))"
    return float(constant) / math.cos(math.radians(science["elevation"]))


def is_within(value, middle, width):
    return value is not None and middle - width < value < middle + width


def literally(rule, candidates, science, howmany):
    """Return the IDs that a rule of the JSON file gives, in their order."""
    rule = json.loads(json.dumps(rule))
    limit = None
    if rule["id"] == "gmos_arc_raw" and science.get("spectroscopy") is False:
        return []
    for conditional in rule["conditional"]:
        for branch in conditional["first_match"]:
            if science_satisfies(science, branch["when"]):
                then = branch["then"]
                if then.get("no_result"):
                    return []
                rule["must_equal"] += then.get("must_equal", [])
                rule["cand_where"] += then.get("cand_where", [])
                rule["tolerances"] |= then.get("tolerances", {})
                rule["direction"] = then.get("direction", rule["direction"])
                limit = then.get("howmany", limit)
                break
    now = seconds(science["ut_datetime"])
    found = []
    for one in candidates:
        apart = seconds(one["ut_datetime"]) - now
        age = rule["max_age_days"]
        sides = {"before": apart < 0, "after": apart > 0, "before_or_equal": apart <= 0}
        if (
            one.get("qa_state") not in {None, "Fail"}
            and (science.get("engineering") is True or one.get("engineering") is False)
            and all(one.get(name) == science.get(name) for name in rule["must_equal"])
            and all(candidate_satisfies(one, science, term) for term in rule["cand_where"])
            and all(
                is_within(one.get(field), science.get(field), width_of(width, science))
                for field, width in rule["tolerances"].items()
                if science.get(field) is not None
            )
            and (age is None or abs(apart) < age * 86400)
            and sides.get(rule["direction"], True)
        ):
            far = abs(math.floor(seconds(one["ut_datetime"])) - math.floor(now))
            if rule["order"] != ["closest_in_time"]:
                width = width_of(rule["tolerances"]["central_wavelength"], science)
                far = abs(apart) / 86400 / 365
                far += abs(one["central_wavelength"] - science["central_wavelength"]) / width
            found.append((far, -seconds(one["entry_time"]), one["id"]))
    wanted = howmany or limit or rule["howmany_default"]
    return [name for *_, name in sorted(found)[: min(wanted, limit or wanted)]]


def varied(science, others, candidates, fields, rng):
    """Return a target with some fields as others have them, or without."""
    made = dict(science)
    for field in rng.sample(fields, k=min(len(fields), rng.choice([1, 1, 2, 3]))):
        pool = [one[field] for one in [*others, *candidates] if field in one]
        made[field] = None if rng.random() < 0.3 and field != "ut_datetime" else rng.choice(pool)
    return made


def on_the_edge(rule, science, candidates, fields, rng):
    """Return a target that is like a candidate, as far away in something as is just allowed."""
    like = rng.choice(candidates)
    made = {**science, **{field: like[field] for field in fields if field in like}}
    branches = [branch for one in rule["conditional"] for branch in one["first_match"]]
    tolerances = [rule["tolerances"], *(one["then"].get("tolerances", {}) for one in branches)]
    for field, width in rng.choice([one for one in tolerances if one] or [{}]).items():
        is_known = "elevation" not in str(width) or made.get("elevation") is not None
        if is_known and made.get(field) is not None:
            apart = rng.choice([-1.01, -1, -0.99, 0, 0, 0.99, 1, 1.01])
            made[field] += apart * width_of(width, made)
    age = (rule["max_age_days"] or 1) * 86400
    apart = rng.choice([-age - 1, -age, 1 - age, -1, 0, 0, 1, age - 1, age, age + 1])
    moment = datetime.fromisoformat(like["ut_datetime"]) + timedelta(seconds=round(apart))
    made["ut_datetime"] = moment.isoformat()
    return made


@pytest.fixture(scope="module")
def known(shared_data):
    folder = shared_data / "selection"
    rules = json.loads((folder / "gemini_rules.json").read_text())["rules"]
    cases = json.loads((folder / "gemini_cases.json").read_text())["rules"]
    return {rule["id"]: (rule, cases[rule["id"]]) for rule in rules}


@pytest.mark.parametrize("name", [rule.name for rule in load_rules("gemini").rules])
def test_the_rules_mean_what_they_were_written_from(name, known):
    literal, group = known[name]
    rules = load_rules("gemini")
    rule = rules.rule(name)
    candidates = group["candidates"]
    frames = [frame_of(rules, one) for one in candidates]
    targets = [{**case["science"], "types": case["types"]} for case in group["cases"]]
    fields = sorted({*candidates[0], *targets[0]} & set(targets[0]) - {"types", "id"})
    if name == "gmos_specphot_raw":
        fields.remove("central_wavelength")  # how it is weighted without one is not said
    rng = random.Random(name)
    given = list(targets)
    for _ in range(VARIANTS):
        given.append(varied(rng.choice(targets), targets, candidates, fields, rng))
        given.append(on_the_edge(literal, rng.choice(targets), candidates, fields, rng))
    some = 0
    for science in given:
        for howmany in (None, 25):
            target = make_target(rules.in_our_words(science))
            chosen = choose_among(ask(rule, target, max_results=howmany), frames)
            expected = literally(literal, candidates, science, howmany)
            assert [frame.frame_id for frame in chosen] == expected, science
            some += bool(expected)
    assert some > len(targets)
