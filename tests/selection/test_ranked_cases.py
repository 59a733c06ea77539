"""Cases of a rule with their ranked answers, in the form of the known cases of Gemini."""

import pytest

from calrecords.errors import RuleError
from calrecords.selection.case_results import CaseResult

RULES = """
name = "mine"
[fields]
filter_name = "filter"
[attributes]
types = "list"
[[rule]]
name = "flat"
caltype = "FLAT"
equal = ["filter_name"]
count = 2
[[rule.conditional]]
branch = [{ when = [{ field = "types", has = "ONE" }], count = 1 }]
[[rule]]
name = "dark"
caltype = "DARK"
"""
DAYS = {1: "09", 2: "10", 3: "12", 4: "15"}
CANDIDATES = [
    {"id": number, "dateobs": f"2026-03-{day}T00:00:00", "filter_name": "rp" if day else None}
    for number, day in DAYS.items()
]
CASE = {
    "science": {"dateobs": "2026-03-11T01:00:00", "filter_name": "rp"},
    "expected_default_howmany": [3, 2],
    "expected_howmany_25": [3, 2, 1, 4],
}


@pytest.fixture
def run_ranked(run, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(RULES)

    def run_these(*cases, candidates=CANDIDATES, **more):
        group = {"candidates": candidates, "cases": list(cases)}
        return run({"rules": {"flat": group, **more}}, str(path))

    return run_these


def without(key, **changes):
    return {name: value for name, value in {**CASE, **changes}.items() if name != key}


def test_each_answer_of_a_case_is_a_result(run_ranked):
    assert run_ranked(CASE) == [
        CaseResult("flat case 1, default count", [3, 2], [3, 2], True),
        CaseResult("flat case 1, count 25", [3, 2, 1, 4], [3, 2, 1, 4], True),
    ]


def test_any_count_may_be_asked_for(run_ranked):
    one, three = {"expected_howmany_1": [3]}, {"expected_howmany_3": [3, 2, 1]}
    [*_, found] = run_ranked({**CASE, **one})
    assert found == CaseResult("flat case 1, count 1", [3], [3], True)
    [found] = run_ranked({"science": CASE["science"], **three})
    assert found == CaseResult("flat case 1, count 3", [3, 2, 1], [3, 2, 1], True)


def test_the_tags_of_a_target_stand_beside_it_and_null_is_that_there_is_no_answer(run_ranked):
    [one, _] = run_ranked({**CASE, "types": ["ONE"]})
    assert (one.found, one.passed) == ([3], False)
    [one, _] = run_ranked({**CASE, "types": None})
    assert one.passed
    science = {**CASE["science"], "filter_name": "ip"}
    for expected in (None, []):
        [one] = run_ranked({"science": science, "expected_default_howmany": expected})
        assert (one.expected, one.found, one.passed) == ([], [], True)


def test_a_target_that_cannot_be_asked_fails_with_its_reason(run_ranked):
    [one, two] = run_ranked({**CASE, "science": {"filter_name": "rp"}})
    assert {one.found, two.found, one.passed, two.passed} == {None, False}
    assert "it has no dateobs" in one.reason


def test_cases_of_a_rule_that_there_is_not_fail(run_ranked):
    results = run_ranked(CASE, flta={"candidates": CANDIDATES, "cases": [CASE]})
    assert [(one.name, one.passed) for one in results] == [
        ("flat case 1, default count", True),
        ("flat case 1, count 25", True),
        ("flta case 1, default count", False),
        ("flta case 1, count 25", False),
    ]
    assert "have no rule 'flta'; did you mean 'flat'?" in results[-1].reason


def test_cases_of_other_rules_alone_are_refused(run):
    with pytest.raises(RuleError, match=r"it has no case for the rules lco, but for flat, lamp$"):
        run({"rules": {"flat": {}, "lamp": {}}})


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("x", "case 1: write an object with science and answers, not 'x'"),
        (without("science"), "case 1: science: write an object, the target, not null"),
        ({**CASE, "science": []}, "case 1: science: write an object, the target, not []"),
        (
            {"science": CASE["science"]},
            "case 1: it has no known answer; write 'expected_default_howmany', or "
            "'expected_howmany_N' of N results",
        ),
        ({**CASE, "expected": [1]}, "case 1: there is no 'expected'; write 'expected_default_"),
        ({**CASE, "expected_howmany_0": []}, "case 1: there is no 'expected_howmany_0'; write"),
        (
            {**CASE, "expected_howmany_25": "x"},
            "case 1: expected_howmany_25: write a list of frame IDs, not 'x'",
        ),
    ],
)
def test_a_case_that_is_not_as_it_must_be_is_named(case, message, run_ranked):
    with pytest.raises(RuleError) as caught:
        run_ranked(case)
    assert str(caught.value).split("cases.json: ")[1].startswith(f"rule flat: {message}")


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (None, "candidates: write a list of objects, not null"),
        (["x"], "candidate 1: write an object, not 'x'"),
        ([{"id": 1, "dateobs": "x"}], "candidate 1: dateobs: cannot read 'x' as a time"),
    ],
)
def test_a_candidate_that_is_not_as_it_must_be_is_named(candidates, message, run_ranked):
    with pytest.raises(RuleError) as caught:
        run_ranked(CASE, candidates=candidates)
    assert str(caught.value).split("cases.json: ")[1].startswith(f"rule flat: {message}")
