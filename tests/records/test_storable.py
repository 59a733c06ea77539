"""What one database takes and another does not is refused on both, before anything happens."""

from dataclasses import replace
from datetime import date, datetime
from types import MappingProxyType

import pytest

from calrecords.errors import InvalidRecordError
from calrecords.frames import FrameFacts
from calrecords.records.storable import check_storable, is_storable, plain_json
from calrecords.vocabulary import Binning

FACTS = FrameFacts(obstype="BIAS", site="lsc", camera="kb70")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"camera": "kb\0"}, "camera holds a NUL character"),
        ({"filter": "\ud800"}, "filter is no valid Unicode text"),
        ({"exposure_time": float("nan")}, "exposure_time is nan, which is no number"),
        ({"ccd_temperature": float("-inf")}, "ccd_temperature is -inf"),
        ({"exposure_time": 10**400}, "exposure_time is beyond 64 bits"),
        ({"reduction_level": 2**31}, "reduction_level is beyond 32 bits"),
        ({"reduction_level": 1 + 1j}, "reduction_level is of type complex"),
        ({"dateobs": datetime(2026, 1, 1)}, "dateobs has no time zone"),  # noqa: DTZ001 - the fault
        ({"binning": Binning(1000, 1)}, "binning is 1000x1, beyond 999"),
        ({"camera": "k" * 101}, "camera is too long: 101 characters, 101 bytes"),
        ({"obstype": "B" * 101}, "obstype is too long"),
        ({"inputs": (("IMCOM001", "b" * 1001),)}, "basename is too long: 1001 characters"),
        ({"inputs": (("K" * 101, "b"),)}, "keyword is too long"),
        ({"inputs": (("IMCOM001", "b\0"),)}, "basename holds a NUL character"),
        ({"attributes": {"A": float("nan")}}, "attributes 'A' is nan"),
        ({"attributes": {"A": [{"B": "\0"}]}}, "attributes 'A' 'B' holds a NUL character"),
        ({"attributes": {"\0": 1}}, "attributes '\\x00' holds a NUL character"),
        ({"attributes": {1: 1}}, "attributes has the name 1, which is no text"),
        ({"attributes": {"A": date(2026, 1, 1)}}, "attributes 'A' is of type date"),
        ({"attributes": {"A": Binning(1, 1)}}, "attributes 'A' is of type Binning"),
        ({"attributes": {"A": b"bytes"}}, "attributes 'A' is of type bytes"),
        ({"attributes": {"A": {1, 2}}}, "attributes 'A' is of type set"),
    ],
)
def test_what_cannot_be_held_is_named(changes, says):
    with pytest.raises(InvalidRecordError) as refused:
        check_storable("bias.fits", replace(FACTS, **changes))
    assert str(refused.value).startswith("'bias.fits' cannot be recorded: " + says)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"basename": "b" * 1001}, "basename is too long"),
        ({"basename": "\U0001f52d" * 601}, "basename is too long: 601 characters, 2404 bytes"),
        ({"extension": "." + "x" * 100}, "extension is too long"),
        ({"frame_id": 2**63}, "frame_id is beyond 64 bits"),
        ({"frame_id": -(2**63) - 1}, "frame_id is beyond 64 bits"),
        ({"path": "/data/\udcff.fits"}, "path is no valid Unicode text"),
        ({"archive_record": {"headers": {"A": float("inf")}}}, "archive_record 'headers' 'A' is"),
    ],
)
def test_further_values_are_looked_at_too(values, says):
    with pytest.raises(InvalidRecordError) as refused:
        check_storable("bias.fits", FACTS, **values)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "values",
    [
        {"basename": "b" * 1000, "frame_id": 2**63 - 1, "key": None, "size": 0},
        {"basename": "\U0001f52d" * 600, "path": "/" + "p" * 4000},
        {"archive_record": {"headers": {"A": 2**70, "B": True, "C": None, "D": [1.5, ""]}}},
        {"archive_record": MappingProxyType({"headers": MappingProxyType({"A": (1,)})})},
    ],
)
def test_what_every_database_holds_passes(values, full_facts):
    check_storable("bias.fits", FACTS, **values)
    check_storable("bias.fits", full_facts, **values)


def test_lookups_know_what_cannot_be_in_a_column():
    found = {
        (value, column): is_storable(value, column)
        for value, column in [
            ("bias", "basename"),
            ("b" * 1001, "basename"),
            ("bi\0as", ""),
            (2**63 - 1, "frame_id"),
            (2**63, "frame_id"),
            (2**31, "reduction_level"),
            (None, ""),
        ]
    }
    assert list(found.values()) == [True, False, False, True, False, False, True]


def test_plain_json_has_dictionaries_and_lists_all_the_way_down():
    value = MappingProxyType({"a": (1, MappingProxyType({"b": [()]})), "c": "text"})
    assert plain_json(value) == {"a": [1, {"b": [[]]}], "c": "text"}
