"""Pixels are opened with astropy, after the structure was found sound."""

import gzip
import re

import pytest

from calrecords.datafiles import open_hdu_list
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import DataFileNotFoundError, InvalidFrameError


@pytest.mark.parametrize("compress", [False, True])
def test_opens_a_frame_with_its_pixels(tmp_path, compress):
    path = write_synthetic_frame(tmp_path, compress=compress)
    with open_hdu_list(path) as hdus:
        assert hdus[-1].data.shape == (64, 64)
        assert hdus[-1].header["INSTRUME"] == "fa01"


def test_opens_a_frame_in_gzip(tmp_path):
    path = write_synthetic_frame(tmp_path)
    packed = tmp_path / "x.fits.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with open_hdu_list(packed) as hdus, open_hdu_list(path) as plain:
        assert (hdus[0].data == plain[0].data).all()
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(InvalidFrameError, match="cut short"):
        open_hdu_list(packed)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"%PDF-1.4", "x is a PDF document and has no HDUs"),
        (b"\xff\xd8\xff\xe0", "x is a JPEG picture and has no HDUs"),
        (gzip.compress(b"a.fits".ljust(9000, b"\0")), "a FITS file with b'SIMPLE  = '"),
    ],
    ids=["pdf", "jpeg", "gzip"],
)
def test_says_what_it_is_that_is_no_fits_file(tmp_path, data, says):
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(InvalidFrameError, match=says):
        open_hdu_list(path)


@pytest.mark.parametrize(
    ("keyword", "value"), [("ZNAXIS", "'2'"), ("TFIELDS", "'1'"), ("ZBITPIX", "'16'")]
)
def test_a_later_header_that_astropy_cannot_read_is_told_at_once(tmp_path, keyword, value):
    path = write_synthetic_frame(tmp_path, compress=True)
    card = re.search(rb"%-8s= .{70}" % keyword.encode(), data := path.read_bytes())[0]
    path.write_bytes(data.replace(card, f"{keyword:8}= {value:70}".encode()))
    with pytest.raises(InvalidFrameError, match=f"astropy cannot open {re.escape(str(path))}: "):
        open_hdu_list(path)


def test_refuses_what_is_no_whole_file(tmp_path, primary):
    path = tmp_path / "x.fits"
    with pytest.raises(DataFileNotFoundError, match="no file"):
        open_hdu_list(path)
    for data in (b"", b"<html>", primary(NAXIS=10_000_000), primary(NAXIS=1, NAXIS1=1)):
        path.write_bytes(data)
        with pytest.raises(InvalidFrameError, match="not a whole FITS file"):
            open_hdu_list(str(path))
