"""A target's rules ask for several calibrations, and each has a stated end."""

import json
from datetime import UTC, datetime, timedelta

import pytest

import calrecords
from calrecords.errors import ConfigurationError, InvalidTargetError
from calrecords.selection import Requirement, make_target
from calrecords.workflows.calibration_sets import (
    AskedCalibration,
    CalibrationSet,
    CalibrationState,
)

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {
    **{"site": "lsc", "camera": "fa01", "obstype": "EXPOSE", "basename": "science"},
    **{"dateobs": NIGHT, "binning": "1x1", "filter": "rp", "ccd_temperature": -100},
}
RULES = """
name = "mine"
[attributes]
width = "number"
[defaults]
equal = ["site", "camera"]
nulls = "never"
stale_after = "2 d"
[[rule]]
name = "bias"
caltype = "BIAS"
where = { obstype = "BIAS" }
[[rule]]
name = "dark"
caltype = "DARK"
where = { obstype = "DARK" }
permitted_when = []
[[rule]]
name = "flat"
caltype = "FLAT"
where = { obstype = "SKYFLAT" }
terms = [{ field = "width", within = { expr = "1 / target.width" }, ends = "open" }]
[[rule]]
name = "arc"
caltype = "ARC"
where = { obstype = "ARC" }
when = [{ field = "obstype", equal = "SPECTRUM" }]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def connect(request, tmp_path):
    """Return a function that connects to one database of each kind, with rules."""
    if request.param == "sqlite":
        place = tmp_path / "records.sqlite"
    else:
        server = request.getfixturevalue("postgresql_server")
        place = server.migrated()
    yield lambda **how: calrecords.connect(
        db=place, store=tmp_path / "store", cache=tmp_path / "cache", **how
    )
    if request.param == "postgresql":
        server.give_back(place)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(RULES)
    return path


def add(cal, *rows):
    base = {**TARGET, "is_master": True, "filter": None}
    del base["basename"]
    rows = [{**base, "filename": f"{row['obstype'].lower()}.fits", **row} for row in rows]
    assert cal.import_records(rows).recorded == len(rows)


def test_each_type_is_there_or_missing_with_the_reason(connect):
    with connect() as cal:
        add(
            cal,
            {"obstype": "BIAS", "dateobs": NIGHT - timedelta(days=100)},
            {"obstype": "DARK", "ccd_temperature": -110},
            {"obstype": "BPM", "verdict": "good"},
        )
        found = cal.calibrations_for(TARGET)
        then = found.rows[0].selection.as_of
        assert found == CalibrationSet(
            target=make_target(TARGET),
            as_of=found.as_of,
            rows=(
                AskedCalibration(
                    caltype="BIAS",
                    requirement=Requirement.REQUIRED,
                    state=CalibrationState.STALE,
                    selection=cal.best(TARGET, "BIAS", as_of=then),
                    limit=timedelta(days=7),
                    reason="-100.00 d away, and stale after 7 d",
                ),
                AskedCalibration(
                    caltype="DARK",
                    requirement=Requirement.REQUIRED,
                    state=CalibrationState.MISSING,
                    reason="ccd_temperature: none of the 1 frame left has -100; there is -110",
                ),
                AskedCalibration(
                    caltype="SKYFLAT",
                    requirement=Requirement.REQUIRED,
                    state=CalibrationState.MISSING,
                    reason=(
                        "obstype: none of the 3 frames left has SKYFLAT; there is BIAS, BPM, DARK"
                    ),
                ),
                AskedCalibration(
                    caltype="BPM",
                    requirement=Requirement.REQUIRED,
                    state=CalibrationState.OK,
                    selection=found.rows[3].selection,
                ),
                AskedCalibration(
                    caltype="READNOISE",
                    requirement=Requirement.PERMITTED,
                    state=CalibrationState.MISSING,
                    reason=(
                        "obstype: none of the 3 frames left has READNOISE; there is BIAS, BPM, DARK"
                    ),
                ),
            ),
        )
        assert (found.is_complete, found.missing) == (False, ("DARK", "SKYFLAT"))
        assert found.rows[0].age == timedelta(days=-100)


def test_what_lco_takes_daily_is_stale_sooner_than_what_waits_for_the_sky(connect):
    lit = {"fiber0_lit": "1", "fiber1_lit": "1", "fiber2_lit": "0"}
    limits = {"BIAS": 7, "DARK": 7, "SKYFLAT": 14, "ARC": 3, "LAMPFLAT": 3}
    limits |= {"BPM": None, "READNOISE": None}
    with connect() as cal:
        add(
            cal,
            *(
                {
                    "obstype": obstype,
                    "filter": TARGET["filter"] if obstype == "SKYFLAT" else None,
                    "dateobs": NIGHT - timedelta(days=3000 if days is None else days),
                    "attributes": lit,
                }
                for obstype, days in limits.items()
            ),
        )
        for late, state in ((0, "OK"), (1, "stale")):
            target = {**TARGET, **lit, "dateobs": NIGHT + timedelta(microseconds=late)}
            found = {row.caltype: row for row in cal.calibrations_for(target)}
            assert {name: row.limit and row.limit.days for name, row in found.items()} == limits
            assert {name: str(row.state) for name, row in found.items()} == {
                name: "OK" if days is None else state for name, days in limits.items()
            }


def test_what_is_only_permitted_may_be_missing(connect, mine):
    with connect(rules=mine) as cal:
        add(cal, {"obstype": "BIAS"}, {"obstype": "SKYFLAT", "attributes": {"width": 1}})
        found = cal.calibrations_for({**TARGET, "width": 1})
    assert [(row.caltype, str(row.state)) for row in found] == [
        *(("BIAS", "OK"), ("DARK", "missing"), ("FLAT", "OK")),
    ]
    assert (found.is_complete, len(found)) == (True, 3)


@pytest.mark.parametrize("side", [-1, 1])
def test_a_calibration_is_stale_beyond_the_limit_of_its_rule(connect, mine, side):
    limit = timedelta(days=2)
    with connect(rules=mine) as cal:
        add(
            cal,
            {"obstype": "BIAS", "dateobs": NIGHT + side * limit},
            {"obstype": "DARK", "dateobs": NIGHT + side * (limit + timedelta(minutes=36))},
        )
        bias, dark = list(cal.calibrations_for(TARGET))[:2]
    assert (bias.state, bias.limit, bias.reason) == (CalibrationState.OK, limit, "")
    assert (dark.state, dark.age) == (
        CalibrationState.STALE,
        side * timedelta(days=2, minutes=36),
    )
    sign = "-" if side < 0 else "+"
    assert dark.reason == f"{sign}2.02 d away, and stale after 2 d"


def test_a_rule_that_cannot_be_computed_takes_no_other_with_it(connect, mine):
    with connect(rules=mine) as cal:
        add(cal, {"obstype": "BIAS"})
        bias, _, flat = cal.calibrations_for({**TARGET, "width": 0})
    assert (bias.state, flat.state) == (CalibrationState.OK, CalibrationState.MISSING)
    assert "width" in flat.reason


def test_what_was_forced_says_so(connect, mine):
    with connect(rules=mine) as cal:
        add(cal, {"obstype": "BIAS", "dateobs": NIGHT - timedelta(days=9)})
        cal.set_override("BIAS", "bias", target="science", reason="a test")
        [bias, *_] = cal.calibrations_for(TARGET)
    assert (bias.state, bias.reason) == (
        CalibrationState.STALE,
        "-9.00 d away, and stale after 2 d; forced by an override: a test",
    )


def test_a_set_as_of_a_moment_is_what_it_was(connect):
    with connect() as cal:
        add(cal, {"obstype": "BIAS"})
        before = cal.calibrations_for(TARGET)
        cal.mark_bad("bias", reason="stripes")
        again = cal.calibrations_for(TARGET, as_of=datetime.now(UTC))
        then = cal.calibrations_for(TARGET, as_of=before.rows[0].selection.as_of)
    assert [str(one.rows[0].state) for one in (before, again, then)] == ["OK", "missing", "OK"]
    assert then.rows[0].selection.frame == before.rows[0].selection.frame
    assert before.as_of <= before.rows[0].selection.as_of


def test_what_cannot_be_asked_is_refused(connect):
    with connect() as cal:
        with pytest.raises(InvalidTargetError, match="it has no dateobs"):
            cal.calibrations_for({"site": "lsc"})
        with pytest.raises(ConfigurationError, match="in the future"):
            cal.calibrations_for({**TARGET, "obstype": "BPM"}, as_of="2999-01-01")


@pytest.fixture
def shown(tmp_path, mine):
    with calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path / "s", rules=mine) as cal:
        add(
            cal,
            {"obstype": "BIAS", "frame_id": 7, "dateobs": NIGHT - timedelta(hours=12)},
            {"obstype": "DARK", "dateobs": NIGHT + timedelta(days=4), "verdict": "good"},
        )
        yield cal.calibrations_for({**TARGET, "width": 1})


def test_a_set_is_text_on_the_terminal(shown):
    assert str(shown).splitlines() == [
        "calibrations for science: missing FLAT",
        "",
        "caltype  requirement  state    filename   age       verdict  reason",
        "-------  -----------  -------  ---------  --------  -------  "
        "-------------------------------------------------------------------",
        "BIAS     required     OK       bias.fits  -12.00 h  unknown",
        "DARK     permitted    stale    dark.fits  +4.00 d   good     "
        "+4.00 d away, and stale after 2 d",
        "FLAT     required     missing                                "
        "obstype: none of the 2 frames left has SKYFLAT; there is BIAS, DARK",
    ]


def test_a_set_is_a_table(shown):
    table = shown.to_table()
    assert table.colnames == [
        *("caltype", "requirement", "state", "filename", "frame_id", "age", "limit"),
        *("verdict", "reason"),
    ]
    assert (table["age"].unit, table["limit"].unit) == ("d", "d")
    rows = [[None if hasattr(value, "mask") else value for value in row] for row in table]
    assert rows == [
        ["BIAS", "required", "OK", "bias.fits", 7, -0.5, 2.0, "unknown", ""],
        ["DARK", "permitted", "stale", "dark.fits", None, 4.0, 2.0, "good", shown.rows[1].reason],
        ["FLAT", "required", "missing", None, None, None, None, None, shown.rows[2].reason],
    ]


def test_a_set_is_html_in_a_notebook(shown):
    html = shown._repr_html_()
    assert html.startswith("<p>calibrations for science: missing FLAT</p><table>")
    assert html.count("<tr>") == 4
    assert repr(shown) == str(shown)


def test_a_set_is_json(shown):
    document = json.loads(shown.to_json())
    assert document == shown.to_dict()
    assert [document.pop(name) for name in ("target", "dateobs", "is_complete", "missing")] == [
        *("science", "2026-03-10T04:00:00Z", False, ["FLAT"]),
    ]
    assert document["calibrations"][1] == {
        "caltype": "DARK",
        "requirement": "permitted",
        "state": "stale",
        "filename": "dark.fits",
        "frame_id": None,
        "age_s": 345600.0,
        "limit_s": 172800.0,
        "verdict": "good",
        "rule": "dark",
        "override": None,
        "reason": "+4.00 d away, and stale after 2 d",
    }
