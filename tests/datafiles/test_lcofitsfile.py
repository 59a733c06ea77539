"""LCO's file names mend what LCO's headers lack."""

import pytest

from calrecords.datafiles import LcoFitsFile
from calrecords.errors import InvalidKeywordError

STEM = "lsc1m001-fa01-20260101-0001"


@pytest.mark.parametrize(
    ("letter", "obstype"),
    [
        ("a", "ARC"),
        ("b", "BIAS"),
        ("d", "DARK"),
        ("e", "EXPOSE"),
        ("f", "SKYFLAT"),
        ("g", "GUIDE"),
        ("s", "STANDARD"),
        ("w", "LAMPFLAT"),
        ("x", "EXPERIMENTAL"),
    ],
)
@pytest.mark.parametrize("said", ["N/A", "UNKNOWN", ""])
def test_takes_the_observation_type_from_the_name(write_frame, letter, obstype, said):
    frame = LcoFitsFile(write_frame(f"{STEM}-{letter}00.fits.fz", OBSTYPE=said))
    assert frame.header["OBSTYPE"] == frame.facts.obstype == obstype


@pytest.mark.parametrize(
    ("name", "keywords", "obstype"),
    [
        ("lsc1m009-fa01-20260101-bias-bin1x1", {}, "BIAS"),
        ("lsc1m009-fa01-20260101-bpm-full_frame", {}, "BPM"),
        ("lsc1m009-fa01-20260101-dark-bin1x1", {}, "DARK"),
        ("lsc1m009-fa01-20260101-skyflat-bin1x1-rp", {}, "SKYFLAT"),
        ("lscnrs01-fa09-20260101-arc-bin1x1", {}, "ARC"),
        ("trace-fa09", {}, "TRACE"),
        ("arc-fa09-20260101", {}, "ARC"),
        (f"{STEM}-e91-1d", {}, "EXPOSE"),
        (f"{STEM}-a00_x", {}, "ARC"),
        ("ogg2m001-en06-20260101-0001-e00", {}, "SPECTRUM"),
        ("ogg2m001-en06-20260101-0001-a00", {}, "ARC"),
        ("ogg2m001-fen1-20260101-0001-e00", {}, "EXPOSE"),
        ("lscnrs01-fa09-20260101-0001-e00", {"TELID": "igla"}, "TARGET"),
        ("lscnrs01-fa09-20260101-0001-e00", {"ENCID": "igla"}, "TARGET"),
        ("lscnrs01-fa09-20260101-0001-a00", {"ENCID": "igla"}, "DOUBLE"),
        ("lscnrs01-fa09-20260101-0001-w00", {"ENCID": "igla"}, "LAMPFLAT"),
    ],
)
def test_takes_what_else_a_name_says_of_the_observation_type(write_frame, name, keywords, obstype):
    frame = LcoFitsFile(write_frame(f"{name}.fits.fz", OBSTYPE="UNKNOWN", **keywords))
    assert frame.facts.obstype == obstype


def test_a_given_observation_type_stays(write_frame):
    assert LcoFitsFile(write_frame(f"{STEM}-b00.fits.fz", OBSTYPE="ARC")).facts.obstype == "ARC"


@pytest.mark.parametrize(
    "name", [f"{STEM}-t00", f"{STEM}-b0", "bias_kb70", "a-b00", f"{STEM}-b00x", "x-bias-bin1x1"]
)
def test_refuses_a_frame_of_no_type(write_frame, name):
    with pytest.raises(InvalidKeywordError, match=r"OBSTYPE is '', not an observation type"):
        LcoFitsFile(write_frame(f"{name}.fits.fz", OBSTYPE="N/A"))


@pytest.mark.parametrize(
    ("name", "level"),
    [
        (f"{STEM}-e91", 91),
        (f"{STEM}-e92_cat", 92),
        (f"{STEM}-b00", 0),
        ("a_e90", 90),
        ("e90", 90),
        ("a-e91-1d", 0),
        ("bpm-kb70", 0),
        ("bias_kb70_20151221_bin2x2", 0),
    ],
)
def test_takes_the_reduction_level_from_the_name(write_frame, name, level):
    for said in (None, "", "N/A"):
        frame = LcoFitsFile(write_frame(f"{name}.fits.fz", RLEVEL=said))
        assert frame.header["RLEVEL"] == frame.facts.reduction_level == level


def test_a_given_reduction_level_stays(write_frame):
    assert LcoFitsFile(write_frame(f"{STEM}-e91.fits.fz", RLEVEL=17)).facts.reduction_level == 17


def test_a_catalogue_names_its_image(write_frame):
    header = LcoFitsFile(write_frame("a-e91_cat.fits.fz", OBSTYPE="EXPOSE")).header
    assert (header["OBSTYPE"], header["L1IDCAT"]) == ("CATALOG", "a-e91")
    header = LcoFitsFile(write_frame("a-e91_cat.fits.fz", L1IDCAT="other.fits")).header
    assert (header["OBSTYPE"], header["L1IDCAT"]) == ("CATALOG", "other")


def test_a_name_that_only_begins_like_a_catalogue_is_none(write_frame):
    assert LcoFitsFile(write_frame("x_cats_paw.fits.fz")).facts.obstype == "BIAS"


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("lsc1m001-fa01-20260101-bpm-bin1x1", {}),
        ("bpm_x", {}),
        ("bpm-lsc", {}),
        ("fa01_bpm", {}),
        ("lsc_bpm_fa01", {}),
        ("mask", {"OBSTYPE": "BPM"}),
        ("mask", {"EXTNAME": "BPM"}),
    ],
)
def test_bad_pixel_masks_have_a_folder_of_their_own(write_frame, name, keywords):
    frame = LcoFitsFile(write_frame(f"{name}.fits.fz", **keywords))
    assert frame.store_key == f"lsc/fa01/bpm/{name}.fits.fz"


@pytest.mark.parametrize("name", ["bpm", "subpm-x", "xbpm_y", "a-bpmx"])
def test_a_name_that_holds_these_letters_by_chance_is_no_mask(write_frame, name):
    frame = LcoFitsFile(write_frame(f"{name}.fits.fz"))
    assert frame.store_key == f"lsc/fa01/20260101/raw/{name}.fits.fz"


def test_other_frames_lie_by_night_and_level(write_frame):
    raw, reduced = (LcoFitsFile(write_frame(f"{STEM}-b{n}.fits.fz")) for n in ("00", "91"))
    assert raw.store_key == f"lsc/fa01/20260101/raw/{STEM}-b00.fits.fz"
    assert reduced.store_key == f"lsc/fa01/20260101/processed/{STEM}-b91.fits.fz"
