"""A FITS file is as long as its headers say, and asks for no more than it may."""

import os
import random
import time

import pytest

from calrecords.datafiles import DataFileFactory
from calrecords.datafiles.fits_blocks import Hdu, scan_hdus
from calrecords.datafiles.regular_files import open_regular_file
from calrecords.errors import CalRecordsError, DataFileNotFoundError, InvalidFrameError

QUICK_S = 1.0


@pytest.fixture
def scan(tmp_path):
    """Scan bytes as a file, and demand that it takes no time."""

    def scan(data):
        path = tmp_path / "frame.fits"
        path.write_bytes(data)
        started = time.thread_time()
        try:
            with open_regular_file(path) as file:
                return scan_hdus(file, path, len(data))
        finally:
            assert time.thread_time() - started < QUICK_S

    return scan


def test_finds_where_each_hdu_lies(scan, primary, fits_header):
    image = {"BITPIX": -32, "NAXIS": 2, "NAXIS1": 30, "NAXIS2": 25}
    table = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 10, "NAXIS2": 3}
    data = primary(**image) + bytes(5760) + fits_header(**table, PCOUNT=5, GCOUNT=1) + bytes(2880)
    first, second = scan(data)
    assert first == Hdu(0, 0, 2880, 8640, {"SIMPLE": True, **image})
    assert second == Hdu(1, 8640, 11520, 14400, {**table, "PCOUNT": 5, "GCOUNT": 1})


def test_counts_random_groups(scan, primary):
    groups = {"NAXIS": 2, "NAXIS1": 0, "NAXIS2": 900, "GROUPS": True, "PCOUNT": 2, "GCOUNT": 4}
    (hdu,) = scan(primary(**{"BITPIX": 16, **groups}) + bytes(8640))
    assert hdu.end - hdu.data_start == 8640
    with pytest.raises(InvalidFrameError, match="cut short"):
        scan(primary(**{"BITPIX": 16, **groups}))


def test_a_text_that_holds_end_ends_nothing(scan, primary):
    (hdu,) = scan(primary(A="x" * 68, B="END     ", C="END"))
    assert (hdu.header["B"], hdu.header["C"]) == ("END", "END")


def test_a_comment_that_ends_in_end_ends_nothing(scan, primary):
    comment = b"COMMENT this is not yet the".ljust(77) + b"END"
    (hdu,) = scan(primary(A=1).replace(b"END".ljust(240), comment + b" " * 80 + b"END".ljust(80)))
    assert hdu.data_start == 2880
    (hdu,) = scan(primary(A=1, B=comment, C=b" " * 80, D=4))
    assert hdu.header["D"] == 4


def test_reads_a_header_of_many_blocks(scan, primary):
    cards = {f"K{number}": number for number in range(5000)}
    (hdu,) = scan(primary(**cards))
    assert hdu.header == {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **cards}


HOSTILE = {
    "ten million axes": ({"NAXIS": 10_000_000}, "NAXIS = 10000000"),
    "no BITPIX": ({"BITPIX": "=/"}, "BITPIX = None"),
    "BITPIX of 7": ({"BITPIX": 7}, "BITPIX = 7"),
    "BITPIX true": ({"BITPIX": True}, "BITPIX = True"),
    "BITPIX a text": ({"BITPIX": "8"}, "BITPIX = '8'"),
    "BITPIX a float": ({"BITPIX": "=8.0"}, "BITPIX = 8.0"),
    "a negative axis count": ({"NAXIS": -1}, "NAXIS = -1"),
    "no axis count": ({"NAXIS": "=/"}, "NAXIS = None"),
    "an axis that is missing": ({"NAXIS": 1}, "NAXIS1 = None"),
    "a negative axis": ({"NAXIS": 1, "NAXIS1": -5}, "NAXIS1 = -5"),
    "an axis that is no number": ({"NAXIS": 1, "NAXIS1": "=9x"}, "NAXIS1 = 9x"),
    "an endless axis": ({"NAXIS": 1, "NAXIS1": 10**25}, "NAXIS1 = 10"),
    "endless axes": ({"NAXIS": 2, "NAXIS1": 10**18, "NAXIS2": 10**18}, "cut short"),
    "a negative group count": ({"NAXIS": 1, "NAXIS1": 1, "GCOUNT": -1}, "GCOUNT = -1"),
    "endless columns": ({"NAXIS": 0, "TFIELDS": 2**31 - 1}, "TFIELDS = 2147483647"),
    "a negative column count": ({"NAXIS": 0, "TFIELDS": -1}, "TFIELDS = -1"),
    "endless axes of an image in a table": ({"NAXIS": 0, "ZNAXIS": 10**9}, "ZNAXIS = 10"),
    "a huge heap": ({"NAXIS": 1, "NAXIS1": 1, "PCOUNT": 10**15}, "cut short"),
    "SIMPLE is F": ({"SIMPLE": False}, "SIMPLE is not T"),
}


@pytest.mark.parametrize(("cards", "says"), HOSTILE.values(), ids=HOSTILE.keys())
def test_refuses_a_hostile_header_at_once(scan, primary, cards, says):
    with pytest.raises(InvalidFrameError, match=says):
        scan(primary(**cards))


def test_refuses_what_is_no_fits_file(scan):
    for data in (b"", b"S", b"<html>", b"\x1f\x8b" + bytes(3000), bytes(2880)):
        with pytest.raises(InvalidFrameError, match="not a whole FITS file"):
            scan(data)


