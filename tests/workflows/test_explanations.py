"""An explanation shows itself: as text, as a table, as HTML, as JSON."""

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from calrecords.frames import CalibrationFrame, FrameVersion
from calrecords.selection import make_target
from calrecords.selection.reasons import Elimination, NearMiss, Shortfall
from calrecords.vocabulary import Verdict
from calrecords.workflows.explanations import Explanation

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def frame(basename, **facts):
    names = CalibrationFrame.__dataclass_fields__
    values = {**dict.fromkeys(names), "basename": basename, "verdict": Verdict.UNKNOWN, **facts}
    values["version"] = FrameVersion(None, None, None, None, ".fits.fz", None)
    return CalibrationFrame(**values)


FOUND = Explanation(
    caltype="BIAS",
    target=make_target({"basename": "<b>science</b>", "dateobs": NOON}),
    rule="bias",
    rule_version="1",
    rows=(
        Elimination("binning", "binning", "2x2", 3, 1),
        Elimination("verdict", "verdict", "good or unknown", 2, 1),
    ),
    nearest=(
        NearMiss(
            frame("near", frame_id=7, dateobs=NOON - timedelta(days=2)),
            timedelta(days=-2),
            (
                Shortfall("binning", "binning", "", "2x2"),
                Shortfall("verdict", "verdict", "bad", "good or unknown"),
            ),
        ),
        NearMiss(frame("timeless"), None, (Shortfall("direction", "dateobs", "", "any time"),)),
    ),
    total=3,
    passed=1,
    chosen="bias.fits.fz",
    as_of=NOON + timedelta(days=1),
)
MISSING = replace(
    FOUND,
    target=make_target({"dateobs": NOON}),
    rows=(Elimination("filter", "filter", "<up>", 3, 3, ("gp", "rp")),),
    nearest=(),
    passed=0,
    chosen=None,
    as_of=None,
    created_before=NOON,
    include_bad=True,
)


def test_text_is_for_the_terminal():
    assert str(FOUND).splitlines() == [
        "BIAS for <b>science</b>: bias.fits.fz",
        "rule bias (version 1), as known at 2026-03-11T12:00:00Z: "
        "1 of 3 recorded frames pass every test",
        "",
        "test     allowed          tested  removed  left  known",
        "-------  ---------------  ------  -------  ----  -----",
        "binning  2x2              3       1        2",
        "verdict  good or unknown  2       1        1",
        "",
        "nearest misses:",
        "filename          age      test       actual    allowed",
        "----------------  -------  ---------  --------  ---------------",
        "near.fits.fz      -2.00 d  binning    no value  2x2",
        "                           verdict    bad       good or unknown",
        "timeless.fits.fz           direction  no value  any time",
    ]
    assert str(MISSING).splitlines() == [
        "BIAS for a target of 2026-03-10T12:00:00Z: none",
        "rule bias (version 1), made before 2026-03-10T12:00:00Z, bad ones too: "
        "filter: none of the 3 frames left has <up>; there is gp, rp",
        "",
        "test    allowed  tested  removed  left  known",
        "------  -------  ------  -------  ----  ------",
        "filter  <up>     3       3        0     gp, rp",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "1 of 3 recorded frames pass every test"),
        ({"never": "the target has no filter"}, "the target has no filter"),
        ({"total": 0, "rows": ()}, "no frame is recorded"),
        ({"wanted": 2}, "only 1 pass every test, and the rule wants 2"),
        (
            {"passed": 0, "rows": (Elimination("x", "x", "1", 1, 1),)},
            "x: none of the 1 frame left has 1",
        ),
    ],
)
def test_the_reason_is_one_sentence(changes, reason):
    assert replace(FOUND, **changes).reason == reason


def test_an_override_is_told_even_without_a_reason():
    forced = replace(FOUND, override="")
    assert str(forced).splitlines()[1] == "forced by an override: no reason given"
    assert "forced by an override: test" in replace(FOUND, override="test")._repr_html_()


def test_it_is_shown_in_a_terminal_as_it_is_printed():
    assert repr(FOUND) == str(FOUND)


def test_html_shows_the_same_and_lets_nothing_out():
    html = FOUND._repr_html_()
    assert (html.count("<table>"), html.count("<tr>")) == (2, 7)
    assert "&lt;b&gt;science&lt;/b&gt;" in html
    assert "<b>" not in html
    assert MISSING._repr_html_().count("<table>") == 1
    assert "&lt;up&gt;" in MISSING._repr_html_()


def test_tables_have_a_row_for_each_test():
    table = MISSING.to_table()
    assert table.colnames == ["test", "allowed", "tested", "removed", "left", "known"]
    assert [list(row) for row in table] == [["filter", "<up>", 3, 3, 0, "gp, rp"]]
    nearest = FOUND.nearest_table()
    assert nearest.colnames == ["filename", "age", "test", "actual", "allowed"]
    assert nearest["age"].unit == "d"
    assert [list(row) for row in nearest] == [
        ["near.fits.fz", -2.0, "binning", "", "2x2"],
        ["near.fits.fz", -2.0, "verdict", "bad", "good or unknown"],
        ["timeless.fits.fz", np.ma.masked, "direction", "", "any time"],
    ]
    assert MISSING.nearest_table().colnames == nearest.colnames
    assert len(MISSING.nearest_table()) == 0


def test_json_has_all_of_it():
    assert json.loads(FOUND.to_json()) == {
        "caltype": "BIAS",
        "target": "<b>science</b>",
        "dateobs": "2026-03-10T12:00:00Z",
        "rule": "bias",
        "rule_version": "1",
        "as_of": "2026-03-11T12:00:00Z",
        "created_before": None,
        "include_bad": False,
        "chosen": "bias.fits.fz",
        "override": None,
        "never": None,
        "reason": "1 of 3 recorded frames pass every test",
        "total": 3,
        "passed": 1,
        "wanted": 1,
        "tests": [
            {
                **{"test": "binning", "field": "binning", "allowed": "2x2"},
                **{"tested": 3, "removed": 1, "left": 2, "known": []},
            },
            {
                **{"test": "verdict", "field": "verdict", "allowed": "good or unknown"},
                **{"tested": 2, "removed": 1, "left": 1, "known": []},
            },
        ],
        "nearest": [
            {
                "filename": "near.fits.fz",
                "frame_id": 7,
                "dateobs": "2026-03-08T12:00:00Z",
                "age_s": -172800.0,
                "failed": [
                    {"test": "binning", "field": "binning", "actual": None, "allowed": "2x2"},
                    {
                        **{"test": "verdict", "field": "verdict", "actual": "bad"},
                        "allowed": "good or unknown",
                    },
                ],
            },
            {
                "filename": "timeless.fits.fz",
                "frame_id": None,
                "dateobs": None,
                "age_s": None,
                "failed": [
                    {
                        **{"test": "direction", "field": "dateobs", "actual": None},
                        "allowed": "any time",
                    }
                ],
            },
        ],
    }


def test_an_explanation_pickles():
    assert pickle.loads(pickle.dumps(FOUND)) == FOUND
