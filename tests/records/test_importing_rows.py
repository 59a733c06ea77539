"""A row is read whole, or refused with a message that names the word at fault."""

from datetime import UTC, datetime

import pytest

from calrecords.errors import ConfigurationError
from calrecords.records.importing_rows import PLAIN_SPELLING, SQLITE_SPELLING, RowReader
from calrecords.records.importing_words import AT, BadRowError

MD5, OTHER_MD5 = "a" * 32, "b" * 32
NOW = datetime(2026, 7, 1, tzinfo=UTC)
ROW = {
    "filename": "lsc-flat.fits.fz",
    "obstype": "skyflat",
    "site": "lsc",
    "camera": "fa15",
    "is_master": True,
    "dateobs": "2026-01-02T03:04:05.678901Z",
    "created": "2026-01-02T06:00:00",
}


@pytest.fixture
def reader():
    return RowReader(PLAIN_SPELLING, NOW)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (None, "is of type NoneType, not a mapping"),
        ([], "is of type list, not a mapping"),
        ({}, "neither basename nor filename is given"),
        (ROW | {"site": " "}, "site is missing"),
        (ROW | {"obstyp": "x"}, "'obstyp' is no word that a row uses; is obstype meant?"),
        (ROW | {1: 2}, "'1' is no word"),
        (ROW | {"basename": "other"}, "does not agree with basename"),
        ({**ROW, "filename": None, "basename": "../up"}, "holds a slash"),
        (ROW | {"dateobs": datetime(2026, 1, 1)}, "dateobs: the time 2026-01-01T00:00:00 has no"),  # noqa: DTZ001
        (ROW | {"dateobs": "yesterday"}, "dateobs: cannot read 'yesterday' as a time"),
        (ROW | {"dateobs": "2026-01-01T00:00:60"}, "leap second"),
        (ROW | {"dateobs": "2026-02-30T00:00:00"}, "dateobs: "),
        (ROW | {"dateobs": 2026.5}, "dateobs: is 2026.5, not a time"),
        (ROW | {"exposure_time": float("nan")}, "exposure_time: is nan, not a finite number"),
        (ROW | {"exposure_time": "1_0"}, "exposure_time: "),
        (ROW | {"exposure_time": True}, "exposure_time: is True, not a number"),
        (ROW | {"frame_id": 2**63}, "frame_id: is beyond 64 bits"),
        (ROW | {"frame_id": "9" * 5000}, "frame_id: is '99"),
        (ROW | {"frame_id": -1}, "frame_id: is -1, below 0"),
        (ROW | {"frame_id": 1.5}, "frame_id: is 1.5, not a whole number"),
        (ROW | {"reduction_level": 2**31}, "reduction_level: is beyond 32 bits"),
        (ROW | {"camera": "fa\0"}, "camera: holds a NUL character"),
        (ROW | {"camera": "\udcff"}, "camera: is no valid Unicode text"),
        (ROW | {"camera": 15}, "camera: is 15, not text"),
        (ROW | {"camera": "x" * 101}, "camera: is too long"),
        (ROW | {"filename": "b" * 1001 + ".fits"}, "basename: is too long: 1001 characters"),
        (ROW | {"binning": "2"}, "binning: cannot read '2' as a binning"),
        (ROW | {"binning": (0, 1)}, "binning: a binning counts from 1"),
        (ROW | {"md5": "xyz"}, "md5: is 'xyz', not 32 hexadecimal digits"),
        (ROW | {"verdict": "dubious"}, "verdict: is 'dubious'; write good, bad or unknown"),
        (ROW | {"is_master": "maybe"}, "is_master: is 'maybe', not true or false"),
        (ROW | {"is_master": 2}, "is_master: is 2, not true or false"),
        (ROW | {"good_after": "2026-02-01", "good_until": "2026-02-01"}, "never be valid"),
        (ROW | {"known_from": "2999-01-01"}, "known_from 2999-01-01 00:00:00+00:00 is in the fu"),
        (ROW | {"attributes": "[1"}, "attributes: is no JSON"),
        (ROW | {"attributes": [1]}, "attributes: is [1], not a mapping"),
        (ROW | {"attributes": {"A": float("inf")}}, "attributes: 'A' is inf"),
        (ROW | {"attributes": {"A\0": "b"}}, "attributes: 'A\\x00' holds a NUL"),
        (ROW | {"attributes": {"A": b""}}, "attributes: 'A' is of type bytes"),
        (ROW | {"inputs": ["bias-1"]}, "inputs: holds 'bias-1', not [keyword, basename]"),
        (ROW | {"version": 5}, "version is of type int"),
        (ROW | {"version": {"camera": "x"}}, "version has 'camera'"),
        (ROW | {"version": {"md5": MD5}, "md5": OTHER_MD5}, "md5 is given twice"),
    ],
)
def test_what_cannot_be_recorded_is_named(row, says, reader):
    for _ in range(2):
        with pytest.raises(BadRowError) as refused:
            reader.read(row)
        assert says in str(refused.value)
        assert len(str(refused.value)) < 500
    assert reader.read(ROW).basename == "lsc-flat"


def test_nested_attributes_are_refused_before_they_break_anything(reader):
    bomb = {}
    for _ in range(100_000):
        bomb = {"a": bomb}
    with pytest.raises(BadRowError, match=r"^attributes: "):
        reader.read(ROW | {"attributes": bomb})


def test_what_a_row_does_not_say_stays_open(reader):
    row = reader.read({name: ROW[name] for name in ("filename", "obstype", "site", "camera")})
    assert (row.is_master, row.instrument, row.frame_id) == (None, "fa15", None)
    assert [value for value in row.values if value is not None] == [".fits.fz"]


def test_times_are_spelled_as_the_database_takes_them():
    times = {"dateobs": "2026-01-02T03:04:05", "known_from": "2026-02-03", "dayobs": "20260101"}
    row = RowReader(SQLITE_SPELLING, NOW).read(ROW | times)
    assert [row.values[AT[name]] for name in times] == [
        *("2026-01-02 03:04:05.000000", "2026-02-03 00:00:00.000000", "2026-01-01"),
    ]
    assert row.dateobs == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    plain = RowReader(PLAIN_SPELLING, NOW).read(ROW | times)
    assert plain.values[AT["dateobs"]] == plain.dateobs == row.dateobs


def test_a_frame_that_was_shown_as_json_can_be_read_back(reader):
    version = {"version_key": "v", "md5": MD5, "size": 1, "extension": ".fits.fz", "key": None}
    row = reader.read(ROW | {"version": version, "frame_id": 7})
    assert row.values[AT["md5"]] == MD5
    assert reader.read(ROW | {"version": None}).values[AT["md5"]] is None


def test_rows_may_use_any_words_in_any_order(reader):
    for number in range(3000):
        words = list(ROW)
        words = words[number % len(words) :] + words[: number % len(words)]
        assert reader.read({word: ROW[word] for word in words}).camera == "fa15"
        with pytest.raises(BadRowError, match="is no word"):
            reader.read(ROW | {f"word{number}": 1})


@pytest.mark.parametrize("known_from", ["whenever", "2999-01-01", 5])
def test_a_default_of_known_from_is_a_time_that_has_passed(known_from):
    with pytest.raises(ConfigurationError, match="known_from="):
        RowReader(PLAIN_SPELLING, NOW, known_from)
