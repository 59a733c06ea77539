"""Rows as text and as HTML, and the words for ages and times that both have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from calrecords.selection.reasons import value_text

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


def text_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Return rows under their columns as lines of text, as wide as they need."""
    cells = [[cell_text(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (list(columns), ["-" * width for width in widths], *cells)
    ]


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows under their columns as an HTML table; whatever they hold is escaped.

    Words are on the left, numbers and ages on the right, and what is one word or one age is
    in one line.
    """
    cells = [list(row) for row in rows]
    sides = [_side(row[at] for row in cells) for at in range(len(columns))]

    def line(tag: str, values: Sequence[Any]) -> str:
        made = (_html_cell(tag, value, side) for value, side in zip(values, sides, strict=True))
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line("td", row) for row in cells)
    return f"<table><thead>{line('th', columns)}</thead><tbody>{body}</tbody></table>"


def _side(values: Iterable[Any]) -> str:
    """Return on which side the values of a column are."""
    given = [value for value in values if value not in (None, "")]
    is_size = all(
        isinstance(value, int | float | timedelta) and not isinstance(value, bool)
        for value in given
    )
    return "right" if given and is_size else "left"


def _html_cell(tag: str, value: Any, side: str) -> str:
    text = cell_text(value)
    wraps = "" if " " in text and not isinstance(value, timedelta) else "; white-space: nowrap"
    return f'<{tag} style="text-align: {side}{wraps}">{escape(text)}</{tag}>'


def html_lines(lines: Iterable[str]) -> str:
    """Return lines of text as HTML paragraphs, escaped."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def cell_text(value: Any) -> str:
    """Return a value for people; nothing is empty."""
    if isinstance(value, timedelta):
        return age_text(value)
    return str(value) if isinstance(value, bool | int) else value_text(value)


def age_text(age: timedelta) -> str:
    """Return how far away in time something is; negative is before."""
    return f"{age / _DAY:+.2f} d" if abs(age) >= _DAY else f"{age / _HOUR:+.2f} h"


def time_text(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 text in UTC; None stays None."""
    return None if moment is None else value_text(moment)
