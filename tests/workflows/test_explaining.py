"""Reasons are what counting everything by hand gives, and stay so whatever comes later."""

import pickle
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import calrecords
from calrecords.errors import ConfigurationError, NoCalibrationError, RuleError
from calrecords.records import FrameFilter
from calrecords.selection import ask, choose_among, make_target
from calrecords.selection.ordering import tie_break
from calrecords.selection.reasons import Elimination, NearMiss, Shortfall

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {"site": "lsc", "camera": "fa01", "dateobs": NIGHT, "binning": "1x1", "obstype": "EXPOSE"}
BIAS = {**TARGET, "obstype": "BIAS", "is_master": True}
FIRST = ("obstype", "site", "camera", "instrument", "is_master")


@pytest.fixture(params=["sqlite", "postgresql"])
def cal(request, tmp_path):
    if request.param == "sqlite":
        place = tmp_path / "records.sqlite"
    else:
        server = request.getfixturevalue("postgresql_server")
        place = server.migrated()
    with calrecords.connect(db=place, store=tmp_path / "store", cache=tmp_path / "cache") as opened:
        yield opened
    if request.param == "postgresql":
        server.give_back(place)


def add(cal, *rows):
    rows = [{**BIAS, "filename": f"frame-{at}.fits", **row} for at, row in enumerate(rows)]
    report = cal.import_records(rows)
    assert report.recorded == len(rows), report


def asked(cal, target=TARGET, caltype="BIAS", **how):
    """Return what `best` gives or raises, from another process."""
    try:
        chosen = cal.best(target, caltype, **how)
    except NoCalibrationError as error:
        chosen = error
    return pickle.loads(pickle.dumps(chosen))


def random_row(rng):
    return {
        "obstype": rng.choice(["BIAS", "DARK", "SKYFLAT"]),
        "site": rng.choice(["lsc", "coj"]),
        "camera": rng.choice(["fa01", "fa02"]),
        "is_master": rng.random() < 0.8,
        "dateobs": rng.choice([None, *[NIGHT + timedelta(hours=rng.randint(-40, 40))] * 9]),
        "created": rng.choice([None, NIGHT + timedelta(hours=rng.randint(-40, 40))]),
        "binning": rng.choice(["1x1", "2x2"]),
        "filter": rng.choice([None, "rp", "gp"]),
        "ccd_temperature": rng.choice([-100, -110]),
        "verdict": rng.choice(["unknown", "good", "bad"]),
        "good_until": rng.choice([None, None, NIGHT + timedelta(hours=rng.randint(-40, 40))]),
    }


def random_question(rng):
    target = {
        **TARGET,
        "site": rng.choice(["lsc", "coj", "cpt"]),
        "camera": rng.choice(["fa01", "fa02", "fa03"]),
        "binning": rng.choice(["1x1", "2x2", "3x3"]),
        "filter": rng.choice(["rp", "gp", "up"]),
        "ccd_temperature": rng.choice([-100.0, -110, None]),
    }
    how = {
        "include_bad": rng.random() < 0.2,
        "created_before": rng.choice([None, NIGHT + timedelta(hours=rng.randint(-40, 40))]),
    }
    return target, rng.choice(["BIAS", "DARK", "SKYFLAT", "BPM"]), how


def counted_by_hand(question, frames):
    """Return what each test removes, one after the other, and who fails which tests."""
    tests = sorted(
        question.tests, key=lambda one: FIRST.index(one.field) if one.field in FIRST else 9
    )
    rows, left = [], frames
    for test in tests:
        passing = [frame for frame in left if test.passes(frame)]
        rows.append((test.name, len(left), len(left) - len(passing)))
        left = passing
    failing = [(frame, [t.name for t in tests if not t.passes(frame)]) for frame in frames]
    return rows, len(left), [one for one in failing if one[1]]


