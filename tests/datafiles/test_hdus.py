"""Pixels are opened with astropy, after the structure was found sound."""

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


def test_refuses_what_is_no_whole_file(tmp_path, primary):
    path = tmp_path / "x.fits"
    with pytest.raises(DataFileNotFoundError, match="no file"):
        open_hdu_list(path)
    for data in (b"", b"<html>", primary(NAXIS=10_000_000), primary(NAXIS=1, NAXIS1=1)):
        path.write_bytes(data)
        with pytest.raises(InvalidFrameError, match="not a whole FITS file"):
            open_hdu_list(str(path))
