"""What means the same is spelled in one way."""

import datetime as dt

import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from calrecords.vocabulary import (
    KNOWN_EXTENSIONS,
    Binning,
    IngestionState,
    ObservationType,
    Verdict,
    canonical_configuration_mode,
    canonical_obstype,
    parse_day,
    parse_time,
    split_filename,
)

FILENAMES = [
    ("bias.fits", "bias", ".fits"),
    ("bias.fits.fz", "bias", ".fits.fz"),
    ("bias.fits.gz", "bias", ".fits.gz"),
    ("spectra.tar.gz", "spectra", ".tar.gz"),
    ("summary.pdf", "summary", ".pdf"),
    ("thumb.jpeg", "thumb", ".jpeg"),
    ("a.fit", "a", ".fit"),
    ("a.fit.fz", "a", ".fit.fz"),
    ("a.b.fits", "a.b", ".fits"),
    ("a.b.c.fits.fz", "a.b.c", ".fits.fz"),
    ("A.FITS", "A", ".FITS"),
    ("A.Fits.FZ", "A", ".Fits.FZ"),
    ("a.fits.fits", "a.fits", ".fits"),
    ("a.fits.fz.fits", "a.fits.fz", ".fits"),
    ("a.fz", "a", ".fz"),
    ("a.xyz", "a", ".xyz"),
    ("a.b.xyz", "a.b", ".xyz"),
    ("a.", "a", "."),
    ("a..fits", "a.", ".fits"),
    ("notes", "notes", ""),
    ("fits", "fits", ""),
    (".fits", ".fits", ""),
    (".hidden", ".hidden", ""),
    (".hidden.fits", ".hidden", ".fits"),
    ("", "", ""),
    ("/data/night.d/bias.fits", "bias", ".fits"),
    ("/data/night.d/notes", "notes", ""),
    ("../bias.fits.fz", "bias", ".fits.fz"),
    ("C:\\data\\bias.fits", "bias", ".fits"),
    ("/data/", "", ""),
    ("bias 1.fits", "bias 1", ".fits"),
]


@pytest.mark.parametrize(("name", "basename", "extension"), FILENAMES)
def test_a_file_name_is_cut_in_one_way(name, basename, extension):
    assert split_filename(name) == (basename, extension)


@given(st.text(st.sampled_from("ab./\\FITSfitsgz "), max_size=20))
def test_cutting_loses_nothing_but_the_folder(name):
    basename, extension = split_filename(name)
    assert basename + extension == name.replace("\\", "/").rsplit("/", 1)[-1]


def test_a_longer_known_extension_is_cut_before_its_end_is():
    for position, extension in enumerate(KNOWN_EXTENSIONS):
        assert not any(extension.endswith(earlier) for earlier in KNOWN_EXTENSIONS[:position])
        assert split_filename("x" + extension) == ("x", extension)


BINNINGS = [
    ("2 2", Binning(2, 2)),
    ("1x4", Binning(1, 4)),
    ("2X2", Binning(2, 2)),
    ("4,1", Binning(4, 1)),
    ("  2   2 ", Binning(2, 2)),
    ("2 x 2", Binning(2, 2)),
    ((2, 1), Binning(2, 1)),
    ([1, 1], Binning(1, 1)),
    (("2", "3"), Binning(2, 3)),
    (Binning(3, 3), Binning(3, 3)),
]


@pytest.mark.parametrize(("value", "binning"), BINNINGS)
def test_a_binning_is_read_in_each_of_its_forms(value, binning):
    assert Binning.parse(value) == binning


@pytest.mark.parametrize(
    "value",
    ["", "2", "22", "2 2 2", "two two", "0 1", "-1 1", "1.5 2", None, 2, (2,), (2.5, 2), (None, 1)],
)
def test_what_is_no_binning_is_refused(value):
    with pytest.raises(ValueError, match=r"cannot read .* as a binning|counts from 1"):
        Binning.parse(value)


def test_a_binning_prints_as_it_is_read():
    assert str(Binning(1, 4)) == "1x4"
    assert Binning.parse(str(Binning(1, 4))) == Binning(1, 4)


def utc(*parts):
    return dt.datetime(*parts, tzinfo=dt.UTC)


