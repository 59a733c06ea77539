"""Which file system a file is on, and whether other machines share it."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""Where Linux lists what is mounted [1]_.

References
----------
.. [1] proc_pid_mountinfo(5).
"""

_NETWORK = frozenset(
    {
        *("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2"),
        *("smb3", "smbfs", "vboxsf", "virtiofs", "wekafs"),
    }
)
_LOCAL_FUSE = frozenset(
    {
        *("bindfs", "encfs", "fuse-overlayfs", "gocryptfs", "lxcfs", "mergerfs", "ntfs-3g"),
        *("unionfs", "unionfs-fuse"),
    }
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the type of the file system that a file is on, or would be on.

    Parameters
    ----------
    path : Path
        The file; it need not be there.
    mounts : Path, optional
        What lists the mounted file systems.

    Returns
    -------
    str or None
        Such as ``ext4`` or ``nfs4``; None where this cannot be told.
    """
    try:
        place = path.expanduser().resolve()
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except (OSError, RuntimeError):
        return None
    found, depth = None, 0
    for point, kind in filter(None, map(_mount, lines)):
        # of two on one point the later one hides the other
        if place.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def is_network(kind: str) -> bool:
    """Return whether a type of file system is one that machines share over a network.

    Examples
    --------
    >>> is_network("nfs4"), is_network("fuse.sshfs"), is_network("ext4")
    (True, True, False)
    """
    family, _, of_fuse = kind.partition(".")
    if family == "fuse":
        return bool(of_fuse) and of_fuse not in _LOCAL_FUSE
    return kind in _NETWORK


def _mount(line: str) -> tuple[Path, str] | None:
    """Return the mount point and the type of a line."""
    before, separator, after = line.partition(" - ")
    fields, kinds = before.split(" "), after.split(" ")
    if not separator or len(fields) < 5:
        return None
    return Path(_ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])), kinds[0]
