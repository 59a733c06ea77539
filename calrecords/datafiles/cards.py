"""The 80-character cards of a FITS header, as plain Python values.

Follows section 4 of the FITS Standard 4.0 (fixed and free format), with the two common
conventions for long strings (``CONTINUE``) and long keywords (``HIERARCH``).
Written for bulk reading: a header of 500 cards takes about a millisecond.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

CARD_BYTES = 80
"""Length of a card, in bytes."""

HeaderValue: TypeAlias = bool | int | float | str | None

_VALUE_INDICATOR = "= "
_COMMENTARY = frozenset({"", "COMMENT", "HISTORY", "CONTINUE"})
_STRING = re.compile(r" *'((?:[^']|'')*)'")
_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[EDed][+-]?\d+)?")
_SIMPLE = re.compile(
    r"(?=[^=]{8}=)(?!COMMENT |HISTORY |CONTINUE)([A-Z0-9_-]{1,8}) *= +"
    r"(?:'([^'&]*)'|([+-]?\d{1,18}|[TF])(?=[ /]|$)) *(?:/.*)?"
)
"""A card as most are: a text without quotes or ampersands in it, a whole number, T or F."""

_NOT_A_NUMBER = frozenset({"NAN", "INF", "-INF", "+INF", "INFINITY", "-INFINITY", "+INFINITY"})


@dataclass(frozen=True, slots=True)
class UnreadableValue:
    """A value that is in no form of the FITS Standard.

    Attributes
    ----------
    text : str
        What the card has in place of a value.
    """

    text: str


def read_cards(text: str) -> dict[str, HeaderValue | UnreadableValue]:
    """Return what the cards of one header say, the first card of a keyword winning.

    Comments, ``HISTORY`` and blank cards are left out, as they carry no value. An undefined
    value, a NaN and an infinity are None, since JSON has none of them; a complex number
    stays text. A value that cannot be read is an `UnreadableValue`, for the caller to
    refuse where it matters.

    Parameters
    ----------
    text : str
        Whole cards, without the one that says END.
    """
    header: dict[str, HeaderValue | UnreadableValue] = {}
    for start in range(0, len(text), CARD_BYTES):
        card = text[start : start + CARD_BYTES]
        if simple := _SIMPLE.fullmatch(card):
            keyword, words, token = simple.groups()
            if keyword not in header:
                header[keyword] = words.rstrip() if token is None else _read_token(token)
            continue
        keyword = card[:8].rstrip().upper()
        if keyword in _COMMENTARY:
            continue
        if card[8:10] == _VALUE_INDICATOR:
            field = card[10:]
        elif keyword == "HIERARCH" and "=" in card:
            name, _, field = card[8:].partition("=")
            keyword = name.strip().upper()
        else:
            field = f"'{card[8:].rstrip().replace(chr(39), chr(39) * 2)}'"
        if keyword in header:
            continue
        value = read_value(field)
        if isinstance(value, str) and value.endswith("&"):
            value = _continued(value, text, start + CARD_BYTES)
        header[keyword] = value
    return header


def _read_token(token: str) -> bool | int:
    return token == "T" if token in {"T", "F"} else int(token)


def _continued(begun: str, text: str, start: int) -> str:
    """Return a text with what the CONTINUE cards from a place on add to it."""
    parts = []
    while begun.endswith("&") and text[start : start + 8].upper() == "CONTINUE":
        added = read_value(text[start + 8 : start + CARD_BYTES])
        if not isinstance(added, str):
            break
        parts.append(begun[:-1])
        begun, start = added, start + CARD_BYTES
    return "".join([*parts, begun])


def read_value(field: str) -> HeaderValue | UnreadableValue:
    """Return what the value field of a card means, its comment dropped.

    Examples
    --------
    >>> read_value("                   T / conforms")
    True
    >>> read_value("'It''s   ' / text")
    "It's"
    >>> read_value(" 1.5D3")
    1500.0
    """
    string = _STRING.match(field)
    if string is not None:
        return string[1].rstrip().replace("''", "'")
    text = field.partition("/")[0].strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return _finite(float(text.upper().replace("D", "E")))
    if text in {"T", "F"}:
        return text == "T"
    if not text or text.upper() in _NOT_A_NUMBER:
        return None
    return text if text.startswith("(") and text.endswith(")") else UnreadableValue(text)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
