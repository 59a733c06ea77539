"""FITS files of the SOAR telescope, whose names say how far they are reduced."""

from __future__ import annotations

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.repairs import is_null

_LEVEL_BY_PREFIX = {"cfzst": 62, "ecfzst": 63, "wecfzst": 64}


class SoarFitsFile(FitsFile):
    """A FITS file of the SOAR telescope, as its pipelines name it.

    A prefix of the name goes before the reduction level in the header, which may be wrong;
    where neither says one it is 0.
    """

    def repair_header(self, header: dict[str, HeaderValue]) -> None:
        """Take the reduction level from the beginning of the file's name."""
        keyword = self.mapping.reduction_level
        for prefix, level in _LEVEL_BY_PREFIX.items():
            if self.basename.startswith(prefix):
                header[keyword] = level
        if is_null(header.get(keyword)):
            header[keyword] = 0
