"""FITS headers are read without pixels, from the HDU that has what is required."""

import time

import pytest

from calrecords.datafiles import DataFileFactory, FitsFile
from calrecords.errors import MissingKeywordError


def extension(fits_header, **cards):
    return fits_header(
        **{"XTENSION": "IMAGE", "BITPIX": 8, "NAXIS": 0, "PCOUNT": 0, "GCOUNT": 1, **cards}
    )


REQUIRED = {
    "PROPID": "calibrate",
    "DATE-OBS": "2026-01-02T03:04:05.678",
    "DAY-OBS": "20260101",
    "INSTRUME": "fa01",
    "SITEID": "lsc",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "BLKUID": 12345,
}


def test_takes_the_first_hdu_with_every_required_keyword(tmp_path, primary, fits_header):
    path = tmp_path / "x.fits"
    path.write_bytes(
        primary(SITEID="lsc")
        + extension(fits_header, **REQUIRED, EXTNAME="first")
        + extension(fits_header, **REQUIRED, EXTNAME="second")
    )
    assert FitsFile(path).header["EXTNAME"] == "first"


def test_says_what_the_best_hdu_lacks(tmp_path, primary, fits_header):
    path = tmp_path / "x.fits"
    nearly = {key: value for key, value in REQUIRED.items() if key != "TELID"}
    path.write_bytes(primary(SITEID="lsc") + extension(fits_header, **nearly))
    with pytest.raises(MissingKeywordError, match=f"^{path} has no TELID in its header"):
        FitsFile(path)


def test_metadata_helps_to_choose_the_hdu(tmp_path, primary, fits_header):
    path = tmp_path / "x.fits"
    nearly = {key: value for key, value in REQUIRED.items() if key != "TELID"}
    path.write_bytes(primary(SITEID="coj") + extension(fits_header, **nearly))
    assert FitsFile(path, metadata={"TELID": "2m0a"}).facts.site == "lsc"


def test_an_undefined_value_is_none(write_frame):
    assert FitsFile(write_frame(FILTER="=/ undefined")).header["FILTER"] is None


def test_a_plain_file_gets_no_lco_repairs(write_frame):
    header = FitsFile(write_frame("a-e91_cat.fits", OBSTYPE="EXPOSE")).header
    assert (header["OBSTYPE"], "RLEVEL" in header, "L1IDCAT" in header) == ("EXPOSE", False, False)


def test_reads_a_header_in_a_few_milliseconds(shared_data):
    opened = DataFileFactory().open
    for path in (shared_data / "lco").glob("*.fits*"):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            opened(path).archive_record()
            times.append(time.perf_counter() - started)
        assert min(times) < 0.010, path.name
