"""What an edit would change, as typed."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import calrecords
from calrecords.cli import exit_codes
from calrecords.cli.app import main
from calrecords.selection import rule_files

TARGET = {"basename": "science", "site": "lsc", "camera": "fa01", "binning": "1x1"}
TARGET |= {"dateobs": "2026-03-10T04:00:00"}
LCO = (Path(rule_files.__file__).parent / "rules" / "lco.toml").read_text()


@dataclass
class Typed:
    """What a verb printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return records in which one calibration was used, which no test changes."""
    folder = tmp_path_factory.mktemp("records")
    with calrecords.connect(db=folder / "records.sqlite", store=folder / "store") as cal:
        cal.import_records(
            {**TARGET, "basename": name, "extension": ".fits", "dateobs": f"2026-03-{day}"}
            | {"obstype": "BIAS", "is_master": True}
            for name, day in (("near", 11), ("far", 14))
        )
        cal.record_use("science", cal.best(TARGET, "BIAS"))
        cal.record_use("nameless", "near")
    (folder / "edited.toml").write_text(
        LCO.replace('order = "closest_in_time"', 'order = "closest_in_time"\ndirection = "before"')
    )
    return folder


@pytest.fixture
def run(place, capsys):
    """Return a function that runs the verb in this process."""

    def typed(*words, db="records.sqlite"):
        with pytest.raises(SystemExit) as ended:
            main(["impact", *words, "--db", str(place / db)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Typed(ended.value.code, printed.out, printed.err)

    return typed


def test_a_verdict_is_told_before_it_is_given(run):
    done = run("--verdict", "bad", "--frame", "near")
    assert (done.code, done.err) == (exit_codes.OK, "")
    lines = done.out.splitlines()
    assert lines[0] == (
        "with near.fits called bad, 1 of 2 recorded uses would change; 1 cannot be judged; "
        "2 frames were made with it"
    )
    assert lines[2].split() == [
        *("target", "caltype", "change", "used", "before", "after", "affected", "reason"),
    ]
    assert lines[4].split()[:7] == [
        "science",
        "BIAS",
        "changed",
        *("near.fits",) * 2,
        "far.fits",
        "0",
    ]
    assert lines[5].startswith("nameless  BIAS     not judged  near.fits")
    found = run("--verdict", "bad", "--frame", "near", "--json").json
    assert (found["uses"], found["would_change"], found["not_judged"]) == (2, 1, 1)
    assert [(row["target"], row["after"], row["rule_after"]) for row in found["rows"]] == [
        ("science", "far.fits", "bias"),
        ("nameless", None, None),
    ]


def test_edited_rules_are_told_before_they_are_used(run, place):
    found = run("--rules", str(place / "edited.toml"), "--json").json
    assert [(row["target"], row["change"]) for row in found["rows"]] == [
        ("science", "lost"),
        ("nameless", "not judged"),
    ]
    same = run("--rules", "lco", "--unchanged", "--json").json
    assert [row["change"] for row in same["rows"]] == ["unchanged", "not judged"]


def test_where_nothing_changes_one_line_says_so(run):
    done = run("--rules", "lco", db="empty.sqlite")
    said = "with the rules lco.toml, 0 of 0 recorded uses would change\n"
    assert (done.code, done.out, done.err) == (exit_codes.OK, said, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), exit_codes.USAGE, "--rules FILE, or --verdict bad --frame FRAME"),
        (("--verdict", "bad"), exit_codes.USAGE, "--frame FRAME"),
        (("--frame", "near"), exit_codes.USAGE, "--frame FRAME"),
        (("--rules", "lco", "--verdict", "bad", "--frame", "near"), exit_codes.USAGE, "--rules"),
        (("--rules", "lco", "--md5", "0" * 32), exit_codes.USAGE, "--md5 names a version"),
        (("--verdict", "awful", "--frame", "near"), exit_codes.USAGE, "awful"),
        (("--verdict", "bad", "--frame", "nosuch"), exit_codes.NOT_FOUND, "nosuch"),
        (
            ("--verdict", "bad", "--frame", "near", "--md5", "0" * 32),
            exit_codes.NOT_FOUND,
            "0" * 32,
        ),
        (("--rules", "nosuch.toml"), exit_codes.FAILED, "nosuch.toml"),
    ],
    ids=lambda part: " ".join(part)[:40] if isinstance(part, tuple) else "",
)
def test_what_is_no_edit_says_what_to_type(run, words, code, said):
    done = run(*words)
    assert (done.code, said in done.err) == (code, True), done.err