def test_refuses_a_header_without_end(scan, primary):
    cards = primary().replace(b"END", b"A  ")
    for data in (cards, cards * 3, cards[:2879], cards * 600):
        with pytest.raises(InvalidFrameError, match=r"no END|less than one"):
            scan(data)


def test_names_the_byte_that_is_no_text(scan, primary):
    data = primary(SITEID="lsc")
    where = data.index(b"lsc")
    for bad in (b"\0", b"\n", b"\x80", b"\xff"):
        with pytest.raises(InvalidFrameError, match=f"byte {where}, .* at 'SITEID'"):
            scan(data[:where] + bad + data[where + 1 :])


def test_refuses_too_many_hdus(scan, primary, fits_header):
    extension = fits_header(XTENSION="IMAGE", BITPIX=8, NAXIS=0, PCOUNT=0, GCOUNT=1)
    assert len(scan(primary() + extension * 999)) == 1000
    with pytest.raises(InvalidFrameError, match="more than 1000 HDUs"):
        scan(primary() + extension * 1000)


def test_refuses_too_many_header_blocks(scan, primary, fits_header):
    padding = {f"K{number}": number for number in range(17_000)}
    extension = fits_header(XTENSION="IMAGE", BITPIX=8, NAXIS=0, **padding)
    with pytest.raises(InvalidFrameError, match="more than 5000 blocks"):
        scan(primary() + extension * 12)


def test_padding_may_follow_and_nothing_else(scan, primary):
    for padding in (bytes(1), bytes(2880), b" " * 5760, bytes(1 << 20)):
        assert len(scan(primary() + padding)) == 1
    for junk in (b"x", bytes(2880) + b"x", b"<html>", bytes((1 << 20) + 1)):
        with pytest.raises(InvalidFrameError, match=r"after its last HDU|follow its last HDU"):
            scan(primary() + junk)


@pytest.mark.parametrize(
    "name", ["bias_kb70_20151221_bin2x2.fits", "bias_kb70_20151221_bin2x2.fits.fz"]
)
def test_a_real_frame_is_refused_wherever_it_is_cut(shared_data, tmp_path, name):
    whole = (shared_data / "lco" / name).read_bytes()
    path = tmp_path / name
    ends = {2880 if name.endswith(".fz") else None}  # an empty primary HDU is a whole file
    for length in sorted({0, 1, 79, 2879, 2880, *range(5, len(whole), 997), len(whole) - 1}):
        path.write_bytes(whole[:length])
        expected = CalRecordsError if length in ends else InvalidFrameError
        with pytest.raises(expected, match=name.replace(".", r"\.")):
            DataFileFactory().open(path)


def test_refuses_what_is_not_a_regular_file(tmp_path):
    fifo = tmp_path / "pipe.fits"
    os.mkfifo(fifo)
    (tmp_path / "folder.fits").mkdir()
    opened = DataFileFactory().open
    with pytest.raises(InvalidFrameError, match="not a regular file"):
        opened(fifo)
    with pytest.raises(DataFileNotFoundError, match="is a folder"):
        opened(tmp_path / "folder.fits")
    with pytest.raises(DataFileNotFoundError, match="no file"):
        opened(tmp_path / "absent.fits")
    with pytest.raises(DataFileNotFoundError, match="no file's path"):
        opened("nul\0.fits")
    with pytest.raises(DataFileNotFoundError, match="cannot read"):
        opened(tmp_path / ("x" * 300 + ".fits"))


def test_mutated_frames_end_in_our_errors_and_soon(shared_data, tmp_path):
    rng = random.Random(20260101)
    sources = [
        (shared_data / "lco" / name).read_bytes()
        for name in ("bias_kb70_20151221_bin2x2.fits", "bias_kb70_20151221_bin2x2.fits.fz")
    ]
    refused = 0
    for number in range(600):
        path = tmp_path / ("mutant.fits" if number % 2 == 0 else "mutant.fits.fz")
        path.write_bytes(mutated(rng, sources[number % 2]))
        started = time.thread_time()
        message = refusal(path)
        refused += message is not None
        assert message is None or path.name in message
        assert time.thread_time() - started < QUICK_S
    assert refused > 300


def refusal(path):
    """Return why a file is refused, or None where it is taken whole."""
    try:
        data_file = DataFileFactory().open(path)
        data_file.archive_record()
        data_file.digest()
    except CalRecordsError as error:
        return str(error)
    return None


def mutated(rng, data):
    """Return bytes with one to five small harms, most of them in the header."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        where = rng.randrange(rng.choice((2880, 8640, len(data))))
        harm = rng.randrange(5)
        if harm == 0:
            data[where] = rng.randrange(256)
        elif harm == 1:
            data[where : where + 1] = rng.choice((b"9", b"-", b"'", b"=", b" ", b"E"))
        elif harm == 2:
            del data[where : where + rng.choice((1, 80, 2880))]
        elif harm == 3:
            start = where // 80 * 80
            data[start : start + 80] = data[(other := rng.randrange(100) * 80) : other + 80]
        else:
            start = where // 80 * 80 + 10
            data[start : start + 20] = f"{rng.choice((0, -1, 7, 10**9, 10**19)):>20}".encode()
    return bytes(data)
