"""FITS headers are read without pixels, from the HDU that has what is required."""

import contextlib
import gzip
import random
import time

import pytest

from calrecords.datafiles import DataFileFactory, FitsFile
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import CalRecordsError, InvalidFrameError, MissingKeywordError


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


def gzipped(path):
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def test_a_frame_in_gzip_says_what_the_plain_one_says(tmp_path):
    path = write_synthetic_frame(tmp_path)
    plain, packed = FitsFile(path), FitsFile(gzipped(path))
    assert packed.header == plain.header
    assert packed.facts == plain.facts
    assert (packed.basename, packed.extension) == (plain.basename, ".fits.gz")
    assert (plain.content_type, packed.content_type) == ("image/fits", "application/gzip")
    assert packed.digest().size == packed.path.stat().st_size


@pytest.mark.parametrize("name", ["x.fit", "x.FIT", "x.FITS", "x.Fits.Gz"])
def test_reads_fits_by_its_other_names(write_frame, name):
    path = write_frame(name)
    if name.endswith("Gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert DataFileFactory().open(path).facts.site == "lsc"


def test_pixels_in_gzip_are_compared_with_their_checksum(tmp_path):
    path = write_synthetic_frame(tmp_path)
    data = bytearray(path.read_bytes())
    data[-3000] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidFrameError, match="data of HDU 0 differ from its DATASUM"):
        FitsFile(gzipped(path)).verify()


def test_a_frame_in_gzip_that_is_no_whole_frame_is_refused(tmp_path):
    path = write_synthetic_frame(tmp_path)
    packed, plain = gzipped(path), path.read_bytes()
    for broken in (
        b"",
        plain,
        gzip.compress(b"<html>"),
        gzip.compress(plain[:-2880]),
        gzip.compress(plain + b"more"),
        gzip.compress(plain)[:-9],
        gzip.compress(plain)[: len(plain) // 4],
    ):
        packed.write_bytes(broken)
        with pytest.raises(InvalidFrameError, match=r"\.fits\.gz is no"):
            FitsFile(packed)


def test_whatever_is_in_gzip_only_our_errors_come_out(write_frame, tmp_path):
    plain, path = write_frame().read_bytes(), tmp_path / "m.fits.gz"
    chance, worst = random.Random(3), 0.0
    for _ in range(200):
        outside = chance.random() < 0.5
        mutated = bytearray(gzip.compress(plain) if outside else plain)
        for _ in range(chance.choice((1, 3, 20))):
            mutated[chance.randrange(len(mutated))] = chance.choice((chance.randrange(256), 0x39))
        path.write_bytes(mutated if outside else gzip.compress(mutated))
        started = time.thread_time()
        with contextlib.suppress(CalRecordsError):
            FitsFile(path).archive_record()
        worst = max(worst, time.thread_time() - started)
    assert worst < 2


def test_reads_a_header_in_a_few_milliseconds(shared_data):
    opened = DataFileFactory().open
    for path in (shared_data / "lco").glob("*.fits*"):
        times = []
        for _ in range(5):
            started = time.thread_time()
            opened(path).archive_record()
            times.append(time.thread_time() - started)
        assert min(times) < 0.010, path.name
