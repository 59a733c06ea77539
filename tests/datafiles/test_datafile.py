"""What every kind of data file promises."""

import hashlib
import json
import os

import pytest

from calrecords.datafiles import DataFile, DataFileFactory, FitsFile, HeaderMapping
from calrecords.errors import (
    DataFileNotFoundError,
    InvalidKeywordError,
    MissingKeywordError,
    UnsafeKeyError,
    UnsupportedFileTypeError,
)
from calrecords.frames import ContentDigest

METADATA = {
    "PROPID": "calibrate",
    "DATE-OBS": "2026-01-02T03:04:05",
    "DAY-OBS": "20260101",
    "INSTRUME": "fa01",
    "SITEID": "lsc",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "BLKUID": 12345,
    "RLEVEL": 92,
}


def test_a_file_without_a_header_is_described_by_metadata(tmp_path):
    path = tmp_path / "night-summary.pdf"
    path.write_bytes(b"%PDF-")
    report = DataFile(path, metadata=METADATA)
    assert report.header == {**METADATA, "L1PUBDAT": "2026-01-02T03:04:05"}
    assert (report.basename, report.extension, report.filename) == (
        "night-summary",
        ".pdf",
        "night-summary.pdf",
    )
    assert report.store_key == "lsc/fa01/20260101/processed/night-summary.pdf"
    assert report.content_type == "application/pdf"
    assert report.facts.dayobs_rule == "metadata"
    assert report.digest() == ContentDigest(
        hashlib.md5(b"%PDF-").hexdigest(),
        hashlib.sha256(b"%PDF-").hexdigest(),
        5,
    )
    report.verify()


@pytest.mark.parametrize("night", ["09870102", None])
def test_a_night_has_eight_digits_in_any_year(tmp_path, night):
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-")
    years = {"DAY-OBS": night, "DATE-OBS": "0987-01-02T03:04:05"}
    report = DataFile(path, metadata={**METADATA, **years})
    assert report.header["DAY-OBS"] == "09870102"
    assert report.archive_record()["observation_day"] == "09870102"
    assert report.store_key == "lsc/fa01/09870102/processed/x.pdf"


def test_the_archive_record_of_a_frame(write_frame):
    path = write_frame(
        DAY__OBS="2026-01-01",
        FILTER="N/A",
        REQNUM="UNSPECIFIED",
        BLKUID="0012",
        EXPTIME="2.5",
        OBJECT=47,
        L1IDBIAS="b.fits",
        L1IDDARK="b.fits",
        ORIGNAME="raw.fits.fz",
    )
    data_file = FitsFile(path)
    assert data_file.archive_record() == {
        "basename": "lsc1m009-fa01-20260101-0001-b00",
        "headers": data_file.header,
        "area": None,
        "reduction_level": 0,
        "observation_day": "20260101",
        "observation_date": "2026-01-02T03:04:05.678",
        "proposal_id": "calibrate",
        "instrument_id": "fa01",
        "target_name": "47",
        "site_id": "lsc",
        "telescope_id": "1m0a",
        "exposure_time": 2.5,
        "primary_optical_element": "",
        "public_date": "2026-01-02T03:04:05.678",
        "configuration_type": "BIAS",
        "observation_id": "0012",
        "request_id": None,
        "related_frame_filenames": ["b", "b", "raw"],
    }
    json.dumps(data_file.archive_record(), allow_nan=False)


def test_the_record_is_its_own(write_frame):
    data_file = FitsFile(write_frame())
    data_file.archive_record()["headers"].clear()
    assert data_file.header["SITEID"] == "lsc"


def test_a_time_that_the_archive_cannot_read_is_written_anew(write_frame):
    record = FitsFile(write_frame(DATE__OBS="2026-01-01T24:00:00")).archive_record()
    assert record["observation_date"] == "2026-01-02T00:00:00+00:00"


def test_metadata_goes_before_the_header(write_frame):
    data_file = FitsFile(
        write_frame(FILTER="rp", CCDSUM="=bad"), metadata={"FILTER": "N/A", "CCDSUM": "1 1"}
    )
    assert (data_file.header["FILTER"], str(data_file.facts.binning)) == ("", "1x1")


def test_metadata_can_stand_in_for_required_keywords(write_frame):
    path = write_frame(PROPID=None, BLKUID=None)
    with pytest.raises(MissingKeywordError, match=f"{path} has no PROPID, BLKUID in its header"):
        FitsFile(path)
    assert FitsFile(path, metadata={"PROPID": "x", "BLKUID": 5}).header["BLKUID"] == 5


