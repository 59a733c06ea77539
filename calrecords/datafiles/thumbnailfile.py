"""Small pictures of frames, for web pages: JPEG files described by metadata."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

from calrecords.datafiles.datafile import DataFile
from calrecords.datafiles.repairs import is_null
from calrecords.frames import FrameFacts

_THUMBNAIL = "THUMBNAIL"


class ThumbnailFile(DataFile):
    """A picture of a frame; the metadata say of which, and how big it is.

    Its facts are those of the metadata. Where they say no observation type it is ``THUMBNAIL``
    in the facts, so that no search for a calibration finds a picture, and empty in the
    archive's record, as OCS has it. In the store it lies with its night, in ``thumbnails``.
    """

    def required_keywords(self) -> Collection[str]:
        """Return what the metadata must say of a picture."""
        return self.mapping.required_thumbnail_metadata

    @cached_property
    def facts(self) -> FrameFacts:
        """What the metadata say, in our words.

        Raises
        ------
        InvalidKeywordError
            If a value is not of its kind, or site or camera is empty.
        """
        return self.facts_of({**self.header, **self._without_type()})

    def archive_record(self) -> dict[str, Any]:
        """Return the record of a frame, with the frame's basename and the picture's size."""
        untyped = bool(self._without_type())
        return {
            **super().archive_record(),
            **({"configuration_type": ""} if untyped else {}),
            "frame_basename": self.header.get(self.mapping.thumbnail_frame_basename),
            "size": self.header.get(self.mapping.thumbnail_size, ""),
        }

    def store_folders(self) -> list[str]:
        """Return site, camera, night, ``thumbnails``."""
        return [self.safe_site(), self.safe_camera(), self.night(), "thumbnails"]

    def _without_type(self) -> dict[str, str]:
        """Return the type that stands in for one that the metadata do not say."""
        keyword = self.mapping.configuration_type
        return {keyword: _THUMBNAIL} if is_null(self.header.get(keyword)) else {}
