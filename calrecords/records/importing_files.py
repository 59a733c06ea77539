"""Rows of an import from a file: JSON lines or CSV, one row at a time."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from calrecords.errors import (
    ConfigurationError,
    DataFileNotFoundError,
    InvalidRecordError,
)
from calrecords.records.importing_words import BadRowError, demand_words

LONGEST_LINE = 1 << 20
"""Bytes of a line; whatever is longer is no record."""

_SQLITE = b"SQLite format 3\0"
_ATTRIBUTE = "attributes."
_BOM = b"\xef\xbb\xbf"


class FileFormat(StrEnum):
    """How the rows of a file are written."""

    JSON_LINES = "jsonl"
    CSV = "csv"
    BANZAI = "banzai"


_SUFFIXES = {
    ".jsonl": FileFormat.JSON_LINES,
    ".ndjson": FileFormat.JSON_LINES,
    ".json": FileFormat.JSON_LINES,
    ".csv": FileFormat.CSV,
}


def format_of(path: Path) -> FileFormat:
    """Return how a file is written, by its name, or as a SQLite file by its content.

    Raises
    ------
    ConfigurationError
        If neither tells.
    DataFileNotFoundError
        If there is no such file.
    """
    with _opened(path) as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            return FileFormat.BANZAI
    found = _SUFFIXES.get(path.suffix.lower())
    if found is None:
        known = ", ".join(sorted(_SUFFIXES))
        msg = f"{path}: is it JSON lines or CSV? Name it so ({known}), or say which format it has"
        raise ConfigurationError(msg)
    return found


def read_file(path: Path, file_format: FileFormat) -> Generator[tuple[int, Any], None, None]:
    """Yield the number of each line, and its row or a `BadRowError`; blank lines are passed over.

    Raises
    ------
    DataFileNotFoundError
        If there is no such file.
    InvalidRecordError
        If the first line of a CSV file does not name columns that are ours.
    """
    read = _READERS[file_format]
    with _opened(path) as file:
        yield from read(file, path)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise DataFileNotFoundError(msg) from error


def _json_lines(file: BinaryIO, _path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in _lines(file):
        if not line.strip():
            continue
        if len(line) > LONGEST_LINE:
            yield number, BadRowError(f"the line is longer than {LONGEST_LINE} bytes")
            continue
        try:
            yield number, json.loads(line)
        except UnicodeDecodeError as error:
            yield number, BadRowError(f"the line is not UTF-8: {error.reason}")
        except (ValueError, RecursionError) as error:
            yield number, BadRowError(f"the line is no JSON: {error}")


def _csv(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    rows = csv.reader((_text(line) for _, line in _lines(file)), strict=True)
    try:
        names = next(rows)
    except StopIteration:
        return
    except csv.Error as error:
        msg = f"{path}: line 1: {error}"
        raise InvalidRecordError(msg) from None
    places = _places([name.strip() for name in names], path)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield rows.line_num, BadRowError(f"the line is no CSV: {error}")
            continue
        if cells:
            yield rows.line_num, _row(cells, names, places)


def _places(names: list[str], path: Path) -> list[tuple[str, str | None]]:
    """Return for each column its word, and the attribute that it is."""
    places: list[tuple[str, str | None]] = []
    for name in names:
        if name.startswith(_ATTRIBUTE):
            places.append(("attributes", name.removeprefix(_ATTRIBUTE)))
            continue
        try:
            demand_words((name,))
        except BadRowError as error:
            msg = f"{path}: line 1: {error} (here, in a column named attributes.NAME)"
            raise InvalidRecordError(msg) from None
        places.append((name, None))
    if len(set(places)) < len(places):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"{path}: line 1: the column {twice!r} is there twice"
        raise InvalidRecordError(msg)
    if ("attributes", None) in places and len({p for p in places if p[1] is not None}):
        msg = f"{path}: line 1: attributes are given as JSON and as columns; use one of them"
        raise InvalidRecordError(msg)
    return places


def _row(
    cells: list[str], names: list[str], places: list[tuple[str, str | None]]
) -> dict[str, Any] | BadRowError:
    if len(cells) != len(names):
        return BadRowError(f"the line has {len(cells)} cells, and the first one {len(names)}")
    row: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for cell, (word, attribute) in zip(cells, places, strict=True):
        if cell == "":
            continue
        if attribute is None:
            row[word] = cell
        else:
            attributes[attribute] = cell
    if attributes:
        row["attributes"] = attributes
    return row


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield numbered lines; one that is too long is cut, one byte after the longest."""
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_BOM)
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE + 1)
        yield number, line


def _text(line: bytes) -> str:
    """Return a line as text; what is not UTF-8 becomes what no record holds."""
    return line.decode("utf-8", "surrogateescape")


_READERS: dict[FileFormat, Callable[[BinaryIO, Path], Iterator[tuple[int, Any]]]] = {
    FileFormat.JSON_LINES: _json_lines,
    FileFormat.CSV: _csv,
}
