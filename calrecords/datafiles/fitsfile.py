"""FITS files, plain and tile-compressed: headers read without pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, ClassVar

from calrecords.datafiles.cards import HeaderValue, UnreadableValue
from calrecords.datafiles.compressed_images import image_header, is_compressed_image
from calrecords.datafiles.content_checks import ContentCheck, HduChecksums
from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.fits_blocks import Hdu, scan_hdus


class FitsFile(DataFile):
    """A FITS file; its header is that of the first HDU with every required keyword.

    A tile-compressed image is described by the header of the image, not of the table that
    holds it. The structure of the whole file is checked, and no pixel is read.
    """

    extensions: ClassVar[tuple[str, ...]] = (".fits", ".fits.fz")

    hdus: tuple[Hdu, ...]

    @property
    def content_type(self) -> str:
        """Media type of the file."""
        return "image/fits"

    def read_header(self, file: BinaryIO, size: int) -> Mapping[str, HeaderValue | UnreadableValue]:
        """Return the header of the first HDU that has every required keyword.

        Where none has, it is the one that lacks the fewest, so that the message can say what
        is missing.
        """
        self.hdus = scan_hdus(file, self.path, size)
        needed = set(self.mapping.required) - set(self._metadata)
        chosen = min(self.hdus, key=lambda hdu: len(needed - hdu.header.keys()))
        if is_compressed_image(chosen.header):
            return image_header(chosen.header, self.path, chosen.index)
        return chosen.header

    def content_check(self) -> ContentCheck:
        """Return what compares each HDU with its own CHECKSUM and DATASUM."""
        return HduChecksums(self.hdus)
