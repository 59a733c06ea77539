"""The word that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str]) -> str:
    """Return a question about the known name that is nearest, or nothing."""
    by_fold = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.6)
    return f"; did you mean {by_fold[near[0]]!r}?" if near else ""
