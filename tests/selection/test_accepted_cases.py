"""Cases with the answers that are accepted, in the form of the known cases of BANZAI."""

import pytest

from calrecords.errors import RuleError
from calrecords.selection.case_results import CaseResult

CANDIDATE = {
    "filename": "near",
    "type": "BIAS",
    "site": "lsc",
    "camera": "fa01",
    "dateobs": "2026-03-09T04:00:00",
    "datecreated": "2026-03-09T05:00:00",
    "is_master": True,
    "is_bad": False,
    "attributes": {"binning": "1x1", "configuration_mode": "default"},
}
CASE = {
    "id": "1",
    "title": "near",
    "type": "BIAS",
    "criteria": ["binning"],
    "science": {
        "site": "lsc",
        "camera": "fa01",
        "dateobs": "2026-03-10T04:00:00",
        "block_start": "2026-03-09T05:00:00",
        "binning": "1x1",
    },
    "candidates": [CANDIDATE],
    "accept": ["near"],
}


def found(run, **changes):
    [result] = run({"cases": [{**CASE, **changes}]})
    return result.found


def test_a_mismatch_says_what_was_expected_and_what_was_found(run):
    assert run({"cases": [{**CASE, "accept": [None]}]}) == [
        CaseResult("case 1 (near)", [None], "near", False)
    ]


def test_a_case_says_itself_what_must_be_equal(run):
    other = {**CANDIDATE, "attributes": {"binning": "2x2"}}
    assert found(run, candidates=[other]) is None
    assert found(run, candidates=[other], criteria=[]) == "near"
    assert found(run, candidates=[other], criteria=["configuration_mode"]) is None
    assert found(run, candidates=[{**other, "camera": "fa02"}], criteria=[]) is None


def test_only_older_ones_were_made_before_the_block(run):
    assert found(run, use_only_older=True) is None
    assert found(run, use_only_older=False) == "near"
    without = {**CASE["science"], "block_start": None}
    assert found(run, use_only_older=True, science=without) == "near"


def test_the_last_moment_of_validity_belongs_to_it(run):
    ends = {**CANDIDATE, "good_until": "2026-03-10T04:00:00"}
    assert found(run, candidates=[ends]) == "near"
    ends = {**CANDIDATE, "good_until": "2026-03-10T03:59:59.999999"}
    assert found(run, candidates=[ends]) is None


def test_the_answer_may_be_said_alone(run):
    [result] = run({"cases": [without("accept", expected="near")]})
    assert (result.expected, result.passed) == (["near"], True)
    [result] = run({"cases": [without("accept", expected=None, candidates=[])]})
    assert (result.expected, result.found, result.passed) == ([None], None, True)


def without(key, **changes):
    return {name: value for name, value in {**CASE, **changes}.items() if name != key}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "BAIS"}, "the rules lco have no calibration type 'BAIS'; did you mean 'BIAS'?"),
        ({"science": {}}, "the target: it has no dateobs, from which calibrations are looked for"),
        (
            {"science": {**CASE["science"], "dateobs": "soon"}},
            "the target: dateobs: cannot read 'soon' as a time",
        ),
        (
            {"science": {**CASE["science"], "binning": "two"}},
            "the target: binning: cannot read 'two' as a binning",
        ),
        (
            {"criteria": ["binnning"]},
            "criteria: nothing has a field 'binnning'; did you mean 'binning'?",
        ),
        (
            {"science": {**CASE["science"], "block_start": "soon"}, "use_only_older": True},
            "block_start: cannot read 'soon' as a time",
        ),
    ],
)
def test_a_case_that_cannot_be_asked_fails_with_its_reason(changes, reason, run):
    [result] = run({"cases": [{**CASE, **changes}]})
    assert (result.found, result.passed) == (None, False)
    assert result.reason.startswith(reason)


def test_a_criterion_may_be_any_attribute_that_somebody_has(run):
    grated = {**CANDIDATE["attributes"], "grating": "R400"}
    science = {**CASE["science"], "grating": "R400"}
    given = {"criteria": ["grating"], "candidates": [{**CANDIDATE, "attributes": grated}]}
    assert found(run, **given, science=science) == "near"
    assert found(run, **given, science={**science, "grating": "B600"}) is None
    assert found(run, **given) is None
    assert found(run, criteria=["grating"], science=science) is None


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"dateobs": None}, None),
        ({"attributes": None}, None),
        ({"is_bad": None}, "near"),
        ({"is_bad": True}, None),
        ({"is_master": None}, None),
        ({"instrument": "nres01", "frameid": None}, "near"),
        ({"good_after": None, "good_until": "9999-12-31T23:59:59.999999"}, "near"),
        ({"attributes": {"binning": "(1, 1)"}}, "near"),
        ({"attributes": {"binning": "[" * 5000}}, None),
        ({"attributes": {"binning": [["x"]]}}, None),
    ],
)
def test_what_a_candidate_lacks_or_has_oddly(changes, answer, run):
    assert found(run, candidates=[{**CANDIDATE, **changes}]) == answer


def candidate(**changes):
    return {**CASE, "candidates": [{**CANDIDATE, **changes}]}


def candidate_without(key):
    return {**CASE, "candidates": [{k: v for k, v in CANDIDATE.items() if k != key}]}


BROKEN = [
    ("x", "write an object with type, science, candidates and accept, not 'x'"),
    (None, "write an object with type, science, candidates and accept, not null"),
    (without("type"), "'type' is missing; add it"),
    (without("science"), "'science' is missing; add it"),
    (without("candidates"), "'candidates' is missing; add it"),
    (without("accept"), "it has no known answer; write accept, a list of file names, null for"),
    ({**CASE, "accept": []}, "accept is empty, so that no answer is right; [null] is that there"),
    ({**CASE, "type": None}, "type: write a calibration type in quotes, not null"),
    ({**CASE, "science": []}, "science: write an object, the target, not []"),
    ({**CASE, "candidates": {}}, "candidates: write a list, not {}"),
    ({**CASE, "candidates": ["x"]}, "candidate 1: write an object, not 'x'"),
    ({**CASE, "criteria": "binning"}, "criteria: write a list of fields that must be equal, not"),
    ({**CASE, "criteria": [1]}, "criteria: write the name of a field in quotes, not 1"),
    (without("criteria", critera=[]), "there is no 'critera'; did you mean 'criteria'?"),
    (without("accept", accepts=[]), "there is no 'accepts'; did you mean 'accept'?"),
    ({**CASE, "use_only_older": "yes"}, "use_only_older: write true or false, not 'yes'"),
    (candidate_without("filename"), "candidate 1: 'filename' is missing; add it"),
    (candidate_without("camera"), "candidate 1: 'camera' is missing; add it"),
    (candidate(dateobs="soon"), "candidate 1: dateobs: cannot read 'soon' as a time"),
    (candidate(datecreated="soon"), "candidate 1: created: cannot read 'soon' as a time"),
    (candidate(good_until="never"), "candidate 1: good_until: cannot read 'never' as a time"),
    (candidate(attributes=[1]), "candidate 1: attributes: write an object, not [1]"),
]


@pytest.mark.parametrize(("case", "message"), BROKEN)
def test_a_case_that_is_not_as_it_must_be_is_named_with_what_in_it(case, message, run):
    with pytest.raises(RuleError) as caught:
        run({"cases": [CASE, case]})
    which = 1 if isinstance(case, dict) else 2
    assert str(caught.value).split("cases.json: ")[1].startswith(f"case {which}: {message}")
