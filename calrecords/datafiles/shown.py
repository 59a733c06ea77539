"""Values from inside a file, as messages show them."""

from __future__ import annotations

_LONGEST = 100


def shown(value: object) -> str:
    """Return a value as a message may show it: printable, and cut where it is long.

    A header can hold a text of a megabyte, and an archive names with anything in them.

    Examples
    --------
    >>> shown("BIAS")
    "'BIAS'"
    """
    try:
        quoted = repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return "a number of thousands of digits"
    return quoted if len(quoted) <= _LONGEST else quoted[:_LONGEST] + "..."
