"""Opening a frame's pixels with astropy, after its structure was found sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from calrecords.datafiles.fits_blocks import scan_hdus
from calrecords.datafiles.gunzip import scan_gzipped_hdus
from calrecords.datafiles.regular_files import FileSignature, open_regular_file
from calrecords.errors import InvalidFrameError

if TYPE_CHECKING:
    from astropy.io.fits import HDUList as HDUList  # noqa: PLC0414, RUF100 - for who calls this

_GZIP_MAGIC = b"\x1f\x8b"
_OTHER_KINDS = {
    b"%PDF-": "a PDF document",
    b"\xff\xd8\xff": "a JPEG picture",
}


def open_hdu_list(path: str | Path) -> HDUList:
    """Return the HDUs of a FITS file, plain or in gzip, open for reading; the caller closes them.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, or it cannot be read.
    InvalidFrameError
        If it is not a whole FITS file.
    """
    from astropy.io import fits

    path = Path(path)
    _demand_whole(path)
    try:
        return fits.open(path)
    except Exception as error:
        msg = f"astropy cannot open {path}: {error}; get the file again, or write it anew"
        raise InvalidFrameError(msg) from error


def _demand_whole(path: Path) -> None:
    with open_regular_file(path) as file:
        begins = file.read(5)
        for magic, kind in _OTHER_KINDS.items():
            if begins.startswith(magic):
                msg = f"{path} is {kind} and has no HDUs; open it with a program for those"
                raise InvalidFrameError(msg)
        if begins.startswith(_GZIP_MAGIC):
            scan_gzipped_hdus(file, path)
        else:
            scan_hdus(file, path, FileSignature.of(file).size)
