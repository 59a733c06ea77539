"""Objects that must not share connections or locks with the process that they came from.

A forked child inherits open sockets, and locks that other threads held: what it then reads
may be another process's answer, and what it waits for may never come.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class StartsAnew(Protocol):
    """Has connections or locks of its own to make."""

    def start_anew(self) -> None:
        """Drop what came from the parent process, and make one's own when it is needed."""


_objects: weakref.WeakSet[StartsAnew] = weakref.WeakSet()


def start_anew_after_fork(one: StartsAnew) -> None:
    """Have an object start anew in every child that this process forks, while it lives."""
    _objects.add(one)


def _in_child() -> None:
    for one in list(_objects):
        one.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
