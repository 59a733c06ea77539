"""Areas of the sky as the archive reads them: a point or polygons, in degrees."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_POSITION = re.compile(rf"\s*({_NUMBER})\s+({_NUMBER})\s*")
_WKT = re.compile(r"\s*(POINT|POLYGON)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_RINGS = re.compile(r"\s*\(([^()]*)\)\s*(?:,(?=\s*\()|$)")

Position = tuple[float, float]


def written_area(value: object) -> str:
    """Return an area as well-known text, as the archive takes it.

    Parameters
    ----------
    value : str, pair of float, or mapping
        ``POINT(ra dec)`` or ``POLYGON((ra dec, ...))``, a pair of right ascension and
        declination, or a Point or Polygon of GeoJSON; degrees.

    Raises
    ------
    ValueError
        If it is none of these. The archive would fail on it, or look elsewhere.

    Examples
    --------
    >>> written_area((10.5, -10.25))
    'POINT(10.5 -10.25)'
    """
    if isinstance(value, Mapping):
        kind, rings = _from_geojson(value)
    elif isinstance(value, str):
        kind, rings = _from_wkt(value)
    elif isinstance(value, Sequence):
        kind, rings = "POINT", [[_position(value)]]
    else:
        msg = "an area is a text, a pair of degrees or GeoJSON"
        raise ValueError(msg)  # noqa: TRY004 - one error for every area that cannot be used
    if kind == "POINT":
        return f"POINT({_text(rings[0])})"
    for ring in rings:
        if len(ring) < 4 or ring[0] != ring[-1]:
            msg = "each ring of a polygon has four positions or more, and ends where it begins"
            raise ValueError(msg)
    return f"POLYGON({', '.join(f'({_text(ring)})' for ring in rings)})"


def _from_geojson(value: Mapping[str, Any]) -> tuple[str, list[list[Position]]]:
    kind, places = value.get("type"), value.get("coordinates")
    if kind == "Point":
        return "POINT", [[_position(places)]]
    if kind == "Polygon" and isinstance(places, Sequence) and places:
        return "POLYGON", [_ring(ring) for ring in places]
    msg = "of GeoJSON only a Point or a Polygon with its coordinates is an area"
    raise ValueError(msg)


def _ring(places: object) -> list[Position]:
    if isinstance(places, str) or not isinstance(places, Iterable):
        msg = "a ring is a list of positions"
        raise ValueError(msg)  # noqa: TRY004 - one error for every area that cannot be used
    return [_position(place) for place in places]


def _from_wkt(text: str) -> tuple[str, list[list[Position]]]:
    match = _WKT.fullmatch(text)
    if match is None:
        msg = f"cannot read {text!r} as an area; write POINT(ra dec) or POLYGON((ra dec, ...))"
        raise ValueError(msg)
    kind, inner = match[1].upper(), match[2]
    if kind == "POINT":
        return kind, [[_read_position(inner)]]
    rings, end = [], 0
    while found := _RINGS.match(inner, end):
        rings.append([_read_position(place) for place in found[1].split(",")])
        end = found.end()
    if not rings or end < len(inner):
        msg = f"cannot read {text!r} as an area; write POLYGON((ra dec, ...))"
        raise ValueError(msg)
    return kind, rings


def _read_position(text: str) -> Position:
    match = _POSITION.fullmatch(text)
    if match is None:
        msg = f"cannot read {text.strip()!r} as a right ascension and a declination in degrees"
        raise ValueError(msg)
    return _position((float(match[1]), float(match[2])))


def _position(place: object) -> Position:
    if isinstance(place, str) or not isinstance(place, Sequence) or len(place) != 2:
        msg = "a position is a right ascension and a declination, in degrees"
        raise ValueError(msg)
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in place):
        msg = "a position is two numbers, in degrees"
        raise ValueError(msg)
    ra, dec = float(place[0]), float(place[1])
    if not (math.isfinite(ra) and -360 <= ra <= 360 and -90 <= dec <= 90):
        msg = f"({ra:g}, {dec:g}) is no place on the sky; degrees, right ascension first"
        raise ValueError(msg)
    return ra, dec


def _text(ring: list[Position]) -> str:
    return ", ".join(f"{ra!r} {dec!r}" for ra, dec in ring)
