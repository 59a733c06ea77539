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


BROKEN = {
    "not TOML": ("name =", "it is not TOML: Invalid value (at "),
    "not UTF-8": (b"name = '\xff'", "it is not UTF-8 text (byte 8); save it as UTF-8"),
    "empty": ("", "it is empty; rules begin with name = '...', and each rule is a [[rule]]"),
    "an unknown field": (
        'name = "x"\n[[rule]]\nname = "a"\ncaltype = "BIAS"\nequal = ["binnning"]\n',
        "rule a: equal: binnning: the field 'binnning' is not known; did you mean 'binning'?",
    ),
    "a value of a wrong type": (
        'name = "x"\n[[rule]]\nname = "a"\ncaltype = "BIAS"\nuses = [["b"]]\n',
        "rule a: uses: there is no conditional ['b']; known: none",
    ),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_rules_that_cannot_be_read_are_an_error_without_traceback(run, tmp_path, content, message):
    path = tmp_path / "broken.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = run("rules", "check", path)
    assert (done.code, done.out) == (exit_codes.FAILED, "")
    assert done.err.startswith(f"Error: {path}: {message}")


def test_rules_that_cannot_be_read_are_an_error_wherever_they_are_named(run, tmp_path, make_frame):
    path = tmp_path / "broken.toml"
    path.write_text("rule = []")
    (tmp_path / "cases.json").write_text('{"cases": []}')
    science = make_frame()
    for words in (
        ["rules", "show", path],
        ["rules", "test", "--rules", path, "cases.json"],
        ["best", science, "BIAS", "--rules", path],
        ["calibrations", science, "--rules", path],
    ):
        done = run(*words, "--json")
        assert done.code == exit_codes.FAILED
        assert done.json == {"error": "RuleError", "message": f"{path}: 'name' is missing; add it"}
        assert done.err == f"Error: {path}: 'name' is missing; add it\n"


def test_a_name_that_is_mistyped_is_told_what_ships(run, make_frame):
    message = (
        "Error: there are no rules 'gemin'; did you mean 'gemini'?; "
        "name gemini, lco, or the path of a file\n"
    )
    for words in (
        ["rules", "check", "gemin"],
        ["best", make_frame(), "BIAS", "--rules", "gemin"],
    ):
        done = run(*words)
        assert (done.code, done.out, done.err) == (exit_codes.FAILED, "", message)


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
    done = run("rules", "show", "--caltype", "BAIS")
    assert (done.code, done.out) == (exit_codes.NOT_FOUND, "")
    assert done.err.startswith("lco has no rule for BAIS; did you mean 'BIAS'?; known: BIAS, DARK,")
    done = run("rules", "show", "--caltype", "BAIS", "--json")
    assert (done.code, done.json["rule"]) == (exit_codes.NOT_FOUND, [])


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
