"""`calrecords import` says what became of the rows, and ends with a code that says it too."""

import json

import pytest

from calrecords.cli import exit_codes

ROW = {"filename": "a.fits", "obstype": "BIAS", "site": "lsc", "camera": "fa15", "frame_id": 7}


@pytest.fixture
def rows(tmp_path):
    """Return a function that writes JSON lines."""

    def write(*lines):
        path = tmp_path / "rows.jsonl"
        path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
        return path

    return write


def test_clean_rows_are_counted_and_the_frames_are_there(run, rows):
    path = rows(ROW, ROW | {"filename": "b.fits", "frame_id": 8})
    would = run("import", "--dry-run", path)
    assert (would.code, would.err) == (exit_codes.OK, "")
    assert would.out.startswith("rows.jsonl: 2 rows: 2 would be recorded, 0 completed")
    done = run("import", path)
    assert (done.code, done.err) == (exit_codes.OK, "")
    assert done.out == (
        "rows.jsonl: 2 rows: 2 recorded, 0 completed, 0 already there, 0 refused, 0 in conflict\n"
    )
    assert run("show", "8", "--json").json["filename"] == "b.fits"
    again = run("import", path, "--json")
    assert again.code == exit_codes.OK
    assert again.json == {
        **{"source": "rows.jsonl", "rows": 2, "recorded": 0, "completed": 0, "already_there": 2},
        **{"refused": 0, "conflicts": 0, "refused_rows": [], "conflicting_rows": []},
        "is_dry_run": False,
    }


def test_rows_that_are_not_recorded_are_named_and_the_code_says_so(run, rows):
    bad = ["{", ROW | {"obstyp": "x"}, ROW, ROW | {"camera": "kb70"}, ROW | {"frame_id": 8}]
    done = run("import", rows(*bad), "--problems", "1")
    assert done.code == exit_codes.FAILED
    assert "1 recorded, 0 completed, 0 already there, 2 refused, 2 in conflict" in done.out
    lines = done.err.splitlines()
    assert lines[0].startswith("row 1: refused: the line is no JSON")
    assert lines[1] == "1 more rows are refused; see --problems"
    assert lines[2].startswith("row 4 (a): in conflict: another frame of this name is recorded")
    assert lines[3] == "1 more rows are in conflict; see --problems"


def test_a_source_that_cannot_be_used_ends_with_a_message(run, tmp_path):
    assert run("import", "none.csv").code == exit_codes.NOT_FOUND
    (tmp_path / "rows.txt").write_text("filename\n")
    assert run("import", "rows.txt").code == exit_codes.CONFIGURATION
    (tmp_path / "rows.csv").write_text("filename,nonsense\n")
    done = run("import", "rows.csv", "--json")
    assert (done.code, done.json["error"]) == (exit_codes.FAILED, "InvalidRecordError")
    assert "'nonsense' is no word that a row uses" in done.err
    url = "postgresql://reader:secret@127.0.0.1:1/calibrations"
    away = run("import", url)
    assert (away.code, "secret" in away.err) == (exit_codes.TRY_LATER, False)
