"""A compressed image is described by its own header, as astropy shows it."""

import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from calrecords.datafiles.compressed_images import image_header, is_compressed_image
from calrecords.datafiles.fits_blocks import scan_hdus
from calrecords.errors import InvalidFrameError

PATH = Path("frame.fits.fz")
TABLE = {
    "XTENSION": "BINTABLE",
    "BITPIX": 8,
    "NAXIS": 2,
    "NAXIS1": 8,
    "NAXIS2": 3,
    "PCOUNT": 9,
    "GCOUNT": 1,
    "TFIELDS": 1,
    "TTYPE1": "COMPRESSED_DATA",
    "ZIMAGE": True,
    "ZSIMPLE": True,
    "ZBITPIX": 16,
    "ZNAXIS": 1,
    "ZNAXIS1": 30,
    "ZPCOUNT": 0,
    "ZGCOUNT": 1,
    "EXTNAME": "COMPRESSED_IMAGE",
    "BZERO": 0.0,
    "SITEID": "lsc",
    "ZENITH": 12.5,
    "TELID": "1m0a",
    "CHECKSUM": "of the table",
    "ZHECKSUM": "of the image",
}


def test_shows_the_image_and_not_the_table():
    assert is_compressed_image(TABLE)
    assert image_header(TABLE, PATH, 1) == {
        "SIMPLE": True,
        "BITPIX": 16,
        "NAXIS": 1,
        "NAXIS1": 30,
        "SITEID": "lsc",
        "ZENITH": 12.5,
        "TELID": "1m0a",
        "CHECKSUM": "of the image",
    }


def test_a_plain_table_is_no_image():
    assert not is_compressed_image({**TABLE, "ZIMAGE": False})
    assert not is_compressed_image({"SIMPLE": True, "ZIMAGE": True})


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("ZNAXIS", 10_000_000), ("ZNAXIS", -1), ("ZNAXIS", None), ("ZNAXIS1", "x")],
)
def test_refuses_an_absurd_shape(keyword, value):
    with pytest.raises(InvalidFrameError, match=f"HDU 1 has {keyword}"):
        image_header({**TABLE, keyword: value}, PATH, 1)


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8"])
@pytest.mark.parametrize("name", [None, "SCI"])
def test_equals_what_astropy_shows(dtype, name):
    written = fits.Header({"SITEID": "lsc", "TOOL": "a", "ZERO": 5, "BUNIT": "adu"})
    image = fits.CompImageHDU(np.ones((20, 30), dtype), written, name=name, quantize_level=4)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer, checksum=True)
    data = buffer.getvalue()
    hdu = scan_hdus(io.BytesIO(data), PATH, len(data))[1]
    with fits.open(io.BytesIO(data)) as hdus:
        assert image_header(hdu.header, PATH, 1) == dict(hdus[1].header)
