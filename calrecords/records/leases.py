"""Who is at work on an ingestion: leases that end with their time, or with their process."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

LEASE = timedelta(seconds=60)
"""How long a claim holds when it is not renewed; clocks of hosts may differ by less."""


def new_owner() -> str:
    """Return a name for one claim: where its process runs, which it is, and a number."""
    return f"{_this_process(os.getpid())}|{uuid.uuid4().hex}"


@lru_cache(maxsize=1)
def _this_process(pid: int) -> str:
    return f"{_where()}|{pid}|{_started(pid)}"


def is_held(owner: str | None, until: datetime | None, lease: timedelta = LEASE) -> bool:
    """Return whether a claim holds now: its time is not over, and its process has not ended.

    One that would hold longer than any can was made by a clock that ran ahead. It holds as long
    as its process is seen to live; else nobody could take over from a host that went down with
    such a clock until that time has come.

    Parameters
    ----------
    owner : str or None
        Whose claim it is, as `new_owner` names it; None where nobody has one.
    until : datetime or None
        When it ends, by the clock of its host.
    lease : timedelta, optional
        How long such claims hold when they are not renewed.
    """
    if owner is None or until is None or is_gone(owner):
        return False
    left = until - datetime.now(UTC)
    longest = lease + LEASE
    return timedelta() < left <= (timedelta.max if _is_here(owner) else longest)


def _is_here(owner: str) -> bool:
    """Return whether we could see the process that made a claim."""
    return owner.partition("|")[0] == _where()


def is_gone(owner: str) -> bool:
    """Return whether the process that made a claim has surely ended.

    Only processes that we can see can be judged; of others the lease must run out.
    """
    where, _, rest = owner.partition("|")
    pid, _, rest = rest.partition("|")
    started = rest.partition("|")[0]
    if where != _where() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass  # another user's, but there
    return started != "" and _started(int(pid)) not in {"", started}


def _where() -> str:
    """Return a name for this host, as long as it runs, and for what processes we can see.

    Containers can share a host's name without seeing each other's processes.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        seen = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        boot = seen = ""
    return f"{socket.gethostname()}:{boot}:{seen}"


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks, so that a number used again is told apart.

    Empty where the system does not say; ``ended`` for a process that nobody waited for.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if fields[0] not in {"Z", "X"} else "ended"
