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
        [("one", "wave", "no value satisfies all of its terms")],
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
        [
            ("one", "window", "it says how far after the target, and the direction is before"),
            ("one", "stale_after", "nothing is more than 4 d away in this window"),
        ],
    ),
    "an age limit of nothing": (
        [rule(stale_after="0 d")],
        [("one", "stale_after", "every calibration of another time would be stale")],
    ),
    "a side of the window that is not looked at": (
        [rule(window={"before": "3 d", "ends": "open"}, direction="after")],
        [("one", "window", "it says how far before the target, and the direction is after")],
    ),
    "a distance in time that the window holds already": (
        [rule(window="3 d", ends="open", terms=[{"field": "dateobs", "within": "4 d"}])],
        [("one", "dateobs", "nothing is so far away in this window, so it cannot reject")],
    ),
    "a bracket of one": (
        [rule(direction="bracket", count=1)],
        [("one", "count", "a bracket wants one on each side, which are 2")],
    ),
    "a guard of a validity that does not matter": (
        [rule(exclusive=True, valid=False)],
        [("one", "exclusive", "it guards validity, which valid = false does not look at")],
    ),
    "an order after the exact time": (
        [rule(order=["closest_in_time", {"highest": "created"}])],
        [("one", "order", "what comes after the exact time hardly ever decides")],
    ),
    "the very time of the target": (
        [rule(equal=["dateobs"])],
        [("one", "dateobs", "only a frame that began at this very time satisfies it")],
    ),
    "a wider tolerance beside a narrower one": (
        [
            rule(
                terms=[
                    {"field": "wave", "within": "2 nm", "ends": "open"},
                    {"field": "wave", "within": "1 nm", "ends": "closed"},
                ]
            )
        ],
        [("one", "wave", "another tolerance on the field is narrower, so this one cannot reject")],
    ),
    "a limit below another": (
        [rule(terms=[{"field": "wave", "above": 2}, {"field": "wave", "at_least": 1}])],
        [("one", "wave", "the other terms on the field leave nothing that it could reject")],
    ),
    "a limit on what is fixed": (
        [rule(where={"wave": 3}, terms=[{"field": "wave", "below": 4}])],
        [("one", "wave", "the other terms on the field leave nothing that it could reject")],
    ),
    "a computed tolerance around a constant, beside a constant": (
        [
            rule(
                where={"wave": 3},
                terms=[{"field": "wave", "within": {"expr": "0.5"}, "around": 4, "ends": "closed"}],
            )
        ],
        [("one", "wave", "no value satisfies all of its terms")],
    ),
    "a missing value of a size": (
        [term(above=2, nulls="match")],
        [("one", "wave", "a missing value has no size: nulls is 'skip' or 'never'")],
    ),
    "an equality in a branch that the rule has": (
        [{**branches(when(X, equal=["wave"])), "equal": ["wave"]}],
        [("one", "side, branch 1: wave", "it must be equal already, so this cannot reject")],
    ),
    "a tolerance in a branch beside an equality of the rule": (
        [
            {
                **branches(when(X, terms=[{"field": "wave", "within": 1, "ends": "open"}])),
                "equal": ["wave"],
            }
        ],
        [("one", "side, branch 1: wave", "the field must be equal too, so the tolerance cannot")],
    ),
    "a constant in a branch that the rule excludes": (
        [{**branches(when(X, where={"flag": False})), "where": {"flag": True}}],
        [("one", "side, branch 1: flag", "no value satisfies all of its terms")],
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
        [("one", "side, branch 1", "it is never reached: no target satisfies all")],
    ),
    "a branch of numbers that contradict each other": (
        [branches(when({"field": "wave", "above": 2}, {"field": "wave", "at_most": 2}))],
        [("one", "side, branch 1", "it is never reached: no target satisfies all")],
    ),
    "a branch for another camera than the rule's": (
        [
            rule(
                cameras=["a", "b"],
                conditional=[{"branch": [when({"field": "camera", "equal": "c"})]}],
            )
        ],
        [("one", "conditional 1, branch 1", "it is never reached: one is only for other targets")],
    ),
    "a branch after one that holds for every target of the rule": (
        [{**branches(when(PRESENT), when()), "when": [X]}],
        [("one", "side, branch 2", "it is never reached: branch 1 holds for every target")],
    ),
    "a branch whose values the ones before have between them": (
        [branches(when(X), when({"field": "word", "equal": "y"}), when(XY))],
        [("one", "side, branch 3", "it is never reached: the branches before hold for every")],
    ),
    "a branch after both sides of a number, and its absence": (
        [
            branches(
                when({"field": "wave", "above": 2}),
                when({"field": "wave", "at_most": 2}),
                when({"field": "wave", "present": False}),
                when(X),
            )
        ],
        [("one", "side, branch 4", "it is never reached: the branches before hold for every")],
    ),
    "a branch that begins as one before": (
        [
            branches(
                when({"field": "word", "starts_with": "R"}),
                when({"field": "word", "starts_with": "R4", "nulls": "never"}),
            )
        ],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a list that has what one before has": (
        [
            branches(
                when({"field": "many", "has": "a"}),
                when({"field": "many", "has": "b"}, {"field": "many", "has": "a"}),
            )
        ],
        [("one", "side, branch 2", "it is never reached: branch 1 holds")],
    ),
    "a rule for no target": (
        [rule(when=[X, {"field": "word", "equal": "y"}])],
        [("one", "when", "no target satisfies all of its conditions, so the rule is never used")],
    ),
    "a requirement of other targets": (
        [rule(when=[X], required_when=[{"field": "word", "equal": "y"}])],
        [("one", "required_when", "none of its targets satisfies all of these")],
    ),
    "a permission of what is required": (
        [rule(required_when=[PRESENT], permitted_when=[X])],
        [("one", "permitted_when", "where these hold it is required already")],
    ),
    "two rules for the same targets": (
        [rule(), rule("two")],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules of which one camera has both": (
        [rule(cameras=["a", "b"]), rule("two", cameras=["b"])],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules of which some words are for both": (
        [rule(when=[XY]), rule("two", when=[{"field": "word", "one_of": ["y", "z"]}])],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules of which some numbers are for both": (
        [
            rule(when=[{"field": "wave", "at_least": 2}]),
            rule("two", when=[{"field": "wave", "at_most": 2}]),
        ],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules that are for what has no value": (
        [
            rule(when=[{"field": "word", "equal": "x", "nulls": "skip"}]),
            rule("two", when=[{"field": "word", "equal": "y", "nulls": "skip"}]),
        ],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "two rules for what is written in another case": (
        [rule(), {**rule("two"), "caltype": "bias"}],
        [("one and two", "caltype", "both find BIAS for the same targets")],
    ),
    "a rule that narrower ones leave no target": (
        [
            rule(when=[PRESENT]),
            rule("two", when=[{"field": "word", "present": False}]),
            rule("three"),
        ],
        [("three", "caltype", "it is never used: what says more narrowly whom it is for (one, tw")],
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
    "rules one after another, the second without end": [
        rule(effective={"until": "2026-01-01"}),
        rule("two", effective={"from": "2026-02-01"}),
    ],
    "rules of one time, the narrower for a camera": [
        rule(effective={"from": "2026-01-01"}),
        rule("two", cameras=["a"], effective={"from": "2026-01-01"}),
    ],
    "a rule that narrower ones replace for some years": [
        rule(when=[PRESENT], effective={"from": "2026-01-01"}),
        rule("two", when=[{"field": "word", "present": False}]),
        rule("three"),
    ],
    "a rule for a site, one for its instrument and one for its camera": [
        rule(sites=["lsc"]),
        rule("two", sites=["lsc"], instruments=["i"]),
        rule("three", sites=["lsc"], instruments=["i"], cameras=["a"]),
    ],
    "one camera at two sites": [
        rule(sites=["lsc"], cameras=["a"]),
        rule("two", sites=["cpt"], cameras=["a"]),
    ],
    "rules whose words are others": [
        rule(when=[XY]),
        rule("two", when=[{"field": "word", "one_of": ["z", "w"]}]),
    ],
    "a rule for some words and one for all others": [
        rule(when=[XY]),
        rule("two", when=[{"field": "word", "not_one_of": ["x", "y"]}]),
    ],
    "rules on both sides of a number": [
        rule(when=[{"field": "wave", "above": 2}]),
        rule("two", when=[{"field": "wave", "at_most": 2}]),
    ],
    "rules for what has a value and what has none": [
        rule(when=[PRESENT]),
        rule("two", when=[{"field": "word", "present": False}]),
    ],
    "rules of which any of several conditions holds": [
        rule(when=[{"any": [X, {"field": "wave", "above": 2}]}, {"field": "flag", "equal": True}]),
        rule("two", when=[{"field": "flag", "equal": False}]),
    ],
    "a comparison of two fields, of which nothing is known": [
        branches(
            when({"field": "wave", "above": {"target": "width"}}),
            when({"field": "wave", "above": {"target": "width"}}, X),
        )
    ],
    "a distance in time that is nearer than the window": [
        rule(window="3 d", ends="open", terms=[{"field": "dateobs", "within": "2 d"}])
    ],
    "one side of the window, of a rule that looks to both": [
        rule(window={"before": "3 d", "ends": "open"})
    ],
    "a side of the window for a branch that looks there": [
        rule(
            window={"before": "3 d", "ends": "open"},
            direction="after",
            conditional=[{"branch": [{"when": [X], "direction": "before"}]}],
        )
    ],
    "one word that is excluded, and a list of others": [
        rule(terms=[{"field": "word", "not_equal": "bad"}, XY])
    ],
    "a time in steps before another order": [
        rule(order=[{"closest_in_time": "1 s"}, {"highest": "created"}])
    ],
    "what is required of some and permitted to others": [
        rule(required_when=[X], permitted_when=[PRESENT])
    ],
    "rules with conditions that exclude each other": [
        rule(when=[X]),
        rule("two", when=[{"field": "word", "equal": "y"}]),
    ],
}


def check(tables):
    attributes = {"wave": "um", "angle": "deg", "word": "text", "flag": "flag", "many": "list"}
    attributes["width"] = "um"
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