def test_counts_are_those_of_trying_every_test_on_every_frame(cal):
    rng = random.Random(6)
    add(cal, *[random_row(rng) for _ in range(300)])
    everything = cal._database.find(FrameFilter())
    for _ in range(60):
        target, caltype, how = random_question(rng)
        described = make_target(target)
        question = ask(cal.rules.rule_for(caltype, described), described, **how)
        explanation = cal.explain(asked(cal, target, caltype, **how))
        rows, passed, failing = counted_by_hand(question, everything)
        assert [(row.name, row.tested, row.removed) for row in explanation.rows] == rows
        assert (explanation.total, explanation.passed) == (300, passed)
        assert (explanation.chosen is None) == (not choose_among(question, everything))
        right = {name for name, _, _ in rows if name in FIRST}
        near = [one for one in failing if not right.intersection(one[1])]
        if near:
            near.sort(key=lambda one: (len(one[1]), tie_break(one[0], described)))
            found = [
                (miss.frame, [one.name for one in miss.failed]) for miss in explanation.nearest
            ]
            assert found == near[:5]
        elif not passed:
            fewest = min(len(names) for _, names in failing)
            assert len(explanation.nearest) == 5
            assert len(explanation.nearest[0].failed) <= fewest + 1


def test_an_explanation_is_all_of_this(cal):
    add(
        cal,
        {"dateobs": NIGHT - timedelta(days=1), "binning": "2x2"},
        {"dateobs": NIGHT - timedelta(days=2), "verdict": "bad", "created": NIGHT},
        {"dateobs": NIGHT, "obstype": "DARK"},
    )
    error = asked(cal, created_before=NIGHT)
    explanation = cal.explain(error)
    frames = [cal.get(basename=name) for name in ("frame-0", "frame-1")]
    assert explanation == replace(
        explanation,
        caltype="BIAS",
        target=make_target(TARGET),
        rule="bias",
        rule_version="1",
        rows=(
            Elimination("obstype", "obstype", "BIAS", 3, 1),
            Elimination("site", "site", "lsc", 2, 0),
            Elimination("camera", "camera", "fa01", 2, 0),
            Elimination("is_master", "is_master", "true", 2, 0),
            Elimination("configuration_mode", "configuration_mode", "default", 2, 0),
            Elimination("binning", "binning", "1x1", 2, 1),
            Elimination("direction", "dateobs", "any time", 1, 0),
            Elimination("verdict", "verdict", "good or unknown", 1, 1),
            Elimination("validity", "good_after", "valid at 2026-03-10T04:00:00Z", 0, 0),
            Elimination("created_before", "created", "before 2026-03-10T04:00:00Z", 0, 0),
        ),
        nearest=(
            NearMiss(
                frames[0],
                timedelta(days=-1),
                (
                    Shortfall("binning", "binning", "2x2", "1x1"),
                    Shortfall("created_before", "created", "", "before 2026-03-10T04:00:00Z"),
                ),
            ),
            NearMiss(
                frames[1],
                timedelta(days=-2),
                (
                    Shortfall("verdict", "verdict", "bad", "good or unknown"),
                    Shortfall(
                        "created_before",
                        "created",
                        "2026-03-10T04:00:00Z",
                        "before 2026-03-10T04:00:00Z",
                    ),
                ),
            ),
        ),
        total=3,
        passed=0,
        wanted=1,
        chosen=None,
        override=None,
        never=None,
        as_of=error.as_of,
        created_before=NIGHT,
        include_bad=False,
    )


def test_what_comes_later_changes_nothing(cal):
    add(cal, {"binning": "2x2"}, {"dateobs": NIGHT - timedelta(days=1)}, {"verdict": "bad"})
    chosen, missing = asked(cal), asked(cal, {**TARGET, "binning": "3x3"})
    before = cal.explain(chosen), cal.explain(missing)
    assert (before[0].chosen, before[1].chosen) == ("frame-1.fits", None)
    cal.mark_bad("frame-1", reason="stripes")
    cal.mark_good("frame-2", reason="fine")
    cal.correct("frame-0", reason="typo", binning="3x3")
    cal.set_validity("frame-1", None, NIGHT - timedelta(hours=1), reason="warm")
    add(cal, *[{"filename": f"new-{at}.fits", "binning": "3x3"} for at in range(5)])
    cal.import_records([{**BIAS, "filename": "frame-0.fits", "md5": "a" * 32, "filter": "rp"}])
    assert (cal.explain(chosen), cal.explain(missing)) == before
    now = cal.explain(asked(cal, {**TARGET, "binning": "3x3"}))
    assert (now.total, now.passed) == (8, 6)


