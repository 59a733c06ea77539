"""One rule: its key, its counts, and what may stand in place of its own equal fields."""

import pytest

from calrecords.errors import RuleError
from calrecords.matching import MatchSet
from calrecords.selection import Requirement, load_rules
from calrecords.selection.windows import Count, Direction


def test_the_key_holds_the_equalities_and_leaves_what_may_have_no_say(rule):
    made = rule(
        where={"obstype": "BIAS", "is_master": True},
        equal=["site", {"field": "word", "target": "filter", "nulls": "never"}, "dateobs"],
        terms=[
            {"field": "camera", "equal": "fa01", "nulls": "skip"},
            {"field": "number", "above": 2},
        ],
    )
    assert made.plan.match_set == MatchSet(("is_master", "site", "word"), "BIAS")
    assert made.plan.constants == {"is_master": True, "obstype": "BIAS"}
    assert made.plan.sources == (("site", "site", False), ("word", "filter", True))
    assert [term.name for term in made.plan.others] == ["dateobs", "camera", "number"]


def test_a_case_may_say_itself_what_must_be_equal():
    dark = load_rules("lco").rule("dark")
    assert names(dark.with_equal_fields([])) == ["is_master", "obstype", "site", "camera"]
    changed = dark.with_equal_fields(["binning", "gain", "gain", "site"])
    assert names(changed) == ["is_master", "obstype", "site", "camera", "binning", "gain"]
    assert {term.nulls.value for term in changed.terms if term.name == "gain"} == {"never"}


def names(rule):
    return [term.name for term in rule.terms]


def test_one_is_wanted_and_of_a_bracket_one_of_each_side(rule):
    assert rule().count_for(Direction.EITHER) == Count(1, 1)
    assert rule().count_for(Direction.BRACKET) == Count(1, 2)
    assert rule(count=4).count_for(Direction.BRACKET) == Count(1, 4)
    assert rule(count={"min": 2}).count_for(Direction.EITHER) == Count(2, 2)


def test_a_rule_is_required_permitted_or_not_asked_for(rule, target):
    word = {"field": "word", "equal": "x"}
    made = rule(required_when=[word], permitted_when=[{"field": "word", "present": True}])
    asked = [made.requirement_for(target(word=one)) for one in ("x", "y", None)]
    assert asked == [Requirement.REQUIRED, Requirement.PERMITTED, None]
    assert rule().requirement_for(target()) is Requirement.REQUIRED


DIVIDED = {"field": "number", "above": {"expr": "1 / target.wave"}}


@pytest.mark.parametrize(
    ("keys", "call"),
    [
        ({"when": [DIVIDED]}, "applies_to"),
        ({"required_when": [DIVIDED]}, "requirement_for"),
    ],
)
def test_a_condition_that_cannot_be_computed_names_its_file_rule_and_term(keys, call, rule, target):
    made = rule({"wave": "number"}, **keys)
    with pytest.raises(RuleError) as caught:
        getattr(made, call)(target(wave=0, number=1))
    assert str(caught.value) == (
        "test.toml: rule only: number: '1 / target.wave' cannot be computed for wave = 0: "
        "float division by zero"
    )
