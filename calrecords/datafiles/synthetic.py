"""Calibration frames made up for demonstrations and tests, with headers as LCO writes them.

The same arguments give the same bytes. Pixels behave as a small CCD's would: a bias level with
read noise, dark current, an even illumination with shot noise, a mask of bad pixels.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from calrecords.vocabulary import Binning, canonical_obstype, parse_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_DATEOBS = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
"""Start of the exposure of a frame that asks for no other."""

GAIN = 1.9
"""Electrons per count."""
READ_NOISE = 8.5
"""Electrons."""
BIAS_LEVEL = 1_000.0
"""Counts."""
DARK_CURRENT = 0.02
"""Electrons per second and detector pixel."""
FLAT_LEVEL = 30_000.0
"""Electrons at which a flat is exposed."""
SETPOINT = -100.0
"""Demanded temperature of the detector, deg C."""

_EXPOSURES_S = {"BIAS": 0.0, "BPM": 0.0, "DARK": 300.0, "SKYFLAT": 5.0, "LAMPFLAT": 5.0}
_SOLAR_HOURS = {"coj": 10.0, "cpt": 1.4, "elp": -6.9, "lsc": -4.7, "ogg": -10.4, "tfn": -1.1}
_LETTERS = {"BIAS": "b", "DARK": "d", "SKYFLAT": "f", "LAMPFLAT": "w", "ARC": "a"}
_COMBINED = 25


def write_synthetic_frame(
    folder: str | Path,
    *,
    obstype: str = "BIAS",
    site: str = "lsc",
    camera: str = "fa01",
    dateobs: datetime | str = DEFAULT_DATEOBS,
    binning: str | Binning = "2x2",
    filter: str = "",
    exposure_time: float | None = None,
    is_master: bool = True,
    reduction_level: int = 91,
    shape: tuple[int, int] = (64, 64),
    seed: int = 0,
    compress: bool = False,
    basename: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Write one made-up frame, and return its path.

    Parameters
    ----------
    folder : str or Path
        Made where it does not exist.
    obstype, site, camera : str
        What the frame is, and where and with what it was taken.
    dateobs : datetime or str
        Start of the exposure, UTC.
    binning : str or Binning
        Detector pixels per image pixel, x then y.
    filter : str
        The bandpass element; empty where there is none.
    exposure_time : float, optional
        Seconds; by default what is usual for the observation type.
    is_master : bool
        Whether it was made by combining several frames; its noise is lower then.
    reduction_level : int
        0 is raw.
    shape : tuple of int
        Rows and columns, ``(ny, nx)``.
    seed : int
        Of the noise, and the running number in the name of an individual frame.
    compress : bool
        Write ``.fits.fz`` rather than ``.fits``, tile-compressed as LCO does: whole numbers
        without loss, floats quantised to a sixteenth of the noise.
    basename : str, optional
        Name without extension; by default as LCO would name it.
    extra : mapping, optional
        Further header keywords, which go before those made here; None leaves a keyword out.

    Raises
    ------
    ValueError
        If the time or the binning cannot be read.
    """
    kind, start, bins = canonical_obstype(obstype), parse_time(dateobs), Binning.parse(binning)
    exposure = _EXPOSURES_S.get(kind, 10.0) if exposure_time is None else exposure_time
    night = _night(start, site)
    name = basename or _basename(kind, site, camera, night, bins, filter, is_master, seed)
    header = {
        **_origin(kind, site, camera, filter),
        **_times(start, night, exposure),
        **_detector(bins, seed),
        **_product(is_master, reduction_level, start),
        **(extra or {}),
    }
    pixels = _pixels(kind, exposure, bins, shape, np.random.default_rng(seed), is_master)
    path = Path(folder) / (name + (".fits.fz" if compress else ".fits"))
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, {key: value for key, value in header.items() if value is not None}, pixels)
    return path


