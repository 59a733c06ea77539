"""The header of an image that is stored compressed, as if it were not.

A tile-compressed image is a binary table (FITS Standard 4.0, section 10): what the image's own
header said of its shape stands in keywords with a Z, beside the table's. No tile is read.
"""

from __future__ import annotations

import re
from pathlib import Path

from calrecords.datafiles.cards import HeaderValue, UnreadableValue
from calrecords.datafiles.fits_blocks import MAX_AXES, RawHeader, whole_number

_IMAGE_KEYWORDS = {
    "ZSIMPLE": "SIMPLE",
    "ZTENSION": "XTENSION",
    "ZBITPIX": "BITPIX",
    "ZNAXIS": "NAXIS",
    "ZPCOUNT": "PCOUNT",
    "ZGCOUNT": "GCOUNT",
    "ZEXTEND": "EXTEND",
    "ZBLOCKED": "BLOCKED",
    "ZHECKSUM": "CHECKSUM",
    "ZDATASUM": "DATASUM",
}
_TABLE_KEYWORD = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|GROUPS|EXTEND|TFIELDS|THEAP|CHECKSUM|DATASUM"
    r"|(?:TTYPE|TFORM|TUNIT|TNULL|TSCAL|TZERO|TDISP|TBCOL|TDIM|TCTYP|TCUNI|TCRPX|TCRVL|TCDLT|TRPOS"
    r"|ZNAXIS|ZTILE|ZNAME|ZVAL)[1-9]\d*"
    r"|ZIMAGE|ZCMPTYPE|ZMASKCMP|ZQUANTIZ|ZDITHER0|ZBLANK|ZSCALE|ZZERO|" + "|".join(_IMAGE_KEYWORDS)
)
_DEFAULT_NAME = "COMPRESSED_IMAGE"


def is_compressed_image(header: RawHeader) -> bool:
    """Return whether a binary table holds a tile-compressed image."""
    return header.get("XTENSION") == "BINTABLE" and header.get("ZIMAGE") is True


def image_header(
    table: RawHeader, path: Path, index: int
) -> dict[str, HeaderValue | UnreadableValue]:
    """Return the header of the image that a binary table holds compressed.

    Where the image was a primary HDU, PCOUNT and GCOUNT are left out; a BSCALE or BZERO of
    zero, which compression programs leave behind, is too.

    Raises
    ------
    InvalidFrameError
        If the image's shape is not given, or is beyond the limits of `fits_blocks`.
    """
    axes = whole_number(table, "ZNAXIS", path, index, most=MAX_AXES)
    shape = {f"NAXIS{n}": whole_number(table, f"ZNAXIS{n}", path, index) for n in _from_1(axes)}
    kept = {key: value for key, value in table.items() if not _TABLE_KEYWORD.fullmatch(key)}
    own = {name: table[key] for key, name in _IMAGE_KEYWORDS.items() if key in table}
    if "SIMPLE" in own:
        first: RawHeader = {"SIMPLE": own.pop("SIMPLE")}
        own.pop("PCOUNT", None)
        own.pop("GCOUNT", None)
    else:
        first = {"XTENSION": "IMAGE"}
        own = {"PCOUNT": 0, "GCOUNT": 1} | own
    own.pop("XTENSION", None)
    if kept.get("EXTNAME") == _DEFAULT_NAME:
        del kept["EXTNAME"]
    for scaling in ("BSCALE", "BZERO"):
        if not kept.get(scaling, True):
            del kept[scaling]
    return {**first, "BITPIX": own.pop("BITPIX", None), "NAXIS": axes, **shape, **kept, **own}


def _from_1(last: int) -> range:
    return range(1, last + 1)
