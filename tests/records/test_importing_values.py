"""A value of a row is read as an ingestion would spell it, in every form that it may come in."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from calrecords.records.importing_values import (
    binning_of,
    day_of,
    md5_of,
    mode_of,
    number_of,
    obstype_of,
    remembering,
    text_of,
    time_of,
    truth_of,
    verdict_of,
    whole_number_of,
)
from calrecords.vocabulary import Binning, Verdict, parse_time

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (MOMENT, MOMENT),
        (MOMENT.astimezone(timezone(timedelta(hours=-7))), MOMENT),
        (Time(MOMENT), MOMENT),
        ("2026-01-02T03:04:05.678901", MOMENT),
        ("2026-01-02 03:04:05.678901Z", MOMENT),
        ("2026-01-02T03:04:05.678901+00:00", MOMENT),
        ("2026-01-02T03:04:05.6789019", MOMENT),
        ("2026-01-01T20:04:05.678901-0700", MOMENT),
        (" 2026-01-02T03:04 ", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-01T24:00:00", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04:05.5", datetime(2026, 1, 2, 3, 4, 5, 500_000, UTC)),
        (" ", None),
    ],
)
def test_times_are_read_as_everywhere_else(value, moment):
    found = time_of(value)
    assert found == moment
    if moment is not None:
        assert found.utcoffset() == timedelta(0)
        assert found == parse_time(value)


@given(st.text(alphabet="0123456789-T: .Z+,", min_size=15, max_size=32))
def test_no_text_is_a_time_that_is_none_elsewhere(text):
    _same_as_parsed(text)


@given(
    st.from_regex(
        r"\d{4}-[01]\d-[0-3]\d[T ][0-2]\d:[0-6]\d(:[0-6]\d([.,]\d{1,8})?)?"
        r"(Z|\+00:00|\+0[0-9]:?30)?",
        fullmatch=True,
    )
)
def test_a_text_that_looks_like_a_time_is_the_same_time_as_elsewhere(text):
    _same_as_parsed(text)


def _same_as_parsed(text):
    try:
        wanted = parse_time(text)
    except ValueError as error:
        wanted = str(error)
    try:
        found = time_of(text)
    except ValueError as error:
        found = str(error)
    assert found == wanted or (found is None and not text.strip())


@pytest.mark.parametrize(
    ("read", "values", "found"),
    [
        (binning_of, ["2 1", "2x1", [2, 1], (2, 1), Binning(2, 1)], "2x1"),
        (binning_of, [""], None),
        (mode_of, ["N/A", "0", 0, "normal", "", " default "], "default"),
        (mode_of, ["central_2k_2x2"], "central_2k_2x2"),
        (obstype_of, [" skyflat", "SKYFLAT"], "SKYFLAT"),
        (truth_of, [True, 1, 1.0, "T", "true", " 1 ", np.True_], True),
        (truth_of, [False, 0, "F", "False", "0", np.False_], False),
        (truth_of, [""], None),
        (number_of, [2, 2.0, "2", " 2.0 ", np.float32(2), np.int64(2)], 2.0),
        (number_of, [""], None),
        (whole_number_of("size"), [7, 7.0, "7", " +7", np.int64(7)], 7),
        (whole_number_of("size"), [" "], None),
        (day_of, ["20260102", "2026-01-02", 20260102, date(2026, 1, 2)], date(2026, 1, 2)),
        (day_of, [""], None),
        (md5_of, ["A" * 32, "a" * 32], "a" * 32),
        (verdict_of, ["Bad", Verdict.BAD], "bad"),
        (text_of("filter"), ["rp", " rp "], "rp"),
        (text_of("filter"), ["", "  "], None),
    ],
)
def test_all_spellings_of_a_value_are_one(read, values, found):
    for value in values:
        assert read(value) == found
        assert type(read(value)) is type(found)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (number_of, "nan"),
        (number_of, "1e999"),
        (number_of, 10**400),
        (number_of, np.True_),
        (number_of, None),
        (whole_number_of("frame_id", 0), np.True_),
        (whole_number_of("frame_id", 0), float("inf")),
        (whole_number_of("frame_id", 0), "1e3"),
        (whole_number_of("frame_id", 0), b"1"),
        (truth_of, "2"),
        (truth_of, [1]),
        (day_of, datetime(2026, 1, 2, tzinfo=UTC)),
        (day_of, True),
        (text_of("filter"), b"rp"),
    ],
)
def test_what_is_no_such_value_is_an_error_that_is_caught(read, value):
    with pytest.raises((ValueError, TypeError, OverflowError)):
        read(value)


def test_a_text_is_read_once_and_never_taken_for_a_number():
    asked = []

    def read(value):
        asked.append(value)
        return str(value)

    look = remembering(read)
    assert [look(value) for value in ("1", "1", 1, True, 1.0, ["1"])] == [
        *("1", "1", "1", "True", "1.0", "['1']"),
    ]
    assert asked == ["1", 1, True, 1.0, ["1"]]
    for number in range(30_000):
        look(f"{number}")
    assert look("1") == "1"
