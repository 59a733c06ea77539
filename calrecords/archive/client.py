"""`ArchiveClient`: what can be asked of a Science Archive, and told to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from threading import Lock
from typing import Any, BinaryIO, Self, TypeVar

import requests
from tenacity import BaseRetrying

from calrecords.archive.downloads import CutShortError, Download
from calrecords.archive.lookups import (
    frame_named,
    frame_with_id,
    frames_related_to,
    header_of,
    no_such_frame,
    observation_types_at,
    versions_with,
    well_at,
)
from calrecords.archive.models import ArchiveFrame
from calrecords.archive.origins import checked_token, normalised_root
from calrecords.archive.outgoing import (
    checked_basename,
    checked_frame_id,
    checked_md5,
    encoded_record,
)
from calrecords.archive.paging import MOST_ROWS, FrameList, check_sizes
from calrecords.archive.policy import default_retrying, repeated
from calrecords.archive.registration import NotShownError, Registration
from calrecords.archive.searching import question
from calrecords.archive.transport import Transport
from calrecords.errors import (
    ArchiveRefusedError,
    ChecksumMismatchError,
    FrameNotFoundError,
    VersionExistsError,
)
from calrecords.forking import start_anew_after_fork
from calrecords.frames import ContentDigest

_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_T = TypeVar("_T")


class ArchiveClient:
    """Asks one Science Archive, and registers frames with it.

    One client may be shared between threads. It is a context manager; `close` closes its
    pooled connections.

    Every method may raise `ArchiveUnavailableError` (the archive cannot be reached, fails,
    or something else answers in its place; repeated by the policy, and with
    ``retry_after_s`` where the archive said so), `ArchiveRefusedError` (with the HTTP
    ``status`` and the archive's own words; 401 and 403 name AUTH_TOKEN), and
    `ConfigurationError` (a certificate that is not trusted).

    Parameters
    ----------
    root : str
        The archive's root, with or without its trailing slash.
    token : str, optional
        Sent to the root's own scheme, host and port, and nowhere else.
    connect_timeout_s, read_timeout_s : float
        Seconds to connect, and to wait for the next byte.
    total_timeout_s : float
        Seconds for one whole request. A download whose length is announced may take longer
        while it keeps 256 KiB/s.
    retrying : tenacity.BaseRetrying, optional
        When a request is sent again; by default `default_retrying`. It should look for
        `TransientError` only.
    allow_plain_http : bool
        Whether the token may be sent over http to another machine.
    session : requests.Session, optional
        Used in place of one of our own, with its own adapters, and left open.
    max_answer_bytes : int
        Longest answer, in bytes, that is read; downloads are not answers.

    Attributes
    ----------
    root : str
        The archive's root in its one spelling, with one trailing slash.

    Raises
    ------
    ConfigurationError
        If the root is no http or https address, the token is none, or it would be sent
        unencrypted to another machine.
    """

    def __init__(
        self,
        root: str,
        token: str | None = None,
        *,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
        total_timeout_s: float = 120.0,
        retrying: BaseRetrying | None = None,
        allow_plain_http: bool = False,
        session: requests.Session | None = None,
        max_answer_bytes: int = _MAX_ANSWER_BYTES,
    ) -> None:
        self.root = normalised_root(root)
        self._transport = Transport(
            self.root,
            checked_token(token, self.root, allow_plain_http=allow_plain_http),
            connect_timeout_s=connect_timeout_s,
            read_timeout_s=read_timeout_s,
            total_timeout_s=total_timeout_s,
            max_answer_bytes=max_answer_bytes,
            session=session,
        )
        self._has_token = bool(token)
        self._retrying = (retrying or default_retrying()).copy(reraise=True)
        self._obstypes: frozenset[str] | None = None
        self._obstypes_lock = Lock()
        start_anew_after_fork(self)

    def start_anew(self) -> None:
        """Take a lock that no thread of the parent process holds."""
        self._obstypes_lock = Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._transport.close()

    def frame(self, frame_id: int) -> ArchiveFrame:
        """Return the frame with this ID; always one request, never a cache.

        Raises
        ------
        FrameNotFoundError
            If there is none, if it is hidden from the token, or if it is a placeholder.
        """
        number = self._known_id(frame_id)
        return self._repeat(lambda: frame_with_id(self._transport, number))

    def headers(self, frame_id: int) -> dict[str, Any]:
        """Return the header of a frame's newest version, as the archive keeps it.

        It leaves out HISTORY and COMMENT, and keeps the first value of a repeated keyword.

        Raises
        ------
        FrameNotFoundError
            As for `frame`.
        """
        number = self._known_id(frame_id)
        return self._repeat(lambda: header_of(self._transport, number))

    def related(self, frame_id: int) -> tuple[ArchiveFrame, ...]:
        """Return the frames that the archive relates to this one; one request.

        Placeholders, which were named and never ingested, are left out. The archive relates
        both ways: a frame that names others is among theirs.

        Raises
        ------
        FrameNotFoundError
            As for `frame`.
        """
        number = self._known_id(frame_id)
        return tuple(self._repeat(lambda: frames_related_to(self._transport, number)))

    def find(self, basename: str) -> ArchiveFrame | None:
        """Return the frame with exactly this basename, None if the archive has none.

        Raises
        ------
        ArchiveRefusedError
            Also if the server answers other frames than the one asked for.
        """
        name = checked_basename(basename)
        return self._repeat(lambda: frame_named(self._transport, name))

    def search(
        self,
        *,
        row_limit: int | None = None,
        page_size: int = MOST_ROWS,
        ordering: str | Sequence[str] | None = None,
        with_related: bool = False,
        skip_unreadable: bool = False,
        **filters: object,
    ) -> Iterator[ArchiveFrame]:
        """Yield the frames that meet every filter, each once, to the true end of the list.

        The filters are the words of `FILTERS`: ``start`` and ``end`` (of ``dateobs``, both
        belonging to the range), ``dateobs``, ``dayobs``, ``basename``, ``object``,
        ``basename_contains``, ``object_contains`` (letters of any case), ``has_object``,
        ``public``, ``public_date``, ``min_exposure_time`` (seconds), ``obstype``,
        ``obstypes``, ``exclude_obstypes`` (several), ``exclude_calibrations``, ``proposal``,
        ``camera``, ``site``, ``telescope``, ``filter``, ``reduction_level``,
        ``observation_id``, ``request_id``, ``submitter``, and ``covers`` and ``intersects``
        (the sky area, degrees: ``POINT(ra dec)``, a pair, a polygon or GeoJSON). Times are
        aware, or ISO text in UTC. Frames without a file are in no list.

        What is wrong with the question is said here, not when the first frame is asked for.

        Parameters
        ----------
        row_limit : int, optional
            Most frames to give; all where None or -1.
        page_size : int
            Frames to ask for at once, 1 to 1000. Frames that come while the list is read
            are given, or not; none is skipped or given twice for them.
        ordering : str or sequence of str, optional
            Words of `ORDERINGS`, with ``-`` for descending; by default ``frame_id``.
        with_related : bool
            Whether ``related_frame_ids`` is wanted, which is slower; else it is empty.
        skip_unreadable : bool
            Whether a frame that the archive fails to describe, with every page that holds
            it, is left out with a warning; else the search ends there with an error that
            names the page.

        Raises
        ------
        ArchiveRefusedError
            If a word is unknown or a value empty or no such value, before anything is sent;
            and if the server answers frames that were not asked for.
        """
        check_sizes(row_limit, page_size)
        limit = None if row_limit == -1 else row_limit
        found = FrameList(
            self._transport,
            self._repeat,
            question(filters, ordering, with_related=with_related),
            page_size=page_size if limit is None else min(page_size, limit),
            skip_unreadable=skip_unreadable,
        )
        return islice(found.frames(), limit)

    def has_version(self, md5: str) -> bool | None:
        """Return whether the archive holds these bytes, None if it cannot be asked that.

        A released archive (2.7.2) ignores the checksum and lists versions at large. If none
        of those match, nothing can be said. The token needs the staff right.

        Parameters
        ----------
        md5 : str
            Hexadecimal digest of the file.
        """
        wanted = checked_md5(md5)
        rows = self._repeat(lambda: versions_with(self._transport, wanted, limit=2))
        if any(row.version.md5.lower() == wanted for row in rows):
            return True
        return None if rows else False

    def observation_types(self) -> frozenset[str]:
        """Return the observation types that the archive takes; asked once per client.

        Raises
        ------
        ArchiveRefusedError
            Also if the token lacks the superuser right, for the archive tells no others.
        """
        with self._obstypes_lock:
            if self._obstypes is None:
                self._obstypes = self._repeat(
                    lambda: observation_types_at(self._transport, has_token=self._has_token)
                )
            return self._obstypes

    def create_frame(
        self, record: Mapping[str, Any], *, version_key: str, md5: str, extension: str
    ) -> ArchiveFrame:
        """Register one version of a frame, and return the frame as the archive has it.

        A version with the same md5 under the same basename is no error: the frame is
        returned, and its ``version_with(md5).version_key`` tells whose version it is.

        Parameters
        ----------
        record : mapping
            The frame in the archive's words, with its headers, without its version.
        version_key : str
            What the file store calls the version, 1 to 32 characters.
        md5 : str
            Hexadecimal digest of the file.
        extension : str
            With its dot.

        Raises
        ------
        VersionExistsError
            If another basename has the same bytes.
        ArchiveRefusedError
            Also if the record is refused, or if it is not sent, as it could not be taken.
        ArchiveUnavailableError
            If it is not known whether the archive took it. To call again is safe.
        """
        wanted = checked_md5(md5)
        try:
            body = encoded_record(record, version_key=version_key, md5=wanted, extension=extension)
        except ArchiveRefusedError as error:
            error.nothing_taken = True
            raise
        registration = Registration(
            self._transport,
            body,
            basename=record["basename"],
            version_key=version_key,
            md5=wanted,
        )
        try:
            return self._repeat(registration.attempt)
        except NotShownError as error:
            failure = VersionExistsError(str(error), nothing_taken=error.nothing_taken)
        raise failure

    def download(
        self, frame: ArchiveFrame, md5: str, sink: BinaryIO, *, size: int | None = None
    ) -> ContentDigest:
        """Write one version of a frame to a file, and return the digest of what was written.

        No credentials are sent with it. The frame should come fresh from `frame`; where its
        address has expired a new one is asked for.

        Parameters
        ----------
        frame : ArchiveFrame
            The frame.
        md5 : str
            Hexadecimal digest of the version; not always the newest.
        sink : binary file
            Written from its start. A download that breaks off goes on where it was, if the
            server vouches for that; else the sink is emptied and it starts over. After an
            error it may hold part of a file.
        size : int, optional
            Length of the version, in bytes, where it is known: an answer that goes on is not
            read to its end.

        Raises
        ------
        StoredFileNotFoundError
            If the frame has no such version, or its file was superseded or moved.
        ChecksumMismatchError
            If other bytes came.
        """
        job = Download(
            self._transport,
            lambda frame_id: frame_with_id(self._transport, frame_id),
            frame,
            checked_md5(md5),
            sink,
            size,
        )
        try:
            return self._repeat(job.attempt)
        except CutShortError as error:
            failure = ChecksumMismatchError(str(error))
        raise failure

    def health(self) -> None:
        """Return if the archive answers that it is well."""
        self.clock_skew_s()

    def clock_skew_s(self) -> float | None:
        """Return by how many seconds our clock is ahead of the archive's, None if it is silent.

        Signed addresses fail where clocks differ by minutes. The answer carries whole
        seconds, and the time that it took.
        """
        date = self._repeat(lambda: well_at(self._transport))
        return None if date is None else (datetime.now(UTC) - date).total_seconds()

    def _repeat(self, ask: Callable[[], _T]) -> _T:
        return repeated(self._retrying, ask)

    def _known_id(self, frame_id: int) -> int:
        number = checked_frame_id(frame_id)
        if number is None:
            raise FrameNotFoundError(no_such_frame(frame_id, self.root))
        return number
