import pytest

from calrecords.selection import load_rules, shipped_rules
from calrecords.selection.checking import find_mistakes
from calrecords.selection.findings import Finding
from calrecords.selection.rule_set_reading import read_rule_set


def rule(name="one", **keys):
    return {"name": name, "caltype": "BIAS", **keys}


def term(field="wave", **keys):
    return rule(terms=[{"field": field, **keys}])


def branches(*given):
    return rule(conditional=[{"name": "side", "branch": list(given)}])


def when(*conditions, **keys):
    return {"when": list(conditions), "direction": "before", **keys}


X = {"field": "word", "equal": "x"}
XY = {"field": "word", "one_of": ["x", "y"]}
PRESENT = {"field": "word", "present": True}
MISTAKES = {
    "a tolerance over 100 percent": (
        [term(within_percent=100, ends="open")],
        [("one", "wave", "a tolerance of 100 percent reaches from 0 on, so it cannot reject")],
    ),
    "a tolerance in a wrong unit": (
        [term(within="1 m", ends="open")],
        [("one", "wave", "a tolerance of 1e+06 um cannot reject; is it in the right unit?")],
    ),
    "a tolerance of half a circle": (
        [term("angle", within=180, ends="open")],
        [("one", "angle", "a tolerance of 180 deg cannot reject")],
    ),
    "a computed tolerance that is always too wide": (
        [term("angle", within={"expr": "90 * 2"}, ends="open")],
        [("one", "angle", "a tolerance of 180 deg cannot reject")],
    ),
    "a tolerance beside an equality": (
        [rule(equal=["wave"], terms=[{"field": "wave", "within": 1, "ends": "open"}])],
        [("one", "wave", "the field must be equal too, so the tolerance cannot reject")],
    ),
    "a tolerance that rejects everything": (
        [term(within=0, ends="open")],
        [("one", "wave", "a tolerance of 0 with open ends rejects everything")],
    ),
    "a text that everything contains": (
        [term("word", contains="")],
        [("one", "word", "every text contains '', so it rejects nothing")],
    ),
    "limits that exclude each other": (
        [rule(terms=[{"field": "wave", "above": 2}, {"field": "wave", "below": 1}])],
        [("one", "wave", "no number is above the one and below the other limit")],
    ),
    "constants that exclude each other": (
        [rule(where={"word": "z"}, terms=[XY])],
        [("one", "word", "no value satisfies all of its terms")],
    ),
    "an age limit that nothing can exceed": (
        [rule(window={"within": "30 d", "ends": "open"}, stale_after="30 d")],
        [("one", "stale_after", "nothing is more than 30 d away in this window")],
    ),
    "an age limit of a side that is not looked at": (
        [
            rule(
                window={"before": "3 d", "after": "90 d", "ends": "open"},
                direction="before",
                stale_after="4 d",
            )
        ],
        [("one", "stale_after", "nothing is more than 4 d away in this window")],
    ),
    "a window that holds nothing": (
        [rule(window={"within": "0 s", "ends": "open"})],
        [("one", "window", "a window of 0 with open ends holds nothing")],
    ),
    "a preference that all have": (
        [rule(equal=["word"], prefer=["word"])],
        [("one", "prefer: word", "every candidate must be equal to the target there")],
    ),
    "a branch after one without condition": (
        [branches(when(), when(X))],
        [("one", "side, branch 2", "it is never reached: branch 1 holds for every target")],
    ),
    "a branch that is narrower than one before": (
        [branches(when(XY), when(X))],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a branch that repeats one before": (
        [branches(when({"field": "wave", "above": 1}), when({"field": "wave", "above": 2}))],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a branch of any after its parts": (
        [branches(when({"any": [X, PRESENT]}), when(X, {"field": "wave", "above": 1}))],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a branch for what has a value, after one for all that have": (
        [branches(when(PRESENT), when(X))],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a branch for other targets than the rule's": (
        [{**branches(when(X), when()), "when": [{"field": "word", "equal": "y"}]}],
        [("one", "side, branch 1", "it is never reached: one is only for other targets")],
    ),
    "a branch that contradicts itself": (
        [branches(when(X, {"field": "word", "equal": "y"}))],
        [("one", "side, branch 1", "it is never reached: one is only for other targets")],
    ),
    "two rules for the same targets": (
        [rule(), rule("two")],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules of which one camera has both": (
        [rule(cameras=["a", "b"]), rule("two", cameras=["b"])],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules whose times overlap": (
        [rule(effective={"until": "2026-01-02"}), rule("two", effective={"from": "2026-01-01"})],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
}
SOUND = {
    "a narrow tolerance": [term(within="1 nm", ends="open")],
    "an age limit inside of the window": [
        rule(window={"before": "1 d", "after": "9 d", "ends": "open"}, stale_after="8 d"),
    ],
    "an age limit without a window": [rule(stale_after="8 d")],
    "an age limit inside of the window of a branch": [
        rule(
            window={"within": "1 d", "ends": "open"},
            stale_after="8 d",
            conditional=[{"branch": [{"when": [X], "window": {"within": "9 d", "ends": "open"}}]}],
        ),
    ],
    "a closed tolerance of 0": [term(within=0, ends="closed")],
    "a tolerance that the target gives": [term(within={"expr": "target.wave"}, ends="open")],
    "the narrower branch first": [branches(when(X), when(XY), when())],
    "branches of other fields": [branches(when(X), when({"field": "wave", "above": 1}))],
    "a branch with nulls that match": [branches(when(PRESENT), when({**X, "nulls": "skip"}))],
    "a rule for all and one for a camera": [rule(), rule("two", cameras=["a"])],
    "rules for other cameras": [rule(cameras=["a"]), rule("two", cameras=["b"])],
    "rules for other types": [rule(), {**rule("two"), "caltype": "DARK"}],
    "rules one after another": [
        rule(effective={"until": "2026-01-01"}),
        rule("two", effective={"from": "2026-01-01"}),
    ],
    "rules with conditions that exclude each other": [
        rule(when=[X]),
        rule("two", when=[{"field": "word", "equal": "y"}]),
    ],
}


def check(tables):
    attributes = {"wave": "um", "angle": "deg", "word": "text"}
    document = {"name": "mine", "attributes": attributes, "rule": tables}
    return find_mistakes(read_rule_set(document, "mine.toml"))


@pytest.mark.parametrize(("tables", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_found(tables, expected):
    found = check(tables)
    assert [(one.rule, one.term) for one in found] == [one[:2] for one in expected]
    for finding, (*_, message) in zip(found, expected, strict=True):
        assert isinstance(finding, Finding)
        assert finding.message.startswith(message)


@pytest.mark.parametrize("tables", SOUND.values(), ids=SOUND)
def test_what_is_sound_is_left_alone(tables):
    assert check(tables) == []


@pytest.mark.parametrize("name", shipped_rules())
def test_the_rules_that_ship_are_sound(name):
    assert find_mistakes(load_rules(name)) == []
