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
    """Return rows under their columns as an HTML table; whatever they hold is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell_text(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
