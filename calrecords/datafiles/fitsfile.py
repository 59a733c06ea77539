"""FITS files, plain, tile-compressed and in gzip: headers read without pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO, ClassVar

from calrecords.datafiles.cards import HeaderValue, UnreadableValue
from calrecords.datafiles.compressed_images import image_header, is_compressed_image
from calrecords.datafiles.content_checks import ContentCheck, GunzippedCheck, HduChecksums
from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.fits_blocks import Hdu, scan_hdus
from calrecords.datafiles.gunzip import scan_gzipped_hdus

_GZIP_SUFFIX = ".gz"


class FitsFile(DataFile):
    """A FITS file; its header is that of the first HDU with every required keyword.

    A tile-compressed image is described by the header of the image, not of the table that
    holds it. The structure of the whole file is checked, and no pixel is looked at; a file in
    gzip is unpacked for that as a stream, within limits, and never onto the disk.
    """

    extensions: ClassVar[tuple[str, ...]] = (".fits", ".fits.fz", ".fits.gz", ".fit")

    hdus: tuple[Hdu, ...]

    @property
    def content_type(self) -> str:
        """Media type of the file."""
        return "application/gzip" if self._is_gzipped else "image/fits"

    def read_header(self, file: BinaryIO, size: int) -> Mapping[str, HeaderValue | UnreadableValue]:
        """Return the header of the first HDU that has every required keyword.

        Where none has, it is the one that lacks the fewest, so that the message can say what
        is missing.
        """
        if self._is_gzipped:
            self.hdus = scan_gzipped_hdus(file, self.path)
        else:
            self.hdus = scan_hdus(file, self.path, size)
        return self.describing_header(self.hdus)

    def describing_header(self, hdus: Sequence[Hdu]) -> Mapping[str, HeaderValue | UnreadableValue]:
        """Return the header by which a file of these HDUs is described."""
        needed = set(self.required_keywords()) - set(self._metadata)
        chosen = min(hdus, key=lambda hdu: len(needed - hdu.header.keys()))
        if is_compressed_image(chosen.header):
            return image_header(chosen.header, self.path, chosen.index)
        return chosen.header

    def content_check(self) -> ContentCheck:
        """Return what compares each HDU with its own CHECKSUM and DATASUM."""
        check = HduChecksums(self.hdus)
        return GunzippedCheck(check, self.path) if self._is_gzipped else check

    @property
    def _is_gzipped(self) -> bool:
        return self.extension.lower().endswith(_GZIP_SUFFIX)
