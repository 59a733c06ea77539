"""What a key inside a file store may look like; the only place that decides it."""

from __future__ import annotations

import re

from calrecords.errors import UnsafeKeyError

MAX_KEY_BYTES = 1024
"""Longest key, in bytes; S3 allows no more."""

MAX_PART_BYTES = 255
"""Longest part between two slashes, in bytes; usual file systems allow no more."""

_PART = re.compile(r"[A-Za-z0-9_+=@:,-][A-Za-z0-9._+=@:,-]*")


def check_key(key: str) -> str:
    """Return the key, if every store can hold it and none is led astray by it.

    A key is a relative slash path. Each part is made of ASCII letters, digits and
    ``._+=@:,-`` and does not begin with a dot, so that none can climb out of a store
    or reach the folder ``.calrecords`` in which a store keeps its own things.

    Raises
    ------
    UnsafeKeyError
        If a part is empty, begins with a dot or holds another character, or the key or a
        part is too long.

    Examples
    --------
    >>> check_key("cpt/kb70/20260101/raw/bias_bin1x1.fits.fz")
    'cpt/kb70/20260101/raw/bias_bin1x1.fits.fz'
    """
    if not isinstance(key, str) or len(key) > MAX_KEY_BYTES:
        msg = f"a store key is a text of at most {MAX_KEY_BYTES} characters, not {key!r:.80}"
        raise UnsafeKeyError(msg)
    for part in key.split("/"):
        if _PART.fullmatch(part) is None or len(part) > MAX_PART_BYTES:
            msg = (
                f"{key!r} cannot be a store key because of its part {part!r:.80}; parts between "
                f"slashes have 1 to {MAX_PART_BYTES} of the characters A-Z a-z 0-9 . _ + = @ : , - "
                "and do not begin with a dot; mend the header keywords or the name it is made of"
            )
            raise UnsafeKeyError(msg)
    return key


def is_key(key: str) -> bool:
    """Return whether every store can hold a key; see `check_key`."""
    try:
        check_key(key)
    except UnsafeKeyError:
        return False
    return True
