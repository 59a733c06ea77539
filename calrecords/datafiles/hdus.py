"""FITS files with their pixels, for who wants to look at a frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calrecords.errors import InvalidFrameError

if TYPE_CHECKING:
    from astropy.io.fits import HDUList


def open_hdu_list(path: Path) -> HDUList:
    """Return a FITS file, open for reading; pixels are read when they are looked at.

    Raises
    ------
    InvalidFrameError
        If the file cannot be read as FITS.
    """
    from astropy.io import fits

    try:
        return fits.open(path, mode="readonly", memmap=True)
    except OSError as error:
        msg = f"{path}: cannot be opened as FITS: {error}"
        raise InvalidFrameError(msg) from error
