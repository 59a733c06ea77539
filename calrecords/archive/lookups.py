"""Single questions to the archive, each answered or failed once; the client repeats them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from calrecords.archive.answers import Answer, raise_for
from calrecords.archive.models import ArchiveFrame, ArchiveVersion, parse_frame, parse_version
from calrecords.archive.transport import Transport
from calrecords.errors import ArchiveRefusedError, FrameNotFoundError
from calrecords.vocabulary import split_filename

TO_READ = "the right to read this"
TO_POST = "the superuser right, without which the archive takes no frames"
TO_LIST_VERSIONS = "the staff right, without which the archive lists no versions"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A row of the archive's list of versions, which never names the frame itself.

    Attributes
    ----------
    version : ArchiveVersion
        The version.
    basename : str or None
        The frame's basename as the file's address has it; None where it cannot be read.
    """

    version: ArchiveVersion
    basename: str | None


def get(
    transport: Transport,
    path: str,
    params: Mapping[str, str | list[str]] | None = None,
    *,
    right: str,
) -> Answer:
    """Return the answer to a GET that succeeded.

    Raises
    ------
    CalRecordsError
        As `raise_for` and `Transport.request` say.
    """
    answer = transport.request("GET", path, params=params)
    if answer.status != 200:
        raise_for(answer, right=right)
    return answer


def frame_part(transport: Transport, frame_id: int, part: str = "") -> Answer:
    """Return the answer about one frame.

    Raises
    ------
    FrameNotFoundError
        If the archive itself says that it has no such frame. A page in its place, as
        another server answers under a wrong root, is an `ArchiveRefusedError`.
    """
    answer = transport.request("GET", f"frames/{frame_id}/{part}")
    if answer.status == 404 and answer.is_from_api:
        raise FrameNotFoundError(no_such_frame(frame_id, transport.root))
    if answer.status != 200:
        raise_for(answer, right=TO_READ)
    return answer


def no_such_frame(frame_id: int, root: str) -> str:
    """Return what to say of a frame ID that the archive does not know."""
    return (
        f"GET {root}frames/{frame_id}/: no such frame. It may be hidden from this token, or be "
        "a placeholder: a frame that others name as related, and that was never ingested"
    )


def frame_with_id(transport: Transport, frame_id: int) -> ArchiveFrame:
    """Return the frame with this ID.

    Raises
    ------
    FrameNotFoundError
        If there is none.
    ArchiveUnavailableError
        Also if another frame came back.
    """
    answer = frame_part(transport, frame_id)
    frame = parsed(answer, parse_frame)
    if frame.frame_id != frame_id:
        raise answer.broken(f"it describes frame {frame.frame_id}, not {frame_id}")
    return frame


def frame_named(transport: Transport, basename: str) -> ArchiveFrame | None:
    """Return the frame with this basename, None if the archive has none.

    Raises
    ------
    ArchiveRefusedError
        If frames came back of which none has this basename: a server that ignores the
        filter, of which nobody can say what it does not have.
    """
    answer = get(transport, "frames/", {"basename_exact": basename}, right=TO_READ)
    rows = results(answer)
    for row in rows:
        if isinstance(row, Mapping) and row.get("basename") == basename:
            return understood(answer, parse_frame, row)
    if rows:
        msg = (
            f"{answer.call} was asked for basename_exact={basename!r} and answered other frames; "
            "the server does not filter. Does API_ROOT name a Science Archive?"
        )
        raise ArchiveRefusedError(msg, status=answer.status)
    return None


def versions_with(transport: Transport, md5: str, *, limit: int) -> list[VersionRow]:
    """Return the versions that the archive lists for a checksum, matching or not.

    A released archive (2.7.2) ignores the checksum and lists its newest versions.

    Parameters
    ----------
    transport : Transport
        Where to ask.
    md5 : str
        Lower-case hexadecimal digest.
    limit : int
        Most rows to list.
    """
    params: dict[str, str | list[str]] = {"md5": md5, "limit": str(limit)}
    answer = get(transport, "versions/", params, right=TO_LIST_VERSIONS)
    versions = [understood(answer, parse_version, row) for row in results(answer)]
    return [VersionRow(v, _basename_in(v.url)) for v in versions]


