"""The Science Archive's HTTP interface, asked so that no answer can mislead.

The archive is the shared service that numbers frames. It is asked by frame ID, by exact
basename, or by checksum, and told of new frames; what it answers is checked before anything
is believed, because a count may be an estimate, a filter may be ignored, a success may
store nothing, and a failure may have stored everything.

Nothing here needs a database: an `ArchiveClient` can be used alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from calrecords.archive.client import ArchiveClient
    from calrecords.archive.models import ArchiveFrame, ArchiveVersion
    from calrecords.archive.policy import default_retrying
    from calrecords.archive.portal import ObservationPortal

__all__ = [
    "ArchiveClient",
    "ArchiveFrame",
    "ArchiveVersion",
    "ObservationPortal",
    "default_retrying",
]

_HOMES = {
    "ArchiveClient": "calrecords.archive.client",
    "ArchiveFrame": "calrecords.archive.models",
    "ArchiveVersion": "calrecords.archive.models",
    "ObservationPortal": "calrecords.archive.portal",
    "default_retrying": "calrecords.archive.policy",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
