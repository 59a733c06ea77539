"""FITS files of Las Cumbres Observatory, whose names say what their headers may not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.repairs import invalid_keyword, is_null

_CATALOG_SUFFIX = "_cat"
_BPM = "BPM"
_BPM_NAME = re.compile(r"bpm[-_].*|.*[-_]bpm[-_].*|.*[-_]bpm")
_TYPE_LETTER = re.compile(r"(?:[^-]+-){4}(?P<letter>[a-z])\d{2}(?:[-_].*)?")
_LEVEL = re.compile(r"(?:.*[-_])?[a-z](?P<level>\d{2})(?:_cat)?")
_TYPES_IN_FRONT = frozenset({"arc", "trace"})
_TYPES_OF_MASTERS = frozenset({"arc", "bias", "bpm", "dark", "lampflat", "skyflat"})
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
_TYPES_OF_NRES = {"a": "DOUBLE", "e": "TARGET"}
_NRES_ENCLOSURE = "igl"
_ENCLOSURE = "ENCID"
_FLOYDS_CAMERAS = "en"


class LcoFitsFile(FitsFile):
    """A FITS file of Las Cumbres Observatory.

    Names such as ``coj1m011-fl08-20151216-0049-b00`` end in a letter for the observation type
    and two digits for the reduction level; ``_cat`` after that is a catalogue of the image
    without it. Masters such as ``lsc1m009-fa01-20260101-dark-bin1x1`` say their type in full.
    Here these mend a header that lacks them. Bad-pixel masks have a folder of their own in the
    store.
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

    def level_in_name(self) -> int:
        """Return the reduction level that the file's name says; 0 where it says none."""
        match = _LEVEL.fullmatch(self.basename)
        return int(match["level"]) if match else 0

    def _is_bad_pixel_mask(self) -> bool:
        named = _BPM_NAME.fullmatch(self.basename) is not None
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
        obstype = self._observation_type_in_name(header)
        if obstype is None:
            wanted = "an observation type, nor does the file's name say it"
            raise invalid_keyword(self.filename, keyword, header.get(keyword), wanted)
        header[keyword] = obstype

    def _observation_type_in_name(self, header: Mapping[str, HeaderValue]) -> str | None:
        parts = self.basename.split("-")
        if parts[0] in _TYPES_IN_FRONT:
            return parts[0].upper()
        if len(parts) > 3 and parts[3] in _TYPES_OF_MASTERS:
            return parts[3].upper()
        match = _TYPE_LETTER.fullmatch(self.basename)
        if match is None:
            return None
        letter = match["letter"]
        if letter in _TYPES_OF_NRES and self._is_of_nres(header):
            return _TYPES_OF_NRES[letter]
        if letter == "e" and parts[1].startswith(_FLOYDS_CAMERAS):
            return "SPECTRUM"
        return _OBSERVATION_TYPES.get(letter)

    def _is_of_nres(self, header: Mapping[str, HeaderValue]) -> bool:
        """Return whether the frame is from the spectrograph in the igloo."""
        said = (header.get(_ENCLOSURE), header.get(self.mapping.telescope_id))
        return any(_NRES_ENCLOSURE in str(value) for value in said)

    def _repair_reduction_level(self, header: dict[str, HeaderValue]) -> None:
        keyword = self.mapping.reduction_level
        if is_null(header.get(keyword)):
            header[keyword] = self.level_in_name()
