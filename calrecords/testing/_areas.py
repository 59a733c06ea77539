"""Sky areas as the archive's database compares them: points and polygons in a plane."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

_SHAPE = re.compile(r"\s*(POINT|POLYGON)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_RING = re.compile(r"\(([^()]+)\)")

Position = tuple[float, float]
Ring = Sequence[Position]


def read_shape(text: str) -> list[Position]:
    """Return the outer ring of a polygon of well-known text, or the one position of a point.

    Raises
    ------
    ValueError
        If it is neither.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    rings = [match[2]] if match[1].upper() == "POINT" else _RING.findall(match[2])
    ring = [_position(place.split()) for place in rings[0].split(",")] if rings else []
    if not ring or (match[1].upper() == "POINT") != (len(ring) == 1):
        raise ValueError(text)
    return ring


def covers(area: str, shape: str) -> bool:
    """Say whether a stored area, as JSON, holds every part of a shape; its edge belongs to it."""
    outer, inner = _stored(area), read_shape(shape)
    return all(_holds(outer, place) for place in inner) and not _cross(outer, inner)


def intersects(area: str, shape: str) -> bool:
    """Say whether a stored area, as JSON, and a shape have a place in common."""
    outer, inner = _stored(area), read_shape(shape)
    return (
        any(_holds(outer, place) for place in inner)
        or (len(inner) > 1 and any(_holds(inner, place) for place in outer))
        or _cross(outer, inner)
    )


def _position(numbers: Sequence[Any]) -> Position:
    ra, dec = numbers
    return float(ra), float(dec)


def _stored(area: str) -> list[Position]:
    document: Mapping[str, Any] = json.loads(area)
    return [_position(place) for place in document["coordinates"][0]]


def _edges(ring: Ring) -> Iterator[tuple[Position, Position]]:
    return pairwise(ring)


def _turn(a: Position, b: Position, c: Position) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_on(a: Position, b: Position, place: Position) -> bool:
    return (
        _turn(a, b, place) == 0
        and min(a[0], b[0]) <= place[0] <= max(a[0], b[0])
        and min(a[1], b[1]) <= place[1] <= max(a[1], b[1])
    )


def _holds(ring: Ring, place: Position) -> bool:
    inside = False
    for a, b in _edges(ring):
        if _is_on(a, b, place):
            return True
        if (a[1] > place[1]) != (b[1] > place[1]):
            at = a[0] + (place[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
            inside ^= place[0] < at
    return inside


def _cross(one: Ring, other: Ring) -> bool:
    return any(
        _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
        for a, b in _edges(one)
        for c, d in _edges(other)
    )
