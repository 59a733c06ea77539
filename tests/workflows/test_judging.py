"""People judge frames in whatever words they have, and a choice obeys what was known when."""

import getpass
from datetime import UTC, datetime, timedelta

import pytest
from astropy.time import Time

import calrecords
from calrecords.errors import (
    ConfigurationError,
    InvalidRecordError,
    RecordNotFoundError,
)
from calrecords.vocabulary import Binning, Verdict

NIGHT = datetime(2026, 3, 10, 4, tzinfo=UTC)
TARGET = {"site": "lsc", "camera": "fa01", "dateobs": NIGHT, "binning": "1x1"}
EXCLUSIVE = """
name = "own"
version = "1"

[[rule]]
name = "one bias at a time"
caltype = "BIAS"
where = { obstype = "BIAS", is_master = true }
equal = ["site", "camera", "binning"]
exclusive = true
valid = true
"""


def row(name, hours, **changed):
    return {
        "filename": f"{name}.fits.fz",
        "obstype": "BIAS",
        "site": "lsc",
        "camera": "fa01",
        "is_master": True,
        "dateobs": NIGHT + timedelta(hours=hours),
        "binning": "1x1",
    } | changed


@pytest.fixture
def cal(tmp_path):
    with calrecords.connect(db=tmp_path / "records.sqlite", store=tmp_path / "store") as connected:
        connected.import_records([row("near", 1), row("far", -5)])
        yield connected


def chosen(cal, **asked):
    return cal.best(TARGET, "BIAS", **asked).frame.basename


def test_a_bad_frame_is_chosen_no_more_but_as_of_before_and_where_it_is_asked_for(cal):
    before = cal.best(TARGET, "BIAS")
    assert before.frame.basename == "near"
    assert cal.mark_bad(before, reason="stripes").verdict is Verdict.BAD
    assert chosen(cal) == "far"
    assert (chosen(cal, as_of=before.as_of), chosen(cal, include_bad=True)) == ("near", "near")
    assert cal.mark_good("near").verdict is Verdict.GOOD
    assert chosen(cal) == "near"
    assert cal.clear_verdict("near.fits.fz").verdict is Verdict.UNKNOWN
    assert list(cal.history("near")["author"][1:]) == [getpass.getuser()] * 3


def test_a_frame_out_of_its_validity_is_chosen_no_more(cal):
    later = NIGHT + timedelta(seconds=1)
    before = cal.best(TARGET, "BIAS")
    changed = cal.set_validity("near", Time(later), None, reason="new chip", author="ana")
    assert changed.good_after == later
    assert (chosen(cal), chosen(cal, as_of=before.as_of)) == ("far", "near")
    cal.set_validity("near", NIGHT, NIGHT + timedelta(seconds=1), reason="again", author="ana")
    assert chosen(cal) == "near"
    cal.set_validity("near", "2000-01-01", "2026-03-10T04:00:00", reason="again", author="ana")
    assert chosen(cal) == "far"


def test_a_mended_fact_is_chosen_by_from_then_on(cal):
    before = cal.best(TARGET, "BIAS")
    mended = cal.correct("near", reason="wrong header", binning="2 2", attributes={"GAIN": 1.5})
    assert (mended.binning, mended.attributes) == (Binning(2, 2), {"GAIN": 1.5})
    assert (chosen(cal), chosen(cal, as_of=before.as_of)) == ("far", "near")
    assert cal.best(TARGET, "BIAS", as_of=before.as_of).frame == before.frame
    assert cal.best({**TARGET, "binning": "2x2"}, "BIAS").frame == mended
    cal.correct("near", reason="back", binning="1x1", dateobs=NIGHT + timedelta(hours=20))
    assert (chosen(cal), chosen(cal, as_of=before.as_of)) == ("far", "near")


def test_facts_are_read_as_headers_have_them(cal):
    mended = cal.correct(
        "near",
        reason="x",
        filter="",
        configuration_mode="N/A",
        exposure_time="12.5",
        reduction_level="91",
        dayobs="20260309",
        created=Time(NIGHT),
        ccd_temperature=-100,
    )
    assert (mended.filter, mended.configuration_mode, mended.exposure_time) == (
        None,
        "default",
        12.5,
    )
    assert (mended.reduction_level, mended.created) == (91, NIGHT)
    events = cal.history("near")
    again = cal.correct("near", reason="x", exposure_time=12.5, ccd_temperature="-100.0")
    assert (again, len(cal.history("near"))) == (mended, len(events))