def _write(path: Path, values: Mapping[str, Any], pixels: NDArray[Any]) -> None:
    header = fits.Header()
    header.update(values)
    if not path.name.endswith(".fz"):
        _write_with_checksums(path, fits.HDUList([fits.PrimaryHDU(pixels, header)]))
        return
    image = fits.CompImageHDU(
        pixels, header, compression_type="RICE_1", quantize_method=1, dither_seed=1
    )
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(buffer)
    buffer.seek(0)
    with fits.open(buffer, disable_image_compression=True) as hdus:
        _write_with_checksums(path, hdus)


def _write_with_checksums(path: Path, hdus: fits.HDUList) -> None:
    for hdu in hdus:
        hdu.add_checksum(when="of the bytes in this file")  # else it would say the time of day
    hdus.writeto(path, overwrite=True)


def _night(start: datetime, site: str) -> date:
    """Return the date, at the site, of the evening before an exposure."""
    return (start + timedelta(hours=_SOLAR_HOURS.get(site, 0.0) - 12.0)).date()


def _basename(
    kind: str,
    site: str,
    camera: str,
    night: date,
    bins: Binning,
    filter_name: str,
    is_master: bool,
    seed: int,
) -> str:
    stem = f"{site}1m009-{camera}-{night:%Y%m%d}"
    if not is_master:
        return f"{stem}-{seed:04d}-{_LETTERS.get(kind, 'e')}00"
    return f"{stem}-{kind.lower()}-bin{bins}" + (f"-{filter_name}" if filter_name else "")


def _origin(kind: str, site: str, camera: str, filter_name: str) -> dict[str, Any]:
    return {
        "ORIGIN": "LCOGT",
        "SITEID": site,
        "ENCID": "doma",
        "TELID": "1m0a",
        "TELESCOP": "1m0-09",
        "INSTRUME": camera,
        "OBSTYPE": kind,
        "FILTER": filter_name,
        "OBJECT": "N/A",
        "PROPID": "calibrate",
        "BLKUID": 500_000_001,
        "MOLUID": 700_000_001,
        "REQNUM": "UNSPECIFIED",
        "TRACKNUM": "UNSPECIFIED",
    }


def _times(start: datetime, night: date, exposure: float) -> dict[str, Any]:
    end = start + timedelta(seconds=exposure)
    return {
        "TIMESYS": "UTC",
        "DATE-OBS": _fits_time(start),
        "DAY-OBS": f"{night:%Y%m%d}",
        "UTSTOP": _fits_time(end).partition("T")[2],
        "EXPTIME": exposure,
    }


def _detector(bins: Binning, seed: int) -> dict[str, Any]:
    return {
        "CCDSUM": f"{bins.x} {bins.y}",
        "CONFMODE": "full_frame",
        "GAIN": GAIN,
        "RDNOISE": READ_NOISE,
        "CCDSTEMP": SETPOINT,
        "CCDATEMP": round(SETPOINT + 0.01 * (seed % 7 - 3), 2),
        "BUNIT": "adu",
    }


def _product(is_master: bool, reduction_level: int, start: datetime) -> dict[str, Any]:
    made = start + timedelta(hours=12)
    return {
        "RLEVEL": reduction_level,
        "ISMASTER": is_master,
        "DATE": _fits_time(made),
        "PIPEVER": "1.0.0",
        "L1PUBDAT": _fits_time(start),
    }


def _fits_time(time: datetime) -> str:
    return time.replace(tzinfo=None).isoformat(timespec="milliseconds")


def _pixels(
    kind: str,
    exposure: float,
    bins: Binning,
    shape: tuple[int, int],
    noise: np.random.Generator,
    is_master: bool,
) -> NDArray[Any]:
    """Return counts, shape (ny, nx), or of a bad-pixel mask 1 where a pixel is bad."""
    if kind == "BPM":
        return (noise.random(shape) < 0.01).astype(np.uint8)
    level = DARK_CURRENT * exposure * bins.x * bins.y
    if kind not in {"BIAS", "DARK"}:
        level += FLAT_LEVEL
    spread = np.sqrt((READ_NOISE**2 + level) / (_COMBINED if is_master else 1))
    counts = BIAS_LEVEL + noise.normal(level, spread, shape) / GAIN
    if is_master:
        return counts.astype(np.float32)
    return counts.round().clip(0, 65_535).astype(np.uint16)
