"""Tar archives that hold a FITS file, which describes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar

from calrecords.datafiles.cards import HeaderValue, UnreadableValue
from calrecords.datafiles.content_checks import ContentCheck, NoContentCheck
from calrecords.datafiles.fits_blocks import Hdu, scan_hdus
from calrecords.datafiles.fitsfile import FitsFile
from calrecords.datafiles.forward_file import ForwardFile, MemberFile
from calrecords.datafiles.gunzip import packed_pieces, unpacked
from calrecords.datafiles.lcofitsfile import LcoFitsFile
from calrecords.datafiles.shown import shown
from calrecords.datafiles.tar_members import walk_members
from calrecords.errors import InvalidFrameError

_LEVEL_OF_TARS = 90


class TarWithFitsFile(FitsFile):
    """A tar archive; its header is that of its first member with ``.fits`` in its name.

    The whole archive is walked once as a stream, within the limits of `gunzip` and
    `tar_members`. Only headers are kept of it, and nothing is extracted. That it is whole is
    known then, so `verify` looks at nothing inside of it.
    """

    extensions: ClassVar[tuple[str, ...]] = (".tar.gz", ".tar")

    @property
    def content_type(self) -> str:
        """Media type of the file."""
        return "application/x-tar"

    @staticmethod
    def is_described_by(member: str) -> bool:
        """Return whether a member of this name has the archive's header; the first one has it."""
        return ".fits" in member

    def read_header(self, file: BinaryIO, size: int) -> Mapping[str, HeaderValue | UnreadableValue]:
        """Return the header of the member that describes the archive."""
        pieces = unpacked(file, self.path) if self._is_gzipped else packed_pieces(file)
        archive = ForwardFile(pieces)
        hdus: tuple[Hdu, ...] = ()
        for member in walk_members(archive, self.path):
            if not hdus and self.is_described_by(member.name):
                held = MemberFile(archive, member.start, member.size)
                place = Path(f"{self.path}, member {shown(member.name)},")
                hdus = scan_hdus(held, place, member.size)
        archive.drain()
        if not hdus:
            msg = f"{self.path} holds no FITS file to describe it; add one whose name says so"
            raise InvalidFrameError(msg)
        self.hdus = hdus
        return self.describing_header(hdus)

    def content_check(self) -> ContentCheck:
        """Return what watches the bytes; nothing, as opening it has read it to its end."""
        return NoContentCheck()


class LcoTarWithFitsFile(TarWithFitsFile, LcoFitsFile):
    """A tar archive of Las Cumbres Observatory, described by the raw or the reduced frame in it.

    That is its first member with ``e00.fits``, ``e90.fits`` or ``e91.fits`` in its name. An
    archive whose header gives no reduction level has 90.
    """

    @staticmethod
    def is_described_by(member: str) -> bool:
        """Return whether a member of this name has the archive's header; the first one has it."""
        return any(name in member for name in ("e00.fits", "e90.fits", "e91.fits"))

    def level_in_name(self) -> int:
        """Return the reduction level of an archive whose header says none."""
        return _LEVEL_OF_TARS
