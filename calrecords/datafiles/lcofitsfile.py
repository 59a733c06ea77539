"""FITS files of Las Cumbres Observatory, whose names say what their headers may not."""

from __future__ import annotations

import re

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.repairs import invalid_keyword, is_null

_CATALOG_SUFFIX = "_cat"
_BPM = "BPM"
_TYPE_LETTER = re.compile(r"(?:[^-]+-){4}(?P<letter>[a-z])\d{2}(?:_cat)?")
_LEVEL = re.compile(r"(?:.*[-_])?[a-z](?P<level>\d{2})(?:_cat)?")
_OBSERVATION_TYPES = {
    "a": "ARC",
    "b": "BIAS",
    "d": "DARK",
    "e": "EXPOSE",
    "f": "SKYFLAT",
    "g": "GUIDE",
    "s": "STANDARD",
    "w": "LAMPFLAT",
    "x": "EXPERIMENTAL",
}


class LcoFitsFile(FitsFile):
    """A FITS file of Las Cumbres Observatory.

    Names such as ``coj1m011-fl08-20151216-0049-b00`` end in a letter for the observation type
    and two digits for the reduction level; ``_cat`` after that is a catalogue of the image
    without it. Here these mend a header that lacks them. Bad-pixel masks have a folder of their
    own in the store.
    """

    def repair_header(self, header: dict[str, HeaderValue]) -> None:
        """Fill in observation type, reduction level and catalogue from the file's name."""
        self._repair_catalog(header)
        self._repair_observation_type(header)
        self._repair_reduction_level(header)

    def store_folders(self) -> list[str]:
        """Return site, camera, night and level; for a bad-pixel mask site, camera, ``bpm``."""
        if self._is_bad_pixel_mask():
            return [self.safe_site(), self.safe_camera(), "bpm"]
        return super().store_folders()

    def _is_bad_pixel_mask(self) -> bool:
        named = "bpm" in self.basename
        return named or self.facts.obstype == _BPM or self.header.get("EXTNAME") == _BPM

    def _repair_catalog(self, header: dict[str, HeaderValue]) -> None:
        if not self.basename.endswith(_CATALOG_SUFFIX):
            return
        header[self.mapping.configuration_type] = "CATALOG"
        if is_null(header.get(self.mapping.catalog_target_frame)):
            image = self.basename.removesuffix(_CATALOG_SUFFIX)
            header[self.mapping.catalog_target_frame] = image

    def _repair_observation_type(self, header: dict[str, HeaderValue]) -> None:
        keyword = self.mapping.configuration_type
        if not is_null(header.get(keyword)):
            return
        match = _TYPE_LETTER.fullmatch(self.basename)
        obstype = _OBSERVATION_TYPES.get(match["letter"]) if match else None
        if obstype is None:
            wanted = "an observation type, nor does the file's name say it"
            raise invalid_keyword(self.filename, keyword, header.get(keyword), wanted)
        header[keyword] = obstype

    def _repair_reduction_level(self, header: dict[str, HeaderValue]) -> None:
        keyword = self.mapping.reduction_level
        if is_null(header.get(keyword)):
            match = _LEVEL.fullmatch(self.basename)
            header[keyword] = int(match["level"]) if match else 0