def test_what_is_required_is_the_mappings_business(write_frame):
    path = write_frame(PROPID=None, BLKUID=None)
    assert FitsFile(path, mapping=HeaderMapping(required=("SITEID",))).facts.proposal is None


def test_a_value_that_is_not_fits_is_refused_by_name(write_frame):
    path = write_frame(FILTER="=rp / forgot the quotes")
    with pytest.raises(InvalidKeywordError, match=r"b00\.fits: FILTER is 'rp', not a value of"):
        FitsFile(path)
    assert FitsFile(path, mapping=HeaderMapping(blacklist=("FILTER",))).facts.filter is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("SITEID", "../../x"),
        ("SITEID", "/etc"),
        ("SITEID", ".."),
        ("SITEID", "."),
        ("SITEID", "l c"),
        ("SITEID", "C:"),
        ("SITEID", "lsc\\x"),
        ("INSTRUME", "fa01/.."),
        ("INSTRUME", "~"),
    ],
)
def test_a_hostile_part_of_the_store_key_is_refused(write_frame, keyword, value):
    with pytest.raises(InvalidKeywordError, match=keyword):
        _ = FitsFile(write_frame(**{keyword: value})).store_key


@pytest.mark.parametrize("value", ["l\nsc", "lsc\0", "ls\u00e7", ""])
def test_a_hostile_site_in_metadata_is_refused(write_frame, value):
    with pytest.raises(InvalidKeywordError, match="SITEID"):
        _ = FitsFile(write_frame(), metadata={"SITEID": value}).store_key


def test_a_file_name_that_no_store_should_hold_is_refused(write_frame):
    for name in ("a b.fits", "a;b.fits", "\u00e9.fits", "a\\b.fits"):
        with pytest.raises(UnsafeKeyError, match="rename it"):
            _ = FitsFile(write_frame(name)).store_key


def test_a_digest_is_remembered(write_frame):
    path = write_frame()
    data_file = FitsFile(path)
    digest = data_file.digest()
    path.unlink()
    assert data_file.digest() is digest


class Grows(DataFile):
    """Somebody writes to the file, as fast as it is read."""

    def content_check(self):
        self.reads = 0
        return self

    def write(self, chunk):
        self.reads += 1
        assert self.reads < 100, "reading it has no end"
        with self.path.open("ab") as file:
            file.write(chunk)

    def fault(self):
        return None


def test_a_file_that_grows_while_it_is_read_is_refused_at_once(tmp_path):
    path = tmp_path / "growing.pdf"
    path.write_bytes(b"%PDF-" + bytes(1_000_000))
    growing = Grows(path, metadata=METADATA)
    with pytest.raises(DataFileNotFoundError, match="changed while it was read"):
        growing.digest()


def test_a_file_that_changed_since_it_was_opened_is_refused(write_frame):
    path = write_frame()
    for change in (
        lambda: path.write_bytes(path.read_bytes() + bytes(2880)),
        lambda: os.utime(path, ns=(1, 1)),
        lambda: path.rename(path.with_suffix(".old")) and write_frame(),
        path.unlink,
    ):
        data_file = FitsFile(path)
        change()
        with pytest.raises(DataFileNotFoundError, match=path.name):
            data_file.digest()


class Spectrum(FitsFile):
    """A file specification as a user would add one."""

    extensions = (".fits",)

    def repair_header(self, header):
        header["OBSTYPE"] = header.pop("MODE", "ARC")

    def store_folders(self):
        return [self.safe_site(), "spectra"]


class DarkenedFile(DataFile):
    """A header that is made up."""

    def read_header(self, file, size):
        return {**METADATA, "OBJECT": file.read(4).decode(), "SIZE": size}


def test_a_subclass_adds_a_file_specification(write_frame):
    factory = DataFileFactory({".fits": Spectrum})
    data_file = factory.open(write_frame(MODE="double"))
    assert (data_file.facts.obstype, data_file.store_key) == (
        "DOUBLE",
        "lsc/spectra/lsc1m009-fa01-20260101-0001-b00.fits",
    )
    with pytest.raises(UnsupportedFileTypeError, match=r"Spectrum, which reads \.fits"):
        Spectrum(write_frame("x.fits.fz"))


def test_a_subclass_reads_its_own_header(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(b"DATA and more")
    data_file = DarkenedFile(path)
    assert (data_file.facts.object, data_file.header["SIZE"]) == ("DATA", 13)
    assert data_file.content_type == "application/octet-stream"
    assert repr(data_file) == f"DarkenedFile({str(path)!r})"