TIMES = [
    ("2026-01-02T03:04:05", utc(2026, 1, 2, 3, 4, 5)),
    ("2026-01-02 03:04:05", utc(2026, 1, 2, 3, 4, 5)),
    ("2026-01-02T03:04:05.6", utc(2026, 1, 2, 3, 4, 5, 600_000)),
    ("2026-01-02T03:04:05.123456", utc(2026, 1, 2, 3, 4, 5, 123_456)),
    ("2026-01-02T03:04:05.123456999", utc(2026, 1, 2, 3, 4, 5, 123_456)),
    ("2026-01-02T03:04", utc(2026, 1, 2, 3, 4)),
    ("2026-01-02", utc(2026, 1, 2)),
    (" 2026-01-02 ", utc(2026, 1, 2)),
    ("2026-01-02T03:04:05Z", utc(2026, 1, 2, 3, 4, 5)),
    ("2026-01-02T00:30:00+01:00", utc(2026, 1, 1, 23, 30)),
    ("2026-01-01T23:30:00-0100", utc(2026, 1, 2, 0, 30)),
    ("2026-01-01T24:00:00", utc(2026, 1, 2)),
    ("2025-12-31T24:00", utc(2026, 1, 1)),
    (utc(2026, 1, 2), utc(2026, 1, 2)),
    (dt.datetime(2026, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), utc(2026, 1, 1, 22)),
    (Time("2026-01-02T03:04:05", scale="utc"), utc(2026, 1, 2, 3, 4, 5)),
    (Time("2026-01-02T03:04:42", scale="tai"), utc(2026, 1, 2, 3, 4, 5)),
]


@pytest.mark.parametrize(("value", "time"), TIMES, ids=[str(value) for value, _ in TIMES])
def test_a_time_becomes_utc(value, time):
    read = parse_time(value)
    assert (read, read.tzinfo) == (time, dt.UTC)


NO_TIMES = [
    "",
    "10",
    "01/01/26",
    "2026",
    "2026-01",
    "20260102",
    "2026-1-2",
    "2026-02-30",
    "2026-01-02T25:00:00",
    "2026-01-02T03:60:00",
    "2026-01-02T03:04:61",
    "2016-12-31T23:59:60",
    "2026-01-01T24:00:01",
    "2026-01-01T24:30",
    "2026-01-02T03:04:05+25:00",
    "2026-01-02T03:04:05 UTC",
    "2026-01-02T03:04:05.",
    "0001-01-01T00:00:00+05:00",
    "9999-12-31T24:00:00",
    "10000-01-01",
    "now",
    None,
    5,
    2460000.5,
    dt.datetime(2026, 1, 2),  # noqa: DTZ001 - what is tested is that it has no zone
    dt.date,
]


@pytest.mark.parametrize("value", NO_TIMES, ids=str)
def test_what_is_no_time_is_never_guessed(value):
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are many, and Python's own too
        parse_time(value)


def test_a_leap_second_says_why_it_is_refused():
    with pytest.raises(ValueError, match="leap second, which no record can hold"):
        parse_time("2016-12-31T23:59:60")


DAYS = [
    ("20260101", dt.date(2026, 1, 1)),
    ("2026-01-01", dt.date(2026, 1, 1)),
    (20260101, dt.date(2026, 1, 1)),
    (" 20260101 ", dt.date(2026, 1, 1)),
    (dt.date(2026, 1, 1), dt.date(2026, 1, 1)),
]


@pytest.mark.parametrize(("value", "day"), DAYS)
def test_a_night_is_read_in_each_of_its_forms(value, day):
    assert parse_day(value) == day


@pytest.mark.parametrize(
    "value",
    ["", "1", "260101", "20261301", "2026-1-1", "2026-W01", "01/01/2026", "2026-01-01T00", None,
     20260101.0, utc(2026, 1, 1)],
    ids=str,
)  # fmt: skip
def test_what_is_no_night_is_refused(value):
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are many, and Python's own too
        parse_day(value)


@pytest.mark.parametrize(
    "value", ["N/A", "n/a", "0", 0, "", "  ", None, "normal", "DEFAULT", "None"]
)
def test_modes_that_mean_nothing_are_default(value):
    assert canonical_configuration_mode(value) == "default"


def test_other_modes_keep_their_spelling():
    assert canonical_configuration_mode(" central_2k_2x2 ") == "central_2k_2x2"


def test_observation_types_are_upper_case_and_never_guessed():
    assert canonical_obstype(" bias ") == ObservationType.BIAS == "BIAS"
    assert canonical_obstype("Twilight-X") == "TWILIGHT-X"


def test_the_closed_words():
    assert [state.value for state in IngestionState] == [
        "intended",
        "stored",
        "archived",
        "recorded",
        "failed",
    ]
    assert {verdict.value for verdict in Verdict} == {"good", "bad", "unknown"}
