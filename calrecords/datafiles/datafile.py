"""What a data file is: a path, a header, facts, a record for the archive, a place in the store.

`DataFile` is the base, and by itself describes a file that has no header of its own (a PDF) from
metadata alone. A new kind of file is a subclass that overrides some of `read_header`,
`repair_header`, `store_folders` and `content_check`, and names its `extensions`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from calrecords.datafiles.archive_record import make_archive_record
from calrecords.datafiles.cards import HeaderValue, UnreadableValue
from calrecords.datafiles.content_checks import ContentCheck, NoContentCheck
from calrecords.datafiles.facts import read_facts
from calrecords.datafiles.magic_bytes import demand_magic
from calrecords.datafiles.mapping import LCO_MAPPING, HeaderMapping
from calrecords.datafiles.regular_files import FileSignature, demand_unchanged, open_regular_file
from calrecords.datafiles.repairs import (
    ProposalTags,
    checked_metadata,
    compact_day,
    invalid_keyword,
    is_null,
    normalised,
    repair_observation_day,
    repair_public_date,
)
from calrecords.datafiles.sky_area import Polygon, find_sky_area
from calrecords.errors import (
    InvalidFrameError,
    MissingKeywordError,
    UnsafeKeyError,
    UnsupportedFileTypeError,
)
from calrecords.frames import ContentDigest, FrameFacts, digest_stream
from calrecords.vocabulary import split_filename

_SAFE_PART = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._+-]+")
_CONTENT_TYPES = {
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tar.gz": "application/gzip",
}


class DataFile:
    """A file, its header read and checked; the file is not kept open.

    Parameters
    ----------
    path : str or Path
        A regular file.
    mapping : HeaderMapping
        Which header keyword gives which fact.
    metadata : mapping, optional
        Header values by keyword that go before those in the file.
    is_master : bool, optional
        Whether it was made by combining several frames; by default as the header says.
    proposal_tags : callable, optional
        Given the ID of a proposal, returns its tags in the observation portal, which can make a
        frame private or public. Called at most once, and only where the header does not say
        when the frame becomes public; what it raises is not caught.
    sky_area : bool
        Whether `archive_record` says where on the sky the frame lies. That is computed in
        another process, which takes about a second to start.

    Attributes
    ----------
    path : Path
        As it was given.
    basename, extension : str
        The file name, cut in two.
    header : dict
        Values by keyword, repaired as the archive wants them, safe for JSON: bool, int, finite
        float, text without NUL, or None.
    extensions : tuple of str
        Extensions of this kind of file, lower case; an empty one takes any.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file, it cannot be read, or it changes while it is read.
    InvalidFrameError
        If it is not a regular file, or is broken.
    MissingKeywordError
        If a required keyword is neither in the header nor in the metadata.
    InvalidKeywordError
        If a value cannot be read.
    UnsupportedFileTypeError
        If its extension is not one of `extensions`.
    """

    extensions: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        path: str | Path,
        *,
        mapping: HeaderMapping = LCO_MAPPING,
        metadata: Mapping[str, Any] | None = None,
        is_master: bool | None = None,
        proposal_tags: ProposalTags | None = None,
        sky_area: bool = False,
    ) -> None:
        self.path = Path(path)
        self.mapping = mapping
        self.basename, self.extension = split_filename(self.path.name)
        self._is_master = is_master
        self._proposal_tags = proposal_tags
        self._wants_sky_area = sky_area
        self._demand_extension()
        self._metadata = checked_metadata(metadata or {}, self.filename)
        with open_regular_file(self.path) as file:
            self._signature = FileSignature.of(file)
            found = self.read_header(file, self._signature.size)
            demand_unchanged(self.path, self._signature, file)
        self.header = self._described({**found, **self._metadata})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @property
    def filename(self) -> str:
        """Name of the file, without its folder."""
        return self.path.name

    @property
    def content_type(self) -> str:
        """Media type of the file."""
        return _CONTENT_TYPES.get(self.extension.lower(), "application/octet-stream")

    @cached_property
    def facts(self) -> FrameFacts:
        """What the header says, in our words.

        Raises
        ------
        InvalidKeywordError
            If a value is not of its kind, or site, camera or observation type is empty.
        """
        return self.facts_of(self.header)

    @property
    def store_key(self) -> str:
        """Slash path inside a store, as the archive computes it from its record.

        Raises
        ------
        InvalidKeywordError
            If site, camera or night is empty or could leave the store.
        UnsafeKeyError
            If the file's name could.
        """
        return "/".join([*self.store_folders(), self._safe_filename()])

    def archive_record(self) -> dict[str, Any]:
        """Return what is sent to the archive's ``/frames/``, less ``version_set``.

        The sky area is None unless it was asked for: computing it from an untrusted header
        runs native code. See the archive's POST /frames/ for the limits.
        """
        return make_archive_record(
            self.header,
            self.facts,
            self.mapping,
            basename=self.basename,
            name=self.filename,
            area=self.sky_area,
        )

    @cached_property
    def sky_area(self) -> Polygon | None:
        """The part of the sky that the frame shows, as a GeoJSON polygon in degrees.

        None where the header does not say it, it cannot be computed, or it was not asked for.
        """
        if not self._wants_sky_area:
            return None
        return find_sky_area(self.header, self.mapping, name=self.filename)

    def digest(self) -> ContentDigest:
        """Return what the bytes of the file are, read once and then remembered.

        Raises
        ------
        DataFileNotFoundError
            If the file went away or changed since it was opened.
        InvalidFrameError
            If the bytes differ from checksums that the file itself holds.
        """
        self.verify()
        return self._content[0]

    def verify(self) -> None:
        """Read the file once, as `digest` does, and raise as that does if it is damaged."""
        fault = self._content[1]
        if fault is not None:
            msg = f"{self.path} is damaged: {fault}; get the file again, or write it anew"
            raise InvalidFrameError(msg)

    def read_header(self, file: BinaryIO, size: int) -> Mapping[str, HeaderValue | UnreadableValue]:
        """Return the header as it is in the file; none here, where a known kind is recognised.

        Override in a kind of file that has one. The file stands at its start and has `size`
        bytes; raise InvalidFrameError if it is broken.
        """
        demand_magic(file, self.path, self.extension)
        return {}

    def required_keywords(self) -> Collection[str]:
        """Return the keywords without which the file is refused."""
        return self.mapping.required

    def repair_header(self, header: dict[str, HeaderValue]) -> None:
        """Mend a header in place, after nulls are plain and before the dates are; nothing here."""

    def facts_of(self, header: Mapping[str, HeaderValue]) -> FrameFacts:
        """Return what a header of this file says, in our words; raises as `facts` does."""
        return read_facts(
            header,
            self.mapping,
            name=self.filename,
            is_master=self._is_master,
            dayobs_rule=self._dayobs_rule,
        )

    def store_folders(self) -> list[str]:
        """Return the parts of `store_key` before the file name: site, camera, night, level."""
        level = "processed" if self.facts.reduction_level else "raw"
        return [self.safe_site(), self.safe_camera(), self.night(), level]

    def content_check(self) -> ContentCheck:
        """Return what watches the bytes for `verify`; nothing here."""
        return NoContentCheck()

    def safe_site(self) -> str:
        """Return the site, which is safe as part of a store key."""
        return self._safe_part(self.mapping.site_id, self.facts.site)

    def safe_camera(self) -> str:
        """Return the camera, which is safe as part of a store key."""
        return self._safe_part(self.mapping.instrument_id, self.facts.camera)

    def night(self) -> str:
        """Return the night as a store key has it, ``YYYYMMDD``."""
        day = self.facts.dayobs
        if day is None:
            raise invalid_keyword(self.filename, self.mapping.observation_day, None, "a night")
        return compact_day(day)

    @cached_property
    def _content(self) -> tuple[ContentDigest, str | None]:
        check = self.content_check()
        with open_regular_file(self.path) as file:
            demand_unchanged(self.path, self._signature, file)
            digest = digest_stream(file, sink=check.write)
            demand_unchanged(self.path, self._signature, file)
        return digest, check.fault()

    def _demand_extension(self) -> None:
        if self.extensions and self.extension.lower() not in self.extensions:
            known = ", ".join(self.extensions)
            msg = f"{self.path} is no file for {type(self).__name__}, which reads {known}"
            raise UnsupportedFileTypeError(msg)

    def _described(
        self, found: Mapping[str, HeaderValue | UnreadableValue]
    ) -> dict[str, HeaderValue]:
        """Return a header with everything repaired, and note what gave the night."""
        missing = [keyword for keyword in self.required_keywords() if keyword not in found]
        if missing:
            msg = (
                f"{self.path} has no {', '.join(missing)} in its header;"
                " write them to the header, or give them as metadata"
            )
            raise MissingKeywordError(msg)
        header = normalised(self._readable(found), self.mapping)
        self.repair_header(header)
        derived = repair_observation_day(header, self.mapping, self.filename)
        repair_public_date(
            header,
            self.mapping,
            self.basename,
            self.filename,
            proposal_tags=self._proposal_tags,
        )
        given = not is_null(self._metadata.get(self.mapping.observation_day))
        self._dayobs_rule = "dateobs" if derived else "metadata" if given else "header"
        return header

    def _readable(
        self, found: Mapping[str, HeaderValue | UnreadableValue]
    ) -> dict[str, HeaderValue]:
        readable: dict[str, HeaderValue] = {}
        for keyword, value in found.items():
            if not isinstance(value, UnreadableValue):
                readable[keyword] = value
            elif keyword not in self.mapping.blacklist:
                raise invalid_keyword(self.filename, keyword, value.text, "a value of FITS")
        return readable

    def _safe_part(self, keyword: str, value: str) -> str:
        if not _SAFE_PART.fullmatch(value):
            wanted = "made of letters, digits and ._+- only, as a folder must be"
            raise invalid_keyword(self.filename, keyword, value, wanted)
        return value

    def _safe_filename(self) -> str:
        if not _SAFE_PART.fullmatch(self.filename):
            msg = (
                f"{self.path} cannot be stored under its name;"
                " rename it with letters, digits and ._+- only"
            )
            raise UnsafeKeyError(msg)
        return self.filename
