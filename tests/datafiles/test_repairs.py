"""Nulls become plain, and night and public date are filled in as OCS does, but never silently."""

import datetime as dt
import logging

import numpy as np
import pytest

from calrecords.datafiles import DataFileFactory, HeaderMapping
from calrecords.datafiles.repairs import checked_metadata, normalised
from calrecords.errors import BackoffRetryError, InvalidKeywordError

BASE = {"DATE-OBS": "2026-01-02T03:04:05.678", "L1PUBDAT": "2026-01-02T03:04:05.678"}


def test_a_null_is_none_where_a_number_is_wanted_and_else_an_empty_text():
    header = {"BLKUID": "N/A", "REQNUM": "UNKNOWN", "FILTER": "UNSPECIFIED", "OBJECT": "n/a"}
    assert normalised(header, HeaderMapping()) == {
        "BLKUID": None,
        "REQNUM": None,
        "FILTER": "",
        "OBJECT": "n/a",
    }


def test_a_text_with_none_is_a_null_where_a_number_is_wanted():
    header = {"REQNUM": "NONE", "TRACKNUM": " None ", "MOLUID": "00012", "OBJECT": "None"}
    assert normalised(header, HeaderMapping()) == {
        "REQNUM": None,
        "TRACKNUM": None,
        "MOLUID": "00012",
        "OBJECT": "None",
    }


def test_related_frames_lose_folder_and_extension():
    header = {"L1IDBIAS": "/data/a.b.fits.fz", "L1IDDARK": "d", "L1IDFLAT": "N/A", "X": "x.fits"}
    assert normalised(header, HeaderMapping()) == {
        "L1IDBIAS": "a.b",
        "L1IDDARK": "d",
        "L1IDFLAT": "",
        "X": "x.fits",
    }


def test_the_blacklist_is_dropped():
    assert normalised({"A": 1, "B": 2}, HeaderMapping(blacklist=("A",))) == {"B": 2}


PUBLIC_DATES = [
    ("BIAS", "LCO2026A", "x", "2026-01-02T03:04:05.678"),
    ("bias", "LCO2026A", "x", "2026-01-02T03:04:05.678"),
    ("SKYFLAT", "LCOEngineering", "x", "2026-01-02T03:04:05.678"),
    ("BIAS", "LCO2026A", "a-x00", "2026-01-02T03:04:05.678"),
    ("EXPOSE", "LCOEPO2014B-010", "x", "2026-01-02T03:04:05.678"),
    ("EXPOSE", "calibrate", "a-x00", "2026-01-02T03:04:05.678"),
    ("EXPOSE", "epo", "x", "2027-01-02T03:04:05.678000"),
    ("EXPOSE", "LCO2026A", "x", "2027-01-02T03:04:05.678000"),
    ("BPM", "LCO2026A", "x", "2027-01-02T03:04:05.678000"),
    ("EXPOSE", "LCOEngineeringTest", "x", "3024-05-05T03:04:05.678000"),
    ("EXPOSE", "LCO2026A", "a-t00", "3024-05-05T03:04:05.678000"),
]


@pytest.mark.parametrize(("obstype", "proposal", "basename", "public"), PUBLIC_DATES)
def test_fills_in_the_public_date_as_ocs_does(write_frame, obstype, proposal, basename, public):
    path = write_frame(f"{basename}.fits", OBSTYPE=obstype, PROPID=proposal)
    assert DataFileFactory().open(path).header["L1PUBDAT"] == public


PROPOSAL_TAGS = [
    (["private"], "BIAS", "calibrate", "3024-05-05T03:04:05.678000"),
    (["internal", "x"], "EXPOSE", "LCO2026A", "3024-05-05T03:04:05.678000"),
    (["public", "private"], "EXPOSE", "LCO2026A", "3024-05-05T03:04:05.678000"),
    (("public",), "EXPOSE", "LCOEngineering", "2026-01-02T03:04:05.678"),
    ({"Public", "x"}, "EXPOSE", "LCO2026A", "2027-01-02T03:04:05.678000"),
    ([], "EXPOSE", "LCO2026A", "2027-01-02T03:04:05.678000"),
    ([], "BIAS", "LCO2026A", "2026-01-02T03:04:05.678"),
]


@pytest.mark.parametrize(("tags", "obstype", "proposal", "public"), PROPOSAL_TAGS)
def test_the_tags_of_a_proposal_go_before_the_rules(write_frame, tags, obstype, proposal, public):
    asked = []
    factory = DataFileFactory(proposal_tags=lambda name: asked.append(name) or tags)
    frame = factory.open(write_frame(OBSTYPE=obstype, PROPID=proposal))
    frame.archive_record()
    assert (frame.header["L1PUBDAT"], asked) == (public, [proposal])


def test_tags_mean_what_the_mapping_says(write_frame):
    mapping = HeaderMapping(private_proposal_tags=("secret",), public_proposal_tags=("open",))
    factory = DataFileFactory(proposal_tags=lambda _: ["private", "open"])
    assert factory.open(write_frame(OBSTYPE="X"), mapping=mapping).header["L1PUBDAT"][:4] == "2026"


