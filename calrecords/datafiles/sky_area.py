"""Where on the sky a frame lies, computed in a process of its own.

Turning a WCS into corners runs native code on numbers that came with the file, and such code
has been made to crash and to hang. So it runs outside this process, is given only the keywords
of the WCS, no secrets, little time and memory, and what it answers is checked. One process
loads what is needed, once, and forks for each frame. Whatever goes
wrong there, the frame has no area and a warning says so.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from calrecords.datafiles.cards import HeaderValue
from calrecords.datafiles.line_process import LineProcess
from calrecords.datafiles.mapping import HeaderMapping
from calrecords.datafiles.repairs import is_null

logger = logging.getLogger(__name__)

Polygon: TypeAlias = dict[str, Any]
"""A GeoJSON polygon: ``type``, and ``coordinates`` in degrees, of which the last is the first."""

TIMEOUT_S = 10.0
"""Seconds that the process may take for a frame, and for its start."""
COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("sky_area_process.py")))
"""What runs there; it imports nothing of calrecords."""

_CORNERS = 4
_LONGEST_TEXT = 68
_NEEDED = ("CD1_1", "CD1_2", "CD2_1", "CD2_2", "NAXIS1", "NAXIS2")
_WCS_KEYWORD = re.compile(
    r"NAXIS[1-9]?|WCSAXES|WCSNAME|RADESYS|RADECSYS|EQUINOX|EPOCH|LONPOLE|LATPOLE|VELREF"
    r"|(?:DATE|MJD)-(?:OBS|AVG|BEG|END)|MJDREF[IF]?|DATEREF|TIMESYS|OBSGEO-[XYZBLH]"
    r"|(?:CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA|CNAME|CRDER|CSYER)[1-9]"
    r"|(?:CD|PC)[1-9]_[1-9]|P[VS][1-9]_\d{1,2}"
    r"|[AB]P?_ORDER|[AB]P?_\d_\d|[AB]_DMAX"
)
_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH"}
    | {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "USERPROFILE", "VIRTUAL_ENV"}
)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


_processes: dict[tuple[str, ...], LineProcess] = {}
_lock = threading.Lock()


def find_sky_area(
    header: Mapping[str, HeaderValue],
    mapping: HeaderMapping,
    *,
    name: str = "the header",
    command: Sequence[str] = COMMAND,
    timeout_s: float = TIMEOUT_S,
) -> Polygon | None:
    """Return the corners of a frame on the sky, or None where they cannot be had.

    A header that gives a radius (arcsec), a right ascension (hours) and a declination (degrees)
    has a square around that place, else the corners of its image by its WCS.

    Parameters
    ----------
    header : mapping
        As `DataFile.header` has it.
    mapping : HeaderMapping
        Which keywords give the radius and the place.
    name : str
        File name, for the log.
    command : sequence of str
        What to run; it reads questions from its input, a line each, and prints a line for each.
    timeout_s : float
        Seconds that one frame may take.
    """
    question = _question(header, mapping)
    if question is None:
        return None
    try:
        return _checked(_process(command).ask(json.dumps(question), timeout_s))
    except (OSError, ValueError, RecursionError) as error:
        logger.warning(
            "%s gets no area on the sky: %s; correct its WCS if it should have one", name, error
        )
        return None


def _question(header: Mapping[str, HeaderValue], mapping: HeaderMapping) -> dict[str, Any] | None:
    """Return what the process needs to know; None where a header does not say enough."""
    circle = {key: header.get(getattr(mapping, key)) for key in ("radius", "ra", "dec")}
    if not any(is_null(value) for value in circle.values()):
        return circle if all(_is_short(value) for value in circle.values()) else None
    if any(is_null(header.get(keyword)) for keyword in _NEEDED):
        return None
    if not is_null(header.get("NAXIS3")):
        return None
    wcs = {
        keyword: value
        for keyword, value in header.items()
        if _WCS_KEYWORD.fullmatch(keyword) and not is_null(value) and _is_short(value)
    }
    return {"wcs": wcs}


def _is_short(value: HeaderValue) -> bool:
    return not isinstance(value, str) or (
        len(value) <= _LONGEST_TEXT and value.isascii() and value.isprintable()
    )


def _process(command: Sequence[str]) -> LineProcess:
    key = tuple(command)
    with _lock:
        if key not in _processes:
            known = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
            _processes[key] = LineProcess(command, {**known, **_ONE_THREAD})
        return _processes[key]


def _checked(answer: bytes) -> Polygon:
    """Return the polygon in an answer, built anew from its numbers."""
    found = json.loads(answer)
    corners = found.get("corners") if isinstance(found, dict) else None
    if not isinstance(corners, list) or len(corners) != _CORNERS:
        said = found.get("error") if isinstance(found, dict) else None
        msg = str(said)[:200] if said else "the answer is no list of corners"
        raise ValueError(msg)
    points = [_point(corner) for corner in corners]
    return {"type": "Polygon", "coordinates": [[*points, list(points[0])]]}


def _point(corner: object) -> list[float]:
    if not isinstance(corner, list) or len(corner) != 2:
        msg = f"{str(corner)[:100]} is no place on the sky"
        raise ValueError(msg)
    if not all(isinstance(angle, float) and math.isfinite(angle) for angle in corner):
        msg = f"{str(corner)[:100]} is no place on the sky"
        raise ValueError(msg)
    return [float(angle) for angle in corner]
