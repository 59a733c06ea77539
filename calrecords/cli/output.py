"""How results are printed: JSON for programs, text for people."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from calrecords.frames import CalibrationFrame
    from calrecords.workflows.results import IngestResult


_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What steers a terminal, or no encoding has: file names and archives can hold it."""


def harmless(text: str) -> str:
    """Return a text with escapes for what would steer a terminal, or could not be printed."""
    return _STEERING.sub(lambda found: ascii(found.group())[1:-1], text)


def say(text: object = "", *, err: bool = False) -> None:
    """Print a line, or several, for people."""
    click.echo(harmless(str(text)), err=err)


def print_json(document: Any) -> None:
    """Print a JSON document; times are ISO 8601, UTC."""
    document = plain(document)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # bytes of a file name that are no text, or a narrow terminal
        text = json.dumps(document, indent=2)
    click.echo(text)


def plain(value: Any) -> Any:
    """Return values that JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        if names == ["x", "y"]:
            return str(value)
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, BaseException):
        return {"error": type(value).__name__, "message": str(value)}
    if value is None or isinstance(value, bool | int | float):
        return value
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def describe_frame(frame: CalibrationFrame) -> dict[str, Any]:
    """Return a frame as plain values, with its file name."""
    return {"filename": frame.filename, **plain(frame)}


def describe_result(result: IngestResult) -> dict[str, Any]:
    """Return the outcome of an ingestion as plain values."""
    return {
        "path": result.path,
        "outcome": str(result.outcome),
        "frame_id": result.frame_id,
        "frame": None if result.frame is None else describe_frame(result.frame),
        "error": plain(result.error),
    }


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under their columns, as wide as they need; empty for what is not known."""
    cells = [["" if value is None else str(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
    for row in (list(columns), ["-" * width for width in widths], *cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say(line.rstrip())


def show_table(table: Any, *, hidden: Sequence[str] = (), as_json: bool) -> None:
    """Print an astropy Table: as JSON whole, else without the columns that are hidden."""
    rows = table_rows(table)
    if as_json:
        print_json(rows)
        return
    shown = [name for name in table.colnames if name not in hidden]
    print_table(shown, [[row[name] for name in shown] for row in rows])


def table_rows(table: Any) -> list[dict[str, Any]]:
    """Return the rows of an astropy Table as plain values; None where they are masked."""
    columns = [table[name].tolist() for name in table.colnames]
    return [dict(zip(table.colnames, row, strict=True)) for row in zip(*columns, strict=True)]


@contextmanager
def progress(meaning: str, total: int) -> Iterator[Advance]:
    """Show a progress bar on the terminal while several things are done."""
    if total < 2 or not sys.stderr.isatty():
        yield Advance(None, None)
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        yield Advance(bar, bar.add_task(meaning, total=total))


class Advance:
    """Moves a progress bar on, where there is one."""

    def __init__(self, bar: Progress | None, task: Any) -> None:
        self._bar = bar
        self._task = task

    def __call__(self) -> None:
        """Say that one more thing is done."""
        if self._bar is not None:
            self._bar.advance(self._task)
