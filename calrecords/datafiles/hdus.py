"""Opening a frame's pixels with astropy, after its structure was found sound."""

from __future__ import annotations

from contextlib import ExitStack
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

    All headers are read at once, so that one that astropy cannot make sense of is told here;
    pixels are read when they are asked for.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, or it cannot be read.
    InvalidFrameError
        If it is not a whole FITS file, or a header of it contradicts itself.
    """
    from astropy.io import fits

    path = Path(path)
    _demand_whole(path)
    with ExitStack() as failed:
        try:
            hdus = failed.enter_context(fits.open(path))
            len(hdus)  # looks at every header
        except Exception as error:
            msg = f"astropy cannot open {path}: {error}; get the file again, or write it anew"
            raise InvalidFrameError(msg) from error
        failed.pop_all()
    return hdus


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
