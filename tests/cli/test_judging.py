"""Verdicts, validity, corrections, overrides and what was made with a frame, as typed."""

import json
from dataclasses import dataclass

import pytest

import calrecords
from calrecords.cli import exit_codes
from calrecords.cli.app import main
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.records import Uses


@dataclass
class Typed:
    """What a verb printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs a verb in this process, on records of the test's own."""

    def typed(*words):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--db", str(tmp_path / "records.sqlite")])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return Typed(ended.value.code, printed.out, printed.err)

    return typed


@pytest.fixture
def mask(tmp_path):
    """Return the basename of a recorded frame."""
    path = write_synthetic_frame(tmp_path, obstype="BPM", basename="mask")
    with calrecords.connect(db=tmp_path / "records.sqlite", store=tmp_path / "store") as cal:
        cal.register(path, is_master=True)
    return "mask"


def test_a_frame_is_marked_restricted_and_mended_with_its_history(run, mask):
    said = ("--author", "ana")
    bad = run("mark", "bad", mask, "--reason", "stripes", *said)
    assert (bad.code, bad.out, bad.err) == (exit_codes.OK, "mask.fits: bad\n", "")
    assert run("mark", "good", mask, *said, "--json").json["verdict"] == "good"
    assert run("mark", "unknown", mask, *said).out == "mask.fits: unknown\n"
    valid = run("validity", mask, "--until", "2027-01-01", "--reason", "new chip", *said)
    assert valid.out == "mask.fits: valid [open, 2027-01-01T00:00:00Z)\n"
    values = ("--set", "filter=rp", "--set", "attributes.SKY=1.5", "--set", "ccd_temperature=")
    mended = run("correct", mask, *values, "--reason", "read anew", *said, "--json").json
    assert (mended["filter"], mended["attributes"]["SKY"]) == ("rp", 1.5)
    assert mended["ccd_temperature"] is None
    found = run("history", mask, "--json").json
    assert [(one["kind"], one["author"], one["reason"]) for one in found] == [
        ("recorded", None, None),
        ("verdict", "ana", "stripes"),
        ("verdict", "ana", ""),
        ("verdict", "ana", ""),
        ("validity", "ana", "new chip"),
        *[("correction", "ana", "read anew")] * 3,
    ]
    assert "ccd_temperature: -100.0 -> unknown" in run("history", mask).out


def test_a_calibration_is_forced_and_let_go(run, mask):
    words = ("override", "set", "BPM", mask, "--reason", "no other")
    done = run(*words, "--target", "/data/science.fits.fz")
    assert (done.code, done.out) == (exit_codes.OK, "override 1: mask.fits is the BPM of science\n")
    assert run(*words, "--site", "lsc", "--camera", "fa01", "--json").json["id"] == 2
    assert run("override", "withdraw", "1").out == "override 1: withdrawn\n"
    assert [one["id"] for one in run("override", "list", "--json").json] == [2]
    every = run("override", "list", "--all", "--json").json
    assert [(one["id"], one["target"], one["camera"]) for one in every] == [
        (1, "science", None),
        (2, None, "fa01"),
    ]
    assert "lsc   fa01" in run("override", "list").out


def test_a_use_is_recorded_with_the_facts_of_a_file(run, mask, tmp_path):
    science = write_synthetic_frame(tmp_path, obstype="EXPOSE", basename="science")
    words = ("record-use", str(science), mask, "--caltype", "bpm")
    done = run(*words, "--created-before", "2026-01-01", "--include-bad")
    assert (done.code, done.out, done.err) == (
        exit_codes.OK,
        "science: its BPM was mask.fits\n",
        "",
    )
    with calrecords.connect(db=tmp_path / "records.sqlite") as cal:
        [use] = Uses(cal._database).of_target("science")
        assert use.asked.target["site"] == cal.open_file(science).facts.site
        assert (use.asked.created_before.year, use.asked.include_bad) == (2026, True)
        assert cal.best(use.asked.target, "BPM").frame.basename == mask
    said = run("record-use", "other", mask, "--json").json
    assert (said.pop("md5"), said) == (
        use.md5,
        {"target": "other", "caltype": "BPM", "filename": "mask.fits", "is_new": True},
    )
    again = run("record-use", "other.fits", mask)
    assert again.out == "other: its BPM was mask.fits, as is recorded already\n"


