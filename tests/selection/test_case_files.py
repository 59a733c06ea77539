import json

import pytest

from calrecords.errors import RuleError
from calrecords.selection import load_rules
from calrecords.selection.case_files import CaseResult, run_cases


@pytest.mark.parametrize(
    ("rules", "file", "count"), [("gemini", "gemini_cases", 560), ("lco", "banzai_cases", 36)]
)
def test_every_known_answer_is_given(rules, file, count, shared_data):
    results = list(run_cases(load_rules(rules), shared_data / "selection" / f"{file}.json"))
    assert [result for result in results if not result.passed] == []
    assert len(results) == count


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


@pytest.fixture
def run(tmp_path):
    def run_these(document, rules="lco"):
        path = tmp_path / "cases.json"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return list(run_cases(load_rules(rules), path))

    return run_these


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


def test_a_case_that_cannot_be_asked_has_no_answer_and_a_reason(run):
    [result] = run({"cases": [{**CASE, "type": "BAIS"}]})
    assert (result.found, result.passed) == (None, False)
    assert "did you mean 'BIAS'?" in result.reason


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ([], "neither 'rules' nor 'cases'"),
        ({"cases": []}, "it has no case for the rules lco"),
        ({"rules": {"unknown": {}}}, "it has no case for the rules lco"),
        ({"cases": [{"id": 1}]}, "a case is not as it must be: KeyError: 'science'"),
        ({"cases": 3}, "a case is not as it must be: TypeError"),
        ({"rules": {"bias": 3}}, "a case is not as it must be: TypeError"),
    ],
)
def test_a_file_that_holds_no_cases_is_refused(document, message, run):
    with pytest.raises(RuleError, match=r"cases\.json: ") as caught:
        run(document)
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RuleError, match=r"nowhere\.json: it cannot be read"):
        list(run_cases(load_rules("lco"), tmp_path / "nowhere.json"))
