"""What an audit is asked: which frames, how closely, and which parts of the whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from calrecords.errors import ConfigurationError
from calrecords.records import AuditScope
from calrecords.vocabulary import canonical_obstype, parse_time

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d*)?)\s*(?P<unit>[smhd]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SCOPE = tuple(one.name for one in fields(AuditScope))


class AuditDepth(StrEnum):
    """How closely files are looked at."""

    QUICK = "quick"
    FULL = "full"


class AuditPart(StrEnum):
    """What is compared with what, in the order in which it is."""

    JOURNAL = "journal"
    ARCHIVE = "archive"
    STORE = "store"
    OBJECTS = "objects"
    CACHE = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuestion:
    """What is asked.

    Attributes
    ----------
    scope : AuditScope
        Which frames.
    depth : AuditDepth
        Quick looks at sizes and what stores say of checksums; full reads every byte.
    parts : tuple of AuditPart
        What is compared.
    ours : bool
        Whether all in the scope is this database's, so that what it does not know is a fault.
    store, archive, cache : str
        What it is compared with.
    """

    scope: AuditScope = field(default_factory=AuditScope)
    depth: AuditDepth = AuditDepth.QUICK
    parts: tuple[AuditPart, ...] = tuple(AuditPart)
    ours: bool = False
    store: str = ""
    archive: str = ""
    cache: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            **{name: _plain(getattr(self.scope, name)) for name in _SCOPE},
            "depth": str(self.depth),
            "parts": [str(part) for part in self.parts],
            "ours": self.ours,
            "store": self.store,
            "archive": self.archive,
            "cache": self.cache if AuditPart.CACHE in self.parts else "",
        }

    def text(self) -> str:
        """Return it in its one spelling."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> AuditQuestion:
        """Return what a text of `text` asks."""
        said = json.loads(text)
        scope = {name: said.pop(name) for name in _SCOPE}
        for name in ("since", "until"):
            scope[name] = _time(name, scope[name])
        said["depth"] = AuditDepth(said["depth"])
        said["parts"] = tuple(AuditPart(part) for part in said["parts"])
        return cls(scope=AuditScope(**scope), **said)


def make_question(
    *,
    depth: str = AuditDepth.QUICK,
    site: str | None = None,
    camera: str | None = None,
    obstype: str | None = None,
    since: Any = None,
    until: Any = None,
    ours: bool = False,
    parts: Iterable[str] | None = None,
    **places: str,
) -> AuditQuestion:
    """Return a question from what a caller gives.

    Raises
    ------
    ConfigurationError
        If a value cannot be used.
    """
    scope = AuditScope(
        site=site,
        camera=camera,
        obstype=None if obstype is None else canonical_obstype(obstype),
        since=_time("since", since),
        until=_time("until", until),
    )
    wanted = list(AuditPart) if parts is None else [_word(AuditPart, "parts", one) for one in parts]
    return AuditQuestion(
        scope=scope,
        depth=_word(AuditDepth, "depth", depth),
        parts=tuple(part for part in AuditPart if part in wanted),
        ours=ours,
        **places,
    )


def seconds_of(name: str, value: Any) -> float | None:
    """Return a duration in seconds, from a number, a timedelta, or text such as ``30m``.

    Units are s, m, h and d; None stays None.

    Raises
    ------
    ConfigurationError
        If it is none.

    Examples
    --------
    >>> seconds_of("time_limit", "30m"), seconds_of("time_limit", 1.5)
    (1800.0, 1.5)
    """
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    match = None if isinstance(value, bool) else _DURATION.fullmatch(str(value).strip())
    if match is None:
        msg = f"{name}={value!r}: write seconds, or a duration such as 90s, 30m, 2h or 1d"
        raise ConfigurationError(msg)
    return float(match["number"]) * _SECONDS[match["unit"].lower()]


def _time(name: str, value: Any) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except (TypeError, ValueError) as error:
        msg = f"{name}={value!r}: {error}"
        raise ConfigurationError(msg) from None


def _word(words: Any, name: str, value: Any) -> Any:
    try:
        return words(str(value))
    except ValueError:
        known = ", ".join(words)
        msg = f"{name}={value!r}: write {known}"
        raise ConfigurationError(msg) from None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
