"""Files of cases with known answers."""

import os

import pytest

from calrecords.errors import RuleError
from calrecords.selection import load_rules
from calrecords.selection.case_files import LARGEST_BYTES, run_cases


@pytest.mark.parametrize(
    ("rules", "file", "count"), [("gemini", "gemini_cases", 560), ("lco", "banzai_cases", 36)]
)
def test_every_known_answer_is_given(rules, file, count, shared_data):
    results = list(run_cases(load_rules(rules), shared_data / "selection" / f"{file}.json"))
    assert [result for result in results if not result.passed] == []
    assert len(results) == count


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "it is not JSON: Expecting value: line 1 column 1"),
        ("{", "it is not JSON: Expecting property name"),
        ("[" * 100_000, "its lists are nested too deep"),
        ('{"cases": ' + "9" * 5000 + "}", "it holds a number of too many digits"),
        ([], "it has neither 'rules' nor 'cases', so it holds no cases"),
        (3, "it has neither 'rules' nor 'cases', so it holds no cases"),
        ({"cases": []}, "it has no case for the rules lco"),
        ({"rules": {}}, "it has no case for the rules lco"),
        ({"cases": 3}, "cases: write a list of objects, not 3"),
        ({"cases": None}, "cases: write a list of objects, not null"),
        (
            {"rules": [{"id": "gmos_bias_raw"}]},
            "rules: write an object with cases by the name of their rule, not [{ id = 'gmos_",
        ),
        ({"rules": {"bias": 3}}, "rule bias: write an object with candidates and cases, not 3"),
    ],
)
def test_a_file_that_holds_no_cases_is_refused(document, message, run):
    with pytest.raises(RuleError) as caught:
        run(document)
    assert str(caught.value).split("cases.json: ")[1].startswith(message)


def test_what_is_no_file_is_refused(tmp_path):
    def refusal(name):
        with pytest.raises(RuleError) as caught:
            list(run_cases(load_rules("lco"), tmp_path / name))
        return str(caught.value).removeprefix(f"{tmp_path}/")

    assert refusal("nowhere.json") == (
        "nowhere.json: there is no such file; name a JSON file of cases"
    )
    (tmp_path / "folder").mkdir()
    assert refusal("folder") == "folder: it is a folder; name a JSON file of cases"
    os.mkfifo(tmp_path / "pipe")
    assert refusal("pipe") == "pipe: it is no regular file; name a JSON file of cases"
    (tmp_path / "latin").write_bytes(b'{"\xe9"}')
    assert refusal("latin") == "latin: it is not UTF-8 text (byte 2); save it as UTF-8"
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", LARGEST_BYTES + 1)
    assert refusal("huge").startswith(f"huge: it has {LARGEST_BYTES + 1} bytes, of at most")
    assert refusal("hug") == (
        "hug: there is no such file; did you mean 'huge'?; name a JSON file of cases"
    )
