"""What is found in a file store when it is looked through, whether anybody knows of it or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """A whole file that a store keeps: one version of a key.

    Attributes
    ----------
    key : str
        Slash path inside the store.
    size : int
        Length in bytes.
    modified : datetime
        When it was written, by the store's clock, UTC.
    version_key : str or None
        What the store calls this version; None where only its bytes would tell.
    sha256 : str or None
        Lower-case hexadecimal digest, where the store names the version by it.
    """

    key: str
    size: int
    modified: datetime
    version_key: str | None = None
    sha256: str | None = None


class LeftoverKind(StrEnum):
    """What a killed upload may leave that is no whole file."""

    PART_FILE = "part file"
    UPLOAD = "unfinished upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What somebody began to write and has not finished; whether they live is not always seen.

    Attributes
    ----------
    kind : LeftoverKind
        What it is.
    key : str
        What it was to become; empty where it was to become no version.
    name : str
        What the store calls it.
    began : datetime
        When it was begun, by the store's clock, UTC.
    """

    kind: LeftoverKind
    key: str
    name: str
    began: datetime