def test_the_reason_names_what_is_known_where_the_input_is_not(cal):
    add(cal, {}, {"camera": "fa02"}, {"site": "coj", "camera": "fa03"})
    reasons = {
        name: cal.explain(asked(cal, {**TARGET, name: "zz" if name != "binning" else "9x9"})).reason
        for name in ("site", "camera", "binning", "configuration_mode")
    }
    assert reasons == {
        "site": "site: none of the 3 frames left has zz; there is coj, lsc",
        "camera": "camera: none of the 2 frames left has zz; there is fa01, fa02",
        "binning": "binning: none of the 1 frame left has 9x9; there is 1x1",
        "configuration_mode": (
            "configuration_mode: none of the 1 frame left has zz; there is default"
        ),
    }


def test_a_camera_that_is_not_known_is_nearest_to_those_that_are(cal):
    add(cal, {}, {"camera": "fa02", "dateobs": NIGHT - timedelta(days=1)}, {"site": "coj"})
    nearest = cal.explain(asked(cal, {**TARGET, "camera": "fa99"})).nearest
    assert [(miss.frame.basename, miss.failed) for miss in nearest] == [
        ("frame-0", (Shortfall("camera", "camera", "fa01", "fa99"),)),
        ("frame-1", (Shortfall("camera", "camera", "fa02", "fa99"),)),
    ]


def test_an_empty_database_says_so(cal):
    explanation = cal.explain(asked(cal))
    assert (explanation.reason, explanation.nearest) == ("no frame is recorded", ())


def test_a_target_that_nothing_can_be_chosen_for_says_why(cal):
    add(cal, {"obstype": "SKYFLAT", "filter": "rp"})
    explanation = cal.explain(asked(cal, caltype="SKYFLAT"))
    assert (
        explanation.reason == explanation.never == ("the target has no filter, which skyflat needs")
    )
    assert [row for row in explanation.rows if row.removed] == [
        Elimination("filter", "filter", "nothing", 1, 1, ("rp",))
    ]


def test_bad_ones_count_where_they_were_asked_for(cal):
    add(cal, {"verdict": "bad"})
    assert cal.explain(asked(cal)).reason.startswith("verdict: none of the 1 frame left")
    explanation = cal.explain(asked(cal, include_bad=True))
    assert (explanation.chosen, explanation.passed, explanation.include_bad) == (
        *("frame-0.fits", 1),
        True,
    )


def test_an_override_says_so_and_the_rule_is_explained_all_the_same(cal):
    add(cal, {}, {"binning": "2x2"})
    cal.set_override("BIAS", "frame-1", target="science", reason="test of the bias")
    explanation = cal.explain(asked(cal, {**TARGET, "basename": "science"}))
    assert (explanation.chosen, explanation.override) == ("frame-1.fits", "test of the bias")
    assert explanation.reason == "1 of 2 recorded frames pass every test"
    assert [miss.frame.basename for miss in explanation.nearest] == ["frame-1"]


def test_only_a_selection_or_its_error_can_be_explained(cal):
    with pytest.raises(ConfigurationError, match="not a str"):
        cal.explain("frame-0")
    with pytest.raises(ConfigurationError, match="does not say what was chosen for"):
        cal.explain(NoCalibrationError("by hand"))
    other = NoCalibrationError("other rules", target=make_target(TARGET), rule="no_such")
    with pytest.raises(RuleError, match="the rules lco have no rule 'no_such'"):
        cal.explain(other)
