"""Files to read: minimal FITS written card by card, so that they can be broken at will."""

import io
import tarfile

import pytest

LCO_HEADER = {
    "PROPID": "calibrate",
    "DATE-OBS": "2026-01-02T03:04:05.678",
    "DAY-OBS": "20260101",
    "INSTRUME": "fa01",
    "SITEID": "lsc",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "BLKUID": 12345,
}
NAME = "lsc1m009-fa01-20260101-0001-b00.fits"


def card(keyword, value):
    """Return one card; a text value that begins with = is written as it is, after the =."""
    if isinstance(value, bytes):
        return value.ljust(80)
    if isinstance(value, bool):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str) and value.startswith("="):
        field = value[1:]
    elif isinstance(value, str):
        quoted = value.replace("'", "''")
        field = f"'{quoted:<8}'"
    else:
        field = f"{value!s:>20}"
    return f"{keyword:<8}= {field:<70}".encode("latin-1")


def blocks(data, fill=b" "):
    """Return bytes filled up to whole FITS blocks."""
    return data + fill * (-len(data) % 2880)


@pytest.fixture
def fits_header():
    """Return the bytes of a header with these keywords, END and padding."""

    def make(**cards):
        written = [card(key.replace("__", "-"), value) for key, value in cards.items()]
        return blocks(b"".join(written) + b"END".ljust(80))

    return make


@pytest.fixture
def primary(fits_header):
    """Return the bytes of a primary HDU without data."""

    def make(**cards):
        return fits_header(**{"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **cards})

    return make


@pytest.fixture
def write_frame(tmp_path, primary):
    """Write a frame with LCO's required keywords; a keyword given as None is left out."""

    def write(name=NAME, **keywords):
        given = {key.replace("__", "-"): value for key, value in keywords.items()}
        header = {k: v for k, v in {**LCO_HEADER, **given}.items() if v is not None}
        path = tmp_path / name
        path.write_bytes(primary(**header))
        return path

    return write


@pytest.fixture
def write_tar(tmp_path):
    """Write a tar archive of (name or TarInfo, bytes) pairs; packed where its name says so."""

    def write(name, members):
        path = tmp_path / name
        with tarfile.open(path, "w:gz" if name.endswith(".gz") else "w") as archive:
            for member, data in members:
                info = tarfile.TarInfo(member) if isinstance(member, str) else member
                if info.isreg():
                    info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return write
