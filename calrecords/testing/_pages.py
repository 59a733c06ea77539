"""Pages of a list: limit and offset, cursors, and a count that is often an estimate."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from calrecords.testing._answers import RefusalError
from calrecords.testing._filters import Selection
from calrecords.testing._frames import FrameStore, StoredFrame

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
_SORTABLE = (
    "id",
    "basename",
    "observation_date",
    "primary_optical_element",
    "configuration_type",
    "proposal_id",
    "instrument_id",
    "target_name",
    "reduction_level",
    "exposure_time",
)
_WORDS = {True: "DESC", False: "ASC"}
_ANALYZE_AFTER = 50
_ANALYZE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Where a list is, and which part of it is asked for.

    Attributes
    ----------
    url : str
        Address of the list without its query.
    query : str
        The query as it came.
    """

    url: str
    query: str

    def _number(self, name: str) -> int | None:
        value = dict(parse_qsl(self.query)).get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else None

    @property
    def limit(self) -> int:
        """How many rows a page holds; 0 and nonsense are the default."""
        return min(self._number("limit") or DEFAULT_LIMIT, LARGEST_LIMIT)

    @property
    def offset(self) -> int:
        """How many rows come before the page; negative and nonsense are 0."""
        return self._number("offset") or 0

    def link(self, **changes: Any) -> str:
        """Return the address with some parameters changed, or left out where None."""
        parameters = parse_qs(self.query, keep_blank_values=True)
        for name, value in changes.items():
            if value is None:
                parameters.pop(name, None)
            else:
                parameters[name] = [str(value)]
        return f"{self.url}?{urlencode(sorted(parameters.items()), doseq=True)}"

    def document(self, count: int, rows: Sequence[Any], *, estimated: bool) -> dict[str, Any]:
        """Return a page; its links follow from the count, whether that is right or not."""
        limit, offset = self.limit, self.offset
        following = offset + limit
        before = offset - limit
        return {
            "count": count,
            "next": self.link(limit=limit, offset=following) if following < count else None,
            "previous": self.link(limit=limit, offset=before if before > 0 else None)
            if offset
            else None,
            "results": rows,
            "count_estimated": estimated,
        }


def analyzed_rows(rows: int) -> int:
    """Return how many rows a table had when PostgreSQL last took statistics of it.

    It does so when 50 rows and a tenth have been added since; before the first time it
    knows nothing.
    """
    known = 0
    while rows > known + known * _ANALYZE_SHARE + _ANALYZE_AFTER:
        known += int(known * _ANALYZE_SHARE + _ANALYZE_AFTER) + 1
    return known


def count_all(store: FrameStore, table: str) -> int:
    """Return the estimate of a whole table: placeholders count, and a new table has -1."""
    rows = store.count(table)
    return rows if analyzed_rows(rows) else -1


def count_frames(store: FrameStore, selection: Selection) -> int:
    """Return the count of a list as the archive states it.

    A query that is not small gets the planner's estimate: it knows the frames that were
    there when statistics were last taken, and never says 0.
    """
    if selection.is_small:
        return store.count("frames", selection.where, selection.values)
    if selection.is_everything:
        return count_all(store, "frames")
    known = analyzed_rows(store.count("frames"))
    where = f"{selection.where} AND id <= ?"
    return max(1, store.count("frames", where, (*selection.values, known)))


def ordering(query: Mapping[str, Sequence[str]]) -> list[tuple[str, bool]]:
    """Return the columns by which a list is sorted, each whether from its largest value.

    What cannot be sorted by is passed over without a word.
    """
    asked = (query.get("ordering") or [""])[-1].split(",")
    terms = [(term.strip().removeprefix("-"), term.strip().startswith("-")) for term in asked]
    return [term for term in terms if term[0] in _SORTABLE] or [("observation_date", True)]


def _tail(order: Sequence[tuple[str, bool]]) -> str:
    last = (*order, ("id", order[-1][1]))
    return f"ORDER BY {', '.join(f'{name} {_WORDS[down]}' for name, down in last)} LIMIT ? OFFSET ?"


def frame_page(
    store: FrameStore, selection: Selection, page: PageRequest, order: Sequence[tuple[str, bool]]
) -> tuple[int, list[StoredFrame]]:
    """Return the stated count and the frames of one page."""
    values = (*selection.values, page.limit, page.offset)
    found = store.frames(selection.where, values, _tail(order))
    return count_frames(store, selection), found


def cursor_page(
    store: FrameStore, selection: Selection, page: PageRequest, order: Sequence[tuple[str, bool]]
) -> tuple[str | None, list[StoredFrame]]:
    """Return the address of the next page and the frames of this one, found by cursor."""
    column, descending = order[0]
    sign = "<" if descending else ">"
    position, skipped = _read_cursor(parse_qs(page.query).get("cursor", [""])[-1])
    where, values = selection.where, list(selection.values)
    if position is not None:
        where += f" AND {column} {sign} ?"
        values.append(int(position) if column == "id" else position)
    found = store.frames(where, (*values, page.limit + 1, skipped), _tail(order))
    rows = found[: page.limit]
    if len(found) <= page.limit:
        return None, rows
    equal = 0
    last = str(found[-1].fields[column])
    for row in reversed(rows):
        value = str(row.fields[column])
        if value != last:
            return page.link(cursor=_write_cursor(value, equal)), rows
        equal += 1
    return page.link(cursor=_write_cursor(position, skipped + equal)), rows


def _write_cursor(position: str | None, skipped: int) -> str:
    parts: dict[str, Any] = {"o": skipped} if skipped else {}
    if position is not None:
        parts["p"] = position
    return b64encode(urlencode(parts).encode()).decode()


def _read_cursor(cursor: str) -> tuple[str | None, int]:
    try:
        parts = dict(parse_qsl(b64decode(cursor.encode(), validate=True).decode()))
        return parts.get("p"), int(parts.get("o", "0"))
    except ValueError:
        raise RefusalError.detail(404, "Invalid cursor") from None
