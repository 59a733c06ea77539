"""Who is at work on an ingestion: leases that end with their time, or with their process."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import timedelta
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