@pytest.mark.parametrize(
    "keywords", [{"L1PUBDAT": "2030-01-01T00:00:00"}, {"PROPID": "N/A"}, {"DATE-OBS": ""}]
)
def test_tags_are_not_asked_for_where_they_do_not_matter(write_frame, keywords):
    asked = []
    factory = DataFileFactory(proposal_tags=lambda name: asked.append(name) or ["private"])
    factory.open(write_frame(**keywords))
    assert asked == []


def test_tags_that_cannot_be_had_are_the_callers_to_know(write_frame):
    def failing(proposal):
        raise BackoffRetryError(proposal)

    with pytest.raises(BackoffRetryError, match="calibrate"):
        DataFileFactory(proposal_tags=failing).open(write_frame())


def test_a_given_public_date_stays(write_frame):
    path = write_frame(L1PUBDAT="2030-01-01T00:00:00")
    assert DataFileFactory().open(path).header["L1PUBDAT"] == "2030-01-01T00:00:00"


def test_takes_the_night_from_the_observation_date_and_says_so(write_frame, caplog):
    for night in ("", "N/A"):
        with caplog.at_level(logging.WARNING, logger="calrecords"):
            data_file = DataFileFactory().open(write_frame(DAY__OBS=night))
        assert data_file.header["DAY-OBS"] == "20260102"
        assert (data_file.facts.dayobs, data_file.facts.dayobs_rule) == (
            dt.date(2026, 1, 2),
            "dateobs",
        )
        assert "has no night in DAY-OBS; took the UTC date of DATE-OBS, 20260102" in caplog.text
        caplog.clear()


def test_a_night_in_header_or_metadata_is_taken_quietly(write_frame, caplog):
    path = write_frame(DAY__OBS="2026-01-01")
    assert DataFileFactory().open(path).facts.dayobs_rule == "header"
    given = DataFileFactory().open(path, metadata={"DAY-OBS": dt.date(2026, 1, 3)}).facts
    assert (given.dayobs, given.dayobs_rule) == (dt.date(2026, 1, 3), "metadata")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("DATE-OBS", "10"),
        ("DATE-OBS", "01/01/26"),
        ("DATE-OBS", "2026-02-30T00:00:00"),
        ("DATE-OBS", "2026-01-01T00:00:60"),
        ("DATE-OBS", "0001-01-01T00:00:00+05:00"),
        ("DATE-OBS", "9999-12-31T24:00:00"),
        ("DATE-OBS", 60000.5),
        ("DAY-OBS", "tonight"),
        ("DAY-OBS", "20261301"),
        ("L1PUBDAT", "soon"),
    ],
)
def test_refuses_what_is_no_date(write_frame, keyword, value):
    path = write_frame(**{keyword: value, "OBSTYPE": "EXPOSE", "PROPID": "LCO2026A"})
    with pytest.raises(InvalidKeywordError, match=keyword) as caught:
        DataFileFactory().open(path)
    assert path.name in str(caught.value)
    assert str(value) in str(caught.value)


def test_refuses_a_date_without_a_date_a_year_later(write_frame):
    path = write_frame(DATE__OBS="9999-06-01T00:00:00", OBSTYPE="EXPOSE", PROPID="LCO2026A")
    with pytest.raises(InvalidKeywordError, match="365 days later"):
        DataFileFactory().open(path)


def test_metadata_becomes_what_a_header_can_hold():
    given = {
        "A": np.float32(1.5),
        "B": np.int64(3),
        "C": float("nan"),
        "D": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "E": None,
        "F": "x",
        "G": True,
    }
    assert checked_metadata(given, "x.fits") == {
        "A": 1.5,
        "B": 3,
        "C": None,
        "D": "2026-01-02T00:00:00+00:00",
        "E": None,
        "F": "x",
        "G": True,
    }


@pytest.mark.parametrize(
    "bad",
    [
        *(["list"], {"a": 1}, object(), b"x", "nul\0", "\ud800", np.zeros(3), 1j),
        pytest.param(10**70, id="71 digits"),
        pytest.param(-(10**5_000), id="5,001 digits"),
    ],
)
def test_refuses_metadata_that_no_header_can_hold(bad):
    with pytest.raises(InvalidKeywordError, match=r"x\.fits: A is"):
        checked_metadata({"A": bad}, "x.fits")


@pytest.mark.parametrize("keyword", [5, None, "A\0", "\ud800", "IMCOM" + "1" * 5_000], ids=str)
def test_refuses_a_metadata_keyword_that_no_header_can_hold(keyword):
    with pytest.raises(InvalidKeywordError, match=r"x\.fits: .* is 1, not given for a text") as e:
        checked_metadata({keyword: 1}, "x.fits")
    assert str(e.value).isprintable()
    assert len(str(e.value)) < 300


def test_a_number_as_long_as_a_card_is_taken():
    assert checked_metadata({"K" * 80: 10**70 - 1}, "x.fits") == {"K" * 80: 10**70 - 1}