def frames_related_to(transport: Transport, frame_id: int) -> list[ArchiveFrame]:
    """Return the frames that the archive relates to one, placeholders left out.

    Raises
    ------
    FrameNotFoundError
        If there is no frame with this ID.
    """
    answer = frame_part(transport, frame_id, "related/")
    rows = parsed(answer, _list)
    return [understood(answer, parse_frame, row) for row in rows]


def header_of(transport: Transport, frame_id: int) -> dict[str, Any]:
    """Return the header values that the archive keeps of a frame's newest version.

    Raises
    ------
    FrameNotFoundError
        If there is no frame with this ID.
    """
    return parsed(frame_part(transport, frame_id, "headers/"), _header_values)


def observation_types_at(transport: Transport, *, has_token: bool) -> frozenset[str]:
    """Return the observation types that the archive takes.

    Raises
    ------
    ArchiveRefusedError
        Also if the token lacks the superuser right, for the archive tells no others.
    """
    answer = transport.request("OPTIONS", "frames/")
    if answer.status != 200:
        raise_for(answer, right=TO_POST)
    types = parsed(answer, _observation_types)
    if types is None:
        whose = "the token in AUTH_TOKEN" if has_token else "AUTH_TOKEN is not set, and it"
        msg = (
            f"{answer.call}: the archive does not tell us which observation types it takes; "
            f"{whose} needs {TO_POST}"
        )
        raise ArchiveRefusedError(msg, status=403)  # as it would answer a POST
    return types


def well_at(transport: Transport) -> datetime | None:
    """Return when the archive said that it is well, by its own clock, UTC.

    Raises
    ------
    ArchiveUnavailableError
        Also if it says anything else.
    """
    answer = get(transport, "health/", right=TO_READ)
    if answer.json() != "ok":
        raise answer.broken("its health is not 'ok'")
    return answer.date


def results(answer: Answer) -> list[Any]:
    """Return the rows of a page; its count and its next page are estimates, and unused.

    Raises
    ------
    ArchiveUnavailableError
        If the answer is no page.
    """

    def rows(data: Any) -> list[Any]:
        found = data.get("results") if isinstance(data, Mapping) else None
        if not isinstance(found, list):
            msg = "a page has no list of results"
            raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault
        return found

    return parsed(answer, rows)


def parsed(answer: Answer, parse: Callable[[Any], _T]) -> _T:
    """Return what a parser makes of an answer's JSON.

    Raises
    ------
    ArchiveUnavailableError
        If it is no JSON, or the parser says ValueError.
    """
    return understood(answer, parse, answer.json())


def understood(answer: Answer, parse: Callable[[Any], _T], data: Any) -> _T:
    """Return what a parser makes of a part of an answer's JSON.

    Raises
    ------
    ArchiveUnavailableError
        If the parser says ValueError.
    """
    try:
        return parse(data)
    except ValueError as error:
        failure = answer.broken(error)
    raise failure


def _basename_in(url: str | None) -> str | None:
    if not url:
        return None
    name = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    return split_filename(name)[0] or None


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        msg = "a list of frames was due"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault
    return data


def _observation_types(data: Any) -> frozenset[str] | None:
    if not isinstance(data, Mapping):
        msg = "a description should be a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault
    actions = data.get("actions")
    if not isinstance(actions, Mapping) or "POST" not in actions:
        return None
    try:
        choices = actions["POST"]["configuration_type"]["choices"]
        return frozenset(str(choice["value"]) for choice in choices)
    except (KeyError, TypeError, IndexError):
        msg = "it does not list the choices of 'configuration_type'"
        raise ValueError(msg) from None


def _header_values(data: Any) -> dict[str, Any]:
    values = data.get("data") if isinstance(data, Mapping) else None
    if not isinstance(values, Mapping):
        msg = "'data' should be a JSON object"
        raise ValueError(msg)  # noqa: TRY004 - the answer's value is at fault
    return dict(values)
