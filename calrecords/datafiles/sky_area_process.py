"""Reads keywords from standard input, prints where on the sky they put a frame.

Run as a script by `calrecords.datafiles.sky_area`. Each frame has a child that may crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeAlias

Corners: TypeAlias = list[list[float]]

_MEMORY_BYTES = 4 << 30
_CPU_SECONDS = 20
_OUTPUT_BYTES = 1 << 16


def main() -> None:
    """Answer each line on standard input with a line, computed in a child of its own."""
    _load()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _limit_resources()
            print(json.dumps(_answer(line)), flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if code := os.waitstatus_to_exitcode(status):
            error = f"the process that computes it ended with {code}"
            print(json.dumps({"error": error}), flush=True)


def _load() -> None:
    """Import what every child needs; it runs nothing on anybody's header."""
    warnings.simplefilter("ignore")
    for name in ("astropy.units", "astropy.coordinates", "astropy.wcs"):
        import_module(name)


def _answer(line: str) -> dict[str, Any]:
    try:
        question = json.loads(line)
        corners = _by_wcs(question["wcs"]) if "wcs" in question else _around(**question)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    return {"corners": corners}


def _limit_resources() -> None:
    with contextlib.suppress(ImportError):  # there are no such limits on Windows
        import resource

        for what, most in (
            (resource.RLIMIT_AS, _MEMORY_BYTES),
            (resource.RLIMIT_CPU, _CPU_SECONDS),
            (resource.RLIMIT_FSIZE, _OUTPUT_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(what)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (allowed, allowed))


def _by_wcs(keywords: Mapping[str, Any]) -> Corners:
    """Return the centres of the corner pixels, in degrees."""
    from astropy.wcs import WCS

    wcs = WCS(keywords)
    columns, rows = keywords["NAXIS1"], keywords["NAXIS2"]
    pixels = ((1, 1), (1, rows), (columns, rows), (columns, 1))
    return [[float(angle) for angle in wcs.all_pix2world(x, y, 1)] for x, y in pixels]


def _around(*, radius: Any, ra: Any, dec: Any) -> Corners:
    """Return a square of twice a radius around a place, in degrees."""
    from astropy import units
    from astropy.coordinates import Angle

    reach = float(Angle(radius, units.arcsecond).deg)
    x = float(Angle(ra, units.hourangle).deg)
    y = float(Angle(dec, units.deg).deg)
    return [
        [x - reach, y + reach],
        [x + reach, y + reach],
        [x + reach, y - reach],
        [x - reach, y - reach],
    ]


if __name__ == "__main__":
    main()
