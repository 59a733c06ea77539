from datetime import UTC, datetime, timedelta, timezone

import pytest
from astropy.time import Time

from calrecords.errors import InvalidTargetError
from calrecords.frames import FrameFacts
from calrecords.selection import Target, make_target
from calrecords.vocabulary import Binning

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_values_are_spelled_as_rules_compare_them():
    given = {
        "site": " lsc ",
        "camera": "fa01",
        "obstype": "expose",
        "binning": "1 1",
        "configuration_mode": "N/A",
        "ccd_temperature": "-110",
        "dateobs": "2026-03-10T12:00:00",
        "fiber0_lit": 1,
        "elevation": float("nan"),
        "filter": "",
        "basename": "e91",
        "attributes": {"camera": "Short", "slit": "wide"},
    }
    assert make_target(given) == Target(
        {
            "configuration_mode": "default",
            "site": "lsc",
            "camera": "fa01",
            "obstype": "EXPOSE",
            "binning": "1x1",
            "ccd_temperature": -110.0,
            "fiber0_lit": 1,
            "elevation": None,
            "filter": None,
            "basename": "e91",
            "attributes.camera": "Short",
            "slit": "wide",
            "dateobs": NOON,
            "instrument": "fa01",
        },
        NOON,
        "e91",
    )


@pytest.mark.parametrize(
    "moment",
    [
        NOON,
        NOON.astimezone(timezone(timedelta(hours=2))),
        "2026-03-10T12:00:00",
        "2026-03-10T12:00:00.000",
        "2026-03-10T12:00:00.000000",
        "2026-03-10 12:00",
        "2026-03-10T14:00:00+02:00",
        "2026-03-10T12:00:00Z",
        Time("2026-03-10T12:00:00", scale="utc"),
    ],
)
def test_a_time_is_given_in_many_ways(moment):
    assert make_target({"dateobs": moment}).dateobs == NOON


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the target: it has no dateobs, from which calibrations are looked for; give it"),
        ({"basename": "e91"}, "the target e91: it has no dateobs"),
        ({"dateobs": datetime(2026, 3, 10)}, "the target: dateobs: the time 2026-03-10T00:00:00"),  # noqa: DTZ001
        ({"dateobs": "yesterday"}, "the target: dateobs: cannot read 'yesterday' as a time"),
        (
            {"dateobs": "2026-03-10T12:00:60"},
            "the target: dateobs: '2026-03-10T12:00:60' is a leap",
        ),
        ({"dateobs": "2026-13-10T12:00:00"}, "the target: dateobs: "),
        ({"dateobs": NOON, "binning": "x"}, "the target: binning: cannot read 'x' as a binning"),
        ({"dateobs": NOON, "exposure_time": "long"}, "the target: exposure_time: cannot read"),
        ({"dateobs": NOON, "attributes": 3}, "the target: its attributes must be a mapping"),
        (3, "a target is a mapping in our words or a frame's facts, not a int"),
    ],
)
def test_what_describes_no_target_is_refused(given, message):
    with pytest.raises(InvalidTargetError) as caught:
        make_target(given)
    assert str(caught.value).startswith(message)


def test_facts_of_a_frame_are_a_target():
    facts = FrameFacts(
        obstype="EXPOSE",
        site="lsc",
        camera="fa01",
        instrument="nres01",
        dateobs=NOON,
        binning=Binning(2, 2),
        attributes={"camera": "Short"},
    )
    made = make_target(facts)
    assert {name: value for name, value in made.values.items() if value is not None} == {
        "obstype": "EXPOSE",
        "site": "lsc",
        "camera": "fa01",
        "instrument": "nres01",
        "is_master": False,
        "binning": "2x2",
        "configuration_mode": "default",
        "dateobs": NOON,
        "attributes.camera": "Short",
    }


def test_a_recorded_frame_is_a_target(make_frame):
    made = make_target(make_frame("bias"))
    assert (made.basename, made.dateobs) == ("bias", NOON)
    assert (made.values["binning"], made.values["reduction_level"]) == ("1x1", 91)
