"""Reads keywords from standard input, prints where on the sky they put a frame.

Run as a script by `calrecords.datafiles.sky_area`, in a process that may crash.
"""

from __future__ import annotations

import contextlib
import json
import sys
import warnings
from collections.abc import Mapping
from typing import Any, TypeAlias

Corners: TypeAlias = list[list[float]]

_MEMORY_BYTES = 4 << 30
_CPU_SECONDS = 20
_OUTPUT_BYTES = 1 << 16


def main() -> None:
    """Answer the question on standard input."""
    _limit_resources()
    warnings.simplefilter("ignore")
    question = json.load(sys.stdin)
    try:
        corners = _by_wcs(question["wcs"]) if "wcs" in question else _around(**question)
    except Exception as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"[:200]}))
    else:
        print(json.dumps({"corners": corners}))


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
