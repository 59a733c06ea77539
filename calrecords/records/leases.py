"""Who is at work on an ingestion: leases that end with their time, or with their process."""

from __future__ import annotations

import os
import socket
import uuid
from datetime import timedelta
from pathlib import Path

LEASE = timedelta(seconds=60)
"""How long a claim holds when it is not renewed; clocks of hosts may differ by less."""


def new_owner() -> str:
    """Return a name for one claim: host, process, start of the process, and a number."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}:{_started(pid)}:{uuid.uuid4().hex}"


def is_gone(owner: str) -> bool:
    """Return whether the process that made a claim has surely ended.

    Only processes of this host can be judged; of another host's the lease must run out.
    """
    host, pid, started, _ = owner.rsplit(":", 3)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(pid)) != started


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks, so that a number used again is told apart."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if fields[0] not in {"Z", "X"} else "ended"
