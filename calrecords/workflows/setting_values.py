"""From the text of a setting to its value."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from typing import Any

_SIZE = re.compile(r"(?P<number>\d+(\.\d*)?)\s*((?P<unit>[kmgtp])(?P<binary>i)?)?b?", re.IGNORECASE)


def read_text(value: Any) -> str:
    """Return text without blanks around it."""
    return str(value).strip()


def read_flag(value: Any) -> bool:
    """Return whether a value says yes.

    Raises
    ------
    ValueError
        If it says neither yes nor no.
    """
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    msg = "write true or false"
    raise ValueError(msg)


def read_seconds(value: Any) -> float:
    """Return a number of seconds.

    Raises
    ------
    ValueError
        If it is none, or below 0.
    """
    seconds = float(value)
    if not 0 <= seconds < math.inf:
        msg = "write a number of seconds, 0 or more"
        raise ValueError(msg)
    return seconds


def parse_size(value: Any) -> int:
    """Return a number of bytes, from a number or from text such as ``50GB`` or ``1.5 TiB``.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> parse_size("50GB"), parse_size("1 KiB"), parse_size("none")
    (50000000000, 1024, 0)
    """
    text = str(value).strip()
    match = _SIZE.fullmatch(text)
    if match is None:
        if text.lower() in {"", "none"}:
            return 0
        msg = "write a size such as 50GB, or 0 for no limit"
        raise ValueError(msg)
    step = 1024 if match["binary"] else 1000
    power = " kmgtp".index((match["unit"] or " ").lower())
    return int(float(match["number"]) * step**power)


def read_words(value: Any) -> tuple[str, ...]:
    """Return a list, from text with commas; blanks are dropped, as the archive drops them."""
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(word for part in parts if (word := str(part).replace(" ", "")))


def read_class_names(value: Any) -> dict[str, str]:
    """Return names of classes by extension, from a mapping or from the text of one.

    Raises
    ------
    ValueError
        If it is none.
    """
    names = ast.literal_eval(value) if isinstance(value, str) else value
    if not isinstance(names, Mapping):
        msg = "write a mapping such as {'.fits': 'package.module.Class'}"
        raise ValueError(msg)  # noqa: TRY004 - a setting's value is at fault
    return {str(extension): str(name) for extension, name in names.items()}
