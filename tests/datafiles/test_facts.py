"""A header says its facts in our words, or is refused with keyword and value named."""

import datetime as dt

import pytest

from calrecords.datafiles import HeaderMapping, read_facts
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import InvalidKeywordError
from calrecords.frames import FrameFacts
from calrecords.vocabulary import Binning

HEADER = {
    "OBSTYPE": "bias",
    "SITEID": "lsc",
    "INSTRUME": "fa01",
    "DATE-OBS": "2026-01-02T03:04:05.678",
}
FACTS = FrameFacts(
    obstype="BIAS",
    site="lsc",
    camera="fa01",
    instrument="fa01",
    dateobs=dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC),
)


def facts(**keywords):
    return read_facts({**HEADER, **{k.replace("__", "-"): v for k, v in keywords.items()}})


def test_what_a_header_does_not_say_is_none():
    assert facts() == FACTS
    nothing = dict.fromkeys(("FILTER", "CCDSUM", "EXPTIME", "RLEVEL", "ISMASTER", "DATE"), "")
    assert facts(**nothing, BLKUID=None, CONFMODE="N/A", CCDATEMP=None) == FACTS


def test_every_fact_of_a_full_header(tmp_path):
    path = write_synthetic_frame(
        tmp_path,
        obstype="SKYFLAT",
        filter="rp",
        binning="1x2",
        exposure_time=7.5,
        dateobs="2026-01-02T23:30:00",
        basename="flat",
        extra={
            "OBJECT": "twilight",
            "PIPENAME": "banzai",
            "L1IDBIAS": "master_bias.fits.fz",
            "L1IDCAT": "flat_cat.fits",
            "ORIGNAME": "flat.fits",
            "IMCOM010": "c.fits",
            "IMCOM001": "a.fits.fz",
            "IMCOM002": "b.fits",
            "IMCOMBAD": "d.fits",
        },
    )
    assert FitsFile(path).facts == FrameFacts(
        obstype="SKYFLAT",
        site="lsc",
        camera="fa01",
        instrument="fa01",
        telescope="1m0a",
        dateobs=dt.datetime(2026, 1, 2, 23, 30, tzinfo=dt.UTC),
        dayobs=dt.date(2026, 1, 2),
        dayobs_rule="header",
        is_master=True,
        reduction_level=91,
        filter="rp",
        binning=Binning(1, 2),
        configuration_mode="full_frame",
        exposure_time=7.5,
        ccd_temperature=-100.0,
        ccd_measured_temperature=-100.03,
        created=dt.datetime(2026, 1, 3, 11, 30, tzinfo=dt.UTC),
        public_date=dt.datetime(2026, 1, 2, 23, 30, tzinfo=dt.UTC),
        object="twilight",
        proposal="calibrate",
        pipeline_name="banzai",
        pipeline_version="1.0.0",
        inputs=(
            ("L1IDBIAS", "master_bias"),
            ("IMCOM001", "a"),
            ("IMCOM002", "b"),
            ("IMCOM010", "c"),
        ),
        attributes={"GAIN": 1.9},
    )


def test_a_keyword_with_thousands_of_digits_names_no_input():
    found = facts(**{"IMCOM002": "b", "IMCOM" + "1" * 5_000: "c", "IMCOM1": "a"})
    assert found.inputs == (("IMCOM1", "a"), ("IMCOM002", "b"))


def test_the_image_of_a_catalogue_is_its_input():
    found = facts(OBSTYPE="CATALOG", L1IDCAT="x-e91")
    assert found.inputs == (("L1IDCAT", "x-e91"),)


READ = [
    ("RLEVEL", "91", "reduction_level", 91),
    ("RLEVEL", 91.0, "reduction_level", 91),
    ("RLEVEL", 0, "reduction_level", 0),
    ("EXPTIME", "1.5", "exposure_time", 1.5),
    ("EXPTIME", 3, "exposure_time", 3.0),
    ("CCDATEMP", "NaN", "ccd_measured_temperature", None),
    ("CCDSTEMP", -100, "ccd_temperature", -100.0),
    ("CCDSUM", "2x2", "binning", Binning(2, 2)),
    ("CONFMODE", "0", "configuration_mode", "default"),
    ("CONFMODE", "central_2k_2x2", "configuration_mode", "central_2k_2x2"),
    ("ISMASTER", True, "is_master", True),
    ("ISMASTER", "T", "is_master", True),
    ("ISMASTER", 1, "is_master", True),
    ("ISMASTER", "false", "is_master", False),
    ("TELID", " 1m0a ", "telescope", "1m0a"),
    ("OBJECT", 47, "object", "47"),
    ("TIMESYS", "utc", "site", "lsc"),
    ("DATE", "2026-01-02", "created", dt.datetime(2026, 1, 2, tzinfo=dt.UTC)),
]


@pytest.mark.parametrize(("keyword", "value", "name", "fact"), READ)
def test_reads_a_value_in_each_of_its_forms(keyword, value, name, fact):
    found = getattr(facts(**{keyword: value}), name)
    assert (found, type(found)) == (fact, type(fact))


REFUSED = [
    ("SITEID", ""),
    ("INSTRUME", None),
    ("OBSTYPE", "  "),
    ("EXPTIME", "long"),
    ("EXPTIME", True),
    ("EXPTIME", "inf"),
    ("RLEVEL", "high"),
    ("RLEVEL", 1.5),
    ("RLEVEL", True),
    ("CCDSUM", "2"),
    ("CCDSUM", "0 0"),
    ("CCDSTEMP", "cold"),
    ("ISMASTER", "maybe"),
    ("ISMASTER", 2),
    ("TIMESYS", "TAI"),
    ("TIMESYS", "TT"),
    ("DATE", "02/01/26"),
    ("DATE__OBS", "10"),
]


@pytest.mark.parametrize(("keyword", "value"), REFUSED)
def test_refuses_a_value_that_is_not_of_its_kind(keyword, value):
    with pytest.raises(InvalidKeywordError) as caught:
        facts(**{keyword: value})
    message = str(caught.value)
    assert message.startswith(f"the header: {keyword.replace('__', '-')} is {value!r}, not ")
    assert message.endswith("; correct the header, or give the right value as metadata")


def test_the_caller_says_whether_it_is_a_master():
    assert read_facts({**HEADER, "ISMASTER": False}, is_master=True).is_master
    assert not read_facts({**HEADER, "ISMASTER": True}, is_master=False).is_master


def test_other_observatories_have_other_keywords():
    mapping = HeaderMapping(
        configuration_type="OBSMODE",
        site_id="OBSERVAT",
        instrument_id="DETECTOR",
        instrument_name="INSTRUME",
        binning="BINNING",
        observation_date="UTC-OBS",
        input_frame_prefix="",
        attributes=("SLIT",),
    )
    header = {
        "OBSMODE": "Arc",
        "OBSERVAT": "Gemini-North",
        "DETECTOR": "EEV",
        "INSTRUME": "GMOS-N",
        "BINNING": "2,4",
        "UTC-OBS": "2026-01-02T03:04:05.678",
        "IMCOM001": "a",
        "SLIT": 0.5,
    }
    assert read_facts(header, mapping) == FrameFacts(
        obstype="ARC",
        site="Gemini-North",
        camera="EEV",
        instrument="GMOS-N",
        binning=Binning(2, 4),
        dateobs=FACTS.dateobs,
        attributes={"SLIT": 0.5},
    )
