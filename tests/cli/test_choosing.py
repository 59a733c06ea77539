"""`calrecords best` chooses from the records, and says in one line when there is nothing."""

import json

import pytest

from calrecords.cli import exit_codes


@pytest.fixture
def science(run, make_frame, tmp_path):
    rows = [
        {"filename": f"bias-{day}.fits.fz", "obstype": "BIAS", "is_master": True, "frame_id": day}
        | {
            "site": "lsc",
            "camera": "fa01",
            "binning": "2x2",
            "configuration_mode": "full_frame",
            "dateobs": f"2026-01-0{day}T00:00:00Z",
        }
        for day in (1, 3, 9)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    assert run("import", path).code == exit_codes.OK
    return make_frame(obstype="EXPOSE", is_master=False)


def test_the_best_comes_first(run, science):
    done = run("best", science, "BIAS", "--max-results", 2)
    assert (done.code, done.err) == (exit_codes.OK, "")
    assert done.out.splitlines() == [
        "bias-3.fits.fz, frame ID 3, 0.87 days after",
        "bias-1.fits.fz, frame ID 1, 1.13 days before",
    ]


def test_json_has_all_of_it(run, science):
    found = run("best", science, "BIAS", "--json").json
    assert found["frame"]["basename"] == "bias-3"
    assert (found["caltype"], found["rule"], found["override"]) == ("BIAS", "bias", None)
    assert found["alternatives"] == []


def test_nothing_found_is_said_in_one_line(run, science):
    done = run("best", science, "DARK")
    assert (done.code, done.out) == (exit_codes.NOT_FOUND, "")
    assert done.err.startswith("Error: no DARK for ")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere.fits", "BIAS"], exit_codes.NOT_FOUND, "nowhere.fits"),
        (["nobody", "BIAS"], exit_codes.NOT_FOUND, "nobody"),
        (["SCIENCE", "FLATT"], exit_codes.FAILED, "SKYFLAT"),
        (["SCIENCE", "BIAS", "--as-of", "soon"], exit_codes.CONFIGURATION, "as_of='soon'"),
        (["SCIENCE", "BIAS", "--max-results", "0"], exit_codes.CONFIGURATION, "max_results=0"),
        (["SCIENCE", "BIAS", "--rules", "none.toml"], exit_codes.FAILED, "none.toml"),
    ],
)
def test_what_cannot_be_asked_is_said(run, science, words, code, says):
    done = run("best", *[science if word == "SCIENCE" else word for word in words])
    assert (done.code, done.out) == (code, "")
    assert says in done.err


def test_the_reasons_are_printed_whether_there_is_one_or_not(run, science):
    found = run("best", science, "BIAS", "--explain")
    assert (found.code, found.err) == (exit_codes.OK, "")
    missing = run("best", science, "DARK", "--explain")
    assert (missing.code, missing.err) == (exit_codes.NOT_FOUND, "")
    for done, word in ((found, "BIAS"), (missing, "DARK")):
        assert word in done.out
        assert "binning" in done.out
    assert run("best", science, "BIAS", "--explain", "--json").json["rule"] == "bias"
