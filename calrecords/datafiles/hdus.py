"""Opening a frame's pixels with astropy, after its structure was found sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calrecords.datafiles.fits_blocks import scan_hdus
from calrecords.datafiles.regular_files import FileSignature, open_regular_file
from calrecords.errors import InvalidFrameError

if TYPE_CHECKING:
    from astropy.io.fits import HDUList as HDUList  # noqa: PLC0414, RUF100 - for who calls this


def open_hdu_list(path: str | Path) -> HDUList:
    """Return the HDUs of a FITS file, open for reading; the caller closes them.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, or it cannot be read.
    InvalidFrameError
        If it is not a whole FITS file.
    """
    from astropy.io import fits

    path = Path(path)
    with open_regular_file(path) as file:
        scan_hdus(file, path, FileSignature.of(file).size)
    try:
        return fits.open(path)
    except Exception as error:
        msg = f"astropy cannot open {path}: {error}; get the file again, or write it anew"
        raise InvalidFrameError(msg) from error