def test_an_exclusive_rule_refuses_two_at_one_time(tmp_path):
    rules = tmp_path / "own.toml"
    rules.write_text(EXCLUSIVE)
    with calrecords.connect(db=tmp_path / "r.sqlite", store=tmp_path / "s", rules=rules) as cal:
        cal.import_records(
            [
                row("one", 1),
                row("two", 2),
                row("dark", 3, obstype="DARK"),
                row("other", 4, binning="2x2"),
                row("raw", 5, is_master=False),
                row("timeless", 5, dateobs=None),
            ]
        )
        with pytest.raises(InvalidRecordError) as raised:
            cal.set_validity("one", NIGHT, None, reason="x")
        assert str(raised.value) == (
            "one.fits.fz cannot be valid [2026-03-10T04:00:00Z, open): the rule 'one bias at a "
            "time' is exclusive, and of the same configuration are valid then: two.fits.fz "
            "[open, open); end their validity first, choose another range, or mark them bad"
        )
        for name in ("dark", "other", "raw", "timeless"):
            assert cal.set_validity(name, NIGHT, None, reason="x").good_after == NIGHT
        cal.mark_bad("two", reason="x")
        assert cal.set_validity("one", NIGHT, None, reason="x").good_after == NIGHT


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda cal: cal.mark_bad("near", reason=" "), ConfigurationError, "say why"),
        (lambda cal: cal.mark_bad("near", reason=None), ConfigurationError, "reason=None"),
        (lambda cal: cal.mark_good("near", author=""), ConfigurationError, "author=''"),
        (lambda cal: cal.mark_good("near", author=7), ConfigurationError, "author=7"),
        (lambda cal: cal.mark_good("none"), RecordNotFoundError, "none"),
        (lambda cal: cal.mark_good(4711), RecordNotFoundError, "4711"),
        (lambda cal: cal.history("none"), RecordNotFoundError, "none"),
        (
            lambda cal: cal.set_validity("near", "soon", None, reason="x"),
            ConfigurationError,
            "good_after='soon'",
        ),
        (
            lambda cal: cal.set_validity("near", NIGHT.replace(tzinfo=None), None, reason="x"),
            ConfigurationError,
            "no time zone",
        ),
        (
            lambda cal: cal.set_validity("near", NIGHT, NIGHT, reason="x"),
            InvalidRecordError,
            "not later",
        ),
        (lambda cal: cal.correct("near", reason=""), ConfigurationError, "say why"),
        (lambda cal: cal.correct("near", reason="x", camera="a"), InvalidRecordError, "camera"),
        (lambda cal: cal.correct("near", reason="x", filtr="a"), InvalidRecordError, "filtr"),
        (lambda cal: cal.correct("near", reason="x", filter=7), InvalidRecordError, "write text"),
        (
            lambda cal: cal.correct("near", reason="x", exposure_time=True),
            InvalidRecordError,
            "write a number",
        ),
        (
            lambda cal: cal.correct("near", reason="x", exposure_time="nan"),
            InvalidRecordError,
            "write a number",
        ),
        (
            lambda cal: cal.correct("near", reason="x", reduction_level=1.5),
            InvalidRecordError,
            "reduction_level",
        ),
        (
            lambda cal: cal.correct("near", reason="x", dateobs="2026-13-01"),
            InvalidRecordError,
            "dateobs",
        ),
        (
            lambda cal: cal.correct("near", reason="x", attributes=[1]),
            InvalidRecordError,
            "a mapping from name to value",
        ),
    ],
)
def test_what_cannot_be_said_is_refused_with_nothing_changed(cal, call, error, said):
    before = len(cal.history("near"))
    with pytest.raises(error, match=said):
        call(cal)
    assert len(cal.history("near")) == before


def test_the_author_is_the_user_of_this_machine_unless_somebody_is_named():
    from calrecords.workflows.authors import author_of, system_user

    assert system_user() == getpass.getuser()
    assert author_of(" ana ") == "ana"
