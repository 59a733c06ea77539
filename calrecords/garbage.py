"""Work in bulk without the search for garbage, which would look at all that lives, again and again.

The interpreter looks for cycles whenever enough new objects live. Work that makes many of them,
none of them garbage, spends up to two fifths of its time on that; what is not in a cycle is
freed at once all the same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_search() -> Iterator[None]:
    """Put off the search for cycles until the block ends.

    For a bounded piece of work only, since cycles that it leaves wait until then. Where several
    threads do this at once, the first that ends lets the search go on for all.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
