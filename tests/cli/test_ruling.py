"""`calrecords rules` as an observatory uses it."""

import json

import pytest

from calrecords.cli import exit_codes

MINE = """
name = "mine"
[attributes]
wave = "um"
[[rule]]
name = "arc"
caltype = "ARC"
where = { obstype = "ARC" }
equal = ["site", "camera"]
[[rule]]
name = "wide"
caltype = "FLAT"
equal = ["site", "camera"]
terms = [{ field = "wave", within_percent = 100, ends = "closed" }]
window = { within = "90 d", ends = "open" }
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


def test_the_default_rules_are_sound_and_two_probes(run):
    done = run("rules", "check")
    assert (done.code, done.err) == (exit_codes.OK, "")
    lines = done.out.splitlines()
    assert lines[-1] == "7 rules, 0 mistakes"
    assert {line.partition(": ")[2] for line in lines[:-1]} == {"two index probes"}


def test_check_names_mistakes_and_costs(run, mine):
    done = run("rules", "check", mine)
    assert done.code == exit_codes.FAILED
    assert done.out.splitlines() == [
        f"{mine}: rule wide: wave: a tolerance of 100 percent reaches from 0 on, so it cannot "
        "reject; lower it",
        "arc: two index probes",
        "wide: what lies in its time window (90 d, ends open): tests each candidate for wave",
        "2 rules, 1 mistakes",
    ]
    document = run("rules", "check", mine, "--json").json
    assert [one["rule"] for one in document["mistakes"]] == ["wide"]
    assert document["costs"][1]["window"] == "90 d, ends open"


@pytest.mark.parametrize("verb", [["check"], ["show"]])
def test_rules_that_cannot_be_read_are_an_error_without_traceback(run, tmp_path, verb):
    path = tmp_path / "broken.toml"
    path.write_text('name = "x"\n[[rule]]\nname = "a"\ncaltype = "B"\nequal = ["binnning"]\n')
    done = run("rules", *verb, path)
    assert (done.code, done.out) == (exit_codes.FAILED, "")
    assert done.err.startswith(f"Error: {path}: rule a: equal: binnning: the field 'binnning' is")
    assert run("rules", *verb, "nosuch", "--json").json["error"] == "RuleError"


def test_show_says_in_words_what_rules_say(run):
    done = run("rules", "show", "lco", "--caltype", "dark")
    assert done.code == exit_codes.OK
    assert "ccd_temperature equal to the target's (nulls: never)" in done.out
    assert "skyflat" not in done.out
    [one] = run("rules", "show", "gemini", "--caltype", "specphot", "--json").json["rule"]
    assert (one["name"], one["window"], one["count"]) == (
        "gmos_specphot_raw",
        "183 d, ends open",
        "4",
    )
    assert run("rules", "show", "--caltype", "FLAT").code == exit_codes.NOT_FOUND


def test_cases_are_counted_and_each_mismatch_has_its_line(run, mine, tmp_path):
    candidate = {"filename": "a1", "type": "ARC", "site": "lsc", "camera": "fa01"}
    candidate |= {"dateobs": "2026-03-09T04:00:00", "is_master": True, "attributes": {}}
    science = {"site": "lsc", "camera": "fa01", "dateobs": "2026-03-10T04:00:00"}
    case = {"id": "1", "title": "near", "type": "ARC", "criteria": [], "science": science}
    case |= {"candidates": [candidate], "accept": ["a1"]}
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": [case, {**case, "id": "2", "accept": [None]}]}))
    done = run("rules", "test", "--rules", mine, path)
    assert done.code == exit_codes.FAILED
    assert done.out == "case 2 (near): expected [None], found a1\n1 passed, 1 failed\n"
    document = run("rules", "test", "--rules", mine, path, "--json").json
    assert (document["passed"], document["failed"]) == (1, 1)
    path.write_text(json.dumps({"cases": [case]}))
    done = run("rules", "test", "--rules", mine, path)
    assert (done.code, done.out) == (exit_codes.OK, "1 passed, 0 failed\n")
    assert run("rules", "test", "--rules", mine, tmp_path / "none.json").code == exit_codes.FAILED
