"""`calrecords calibrations` shows all that a frame needs, and its exit code says if it is there."""

import json

import pytest

from calrecords.cli import exit_codes

ROW = {
    **{"site": "lsc", "camera": "fa01", "binning": "2x2", "configuration_mode": "full_frame"},
    **{"is_master": True, "dateobs": "2026-01-03T00:00:00Z"},
}
RULES = """
name = "mine"
[[rule]]
name = "bias"
caltype = "BIAS"
equal = ["site", "camera"]
where = { obstype = "BIAS" }
nulls = "never"
stale_after = "1 h"
"""


@pytest.fixture
def science(run, make_frame, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**ROW, "filename": "bias.fits", "obstype": "BIAS", "frame_id": 3}))
    assert run("import", path).code == exit_codes.OK
    return make_frame(obstype="EXPOSE", is_master=False)


def test_what_is_missing_is_shown_with_the_reason(run, science):
    done = run("calibrations", science)
    assert (done.code, done.err) == (exit_codes.FAILED, "")
    lines = done.out.splitlines()
    assert lines[0].endswith(": missing DARK, BPM")
    assert [line.split()[:4] for line in lines[2:6:2]] == [
        ["caltype", "requirement", "state", "filename"],
        ["BIAS", "required", "OK", "bias.fits"],
    ]
    assert lines[5].split(maxsplit=3) == [
        *("DARK", "required", "missing"),
        "obstype: none of the 1 frame left has DARK; there is BIAS",
    ]


def test_the_exit_code_is_0_where_all_that_is_required_is_there(run, science, tmp_path):
    rules = tmp_path / "mine.toml"
    rules.write_text(RULES)
    done = run("calibrations", science, "--rules", rules, "--json")
    assert (done.code, done.err) == (exit_codes.OK, "")
    [found] = done.json["calibrations"]
    assert {**found, "age_s": None, "reason": found["reason"][-24:]} == {
        **{"caltype": "BIAS", "requirement": "required", "state": "stale"},
        **{"filename": "bias.fits", "frame_id": 3, "age_s": None, "limit_s": 3600.0},
        **{"verdict": "unknown", "rule": "bias", "override": None},
        "reason": ", and stale after 3600 s",
    }


def test_a_moment_before_the_records_has_nothing(run, science):
    done = run("calibrations", science, "--as-of", "2026-01-01T00:00:00Z", "--json")
    assert done.code == exit_codes.FAILED
    assert {one["reason"] for one in done.json["calibrations"]} == {"no frame is recorded"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere.fits"], exit_codes.NOT_FOUND, "nowhere.fits"),
        (["SCIENCE", "--as-of", "soon"], exit_codes.CONFIGURATION, "as_of='soon'"),
        (["SCIENCE", "--as-of", "2999-01-01"], exit_codes.CONFIGURATION, "in the future"),
        (["SCIENCE", "--rules", "none.toml"], exit_codes.FAILED, "none.toml"),
    ],
)
def test_what_cannot_be_asked_is_said(run, make_frame, words, code, says):
    science = make_frame(obstype="EXPOSE", is_master=False)
    done = run("calibrations", *[science if word == "SCIENCE" else word for word in words])
    assert (done.code, done.out) == (code, "")
    assert says in done.err