def test_what_was_made_with_a_frame_is_shown(run, mask, tmp_path):
    with calrecords.connect(db=tmp_path / "records.sqlite") as cal:
        cal.record_use("science", mask)
    [use] = run("uses", mask, "--json").json
    assert (use["target"], use["kind"], use["through"]) == ("science", "use", "BPM")
    assert run("uses", "--target", "science.fits", "--json").json == [use]
    assert run("uses", "--target", "unknown", "--json").json == []
    assert run("affected", mask, "--json").json == [
        {
            "depth": 1,
            "basename": "science",
            "obstype": None,
            "through": "BPM",
            "path": "mask > science",
        }
    ]
    assert "mask > science" in run("affected", mask).out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("mark", "bad", "mask"), exit_codes.USAGE, "--reason"),
        (("mark", "awful", "mask"), exit_codes.USAGE, "awful"),
        (("mark", "bad", "nosuch", "--reason", "x"), exit_codes.NOT_FOUND, "nosuch"),
        (("mark", "bad", "9" * 30, "--reason", "x"), exit_codes.NOT_FOUND, "9" * 30),
        (("mark", "good", "mask", "--md5", "0" * 32), exit_codes.NOT_FOUND, "0" * 32),
        (("validity", "mask"), exit_codes.USAGE, "--reason"),
        (
            ("validity", "mask", "--after", "yesterday", "--reason", "x"),
            exit_codes.CONFIGURATION,
            "YYYY-MM-DD",
        ),
        (
            ("validity", "mask", "--after", "2026-01-02", "--until", "2026-01-02", "--reason", "x"),
            exit_codes.FAILED,
            "not later",
        ),
        (("correct", "mask", "--set", "filter", "--reason", "x"), exit_codes.USAGE, "NAME=VALUE"),
        (("correct", "mask", "--set", "reason=y", "--reason", "x"), exit_codes.USAGE, "no fact"),
        (("correct", "mask", "--set", "filtr=rp", "--reason", "x"), exit_codes.FAILED, "filter"),
        (("correct", "mask", "--set", "site=ogg", "--reason", "x"), exit_codes.FAILED, "site"),
        (
            ("correct", "mask", "--set", "binning=big", "--reason", "x"),
            exit_codes.FAILED,
            "'big' as a binning",
        ),
        (("override", "set", "BPM", "mask", "--reason", "x"), exit_codes.FAILED, "one target"),
        (
            ("override", "set", "BPM", "mask", "--site", "lsc", "--camera", "x", "--reason", "x"),
            exit_codes.NOT_FOUND,
            "known there: fa01",
        ),
        (
            ("override", "set", "BPMM", "mask", "--target", "s", "--reason", "x"),
            exit_codes.FAILED,
            "did you mean 'BPM'?; known: BIAS",
        ),
        (
            (
                "override",
                "set",
                "BPM",
                "mask",
                "--target",
                "s",
                "--reason",
                "x",
                "--rules",
                "gemin",
            ),
            exit_codes.FAILED,
            "did you mean 'gemini'",
        ),
        (("override", "withdraw", "7"), exit_codes.NOT_FOUND, "override 7"),
        (("override", "withdraw", "0"), exit_codes.USAGE, "0"),
        (("history", "nosuch"), exit_codes.NOT_FOUND, "nosuch"),
        (("uses",), exit_codes.USAGE, "--target"),
        (("uses", "mask", "--target", "x"), exit_codes.USAGE, "--target"),
        (("record-use", "science", "nosuch"), exit_codes.NOT_FOUND, "nosuch"),
        (("record-use", "science"), exit_codes.USAGE, "FRAME"),
        (("record-use", " ", "mask"), exit_codes.CONFIGURATION, "which target"),
        (("record-use", "s" * 1001, "mask"), exit_codes.FAILED, "is no name"),
        (
            ("record-use", "s", "mask", "--created-before", "x"),
            exit_codes.CONFIGURATION,
            "created_before='x'",
        ),
        (("affected", "nosuch"), exit_codes.NOT_FOUND, "nosuch"),
    ],
    ids=lambda part: " ".join(part)[:40] if isinstance(part, tuple) else "",
)
def test_bad_input_says_what_to_do(called, words, code, said):
    assert called(words) == (code, True), said


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the settings of records with one frame, which no test changes."""
    folder = tmp_path_factory.mktemp("records")
    settings = {"db": folder / "records.sqlite", "store": folder / "store"}
    with calrecords.connect(**settings) as cal:
        cal.register(write_synthetic_frame(folder, obstype="BPM", basename="mask"), is_master=True)
    return settings


@pytest.fixture
def called(place, capsys, request):
    """Return a function that runs a verb in this process, and looks for what it must say."""

    def call(words):
        named = [word for name, value in place.items() for word in (f"--{name}", str(value))]
        with pytest.raises(SystemExit) as ended:
            main([*words, *named])
        printed = capsys.readouterr()
        said = request.node.callspec.params["said"]
        return ended.value.code, said in printed.err and "Traceback" not in printed.err

    return call
