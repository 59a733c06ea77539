"""Gzip is unpacked as a stream, and a bomb is given up on."""

import gzip
import io
import itertools
import random
import time
from pathlib import Path

import pytest

from calrecords.datafiles.fits_blocks import MAX_PADDING_BYTES
from calrecords.datafiles.gunzip import MAX_GZIP_MEMBERS, Gunzip, scan_gzipped_hdus, unpacked
from calrecords.errors import InvalidFrameError

PATH = Path("x.fits.gz")
NOISE = random.Random(0).randbytes(1_000_003)


def unpack(packed):
    return b"".join(unpacked(io.BytesIO(packed), PATH))


@pytest.mark.parametrize("data", [b"", b"x", NOISE, bytes(10_000_000)], ids=len)
def test_gives_what_was_packed(data):
    assert unpack(gzip.compress(data)) == data
    assert (
        unpack(gzip.compress(data) + gzip.compress(b"") + gzip.compress(b"more")) == data + b"more"
    )


def test_zeros_after_the_end_are_padding():
    assert unpack(gzip.compress(b"x") + bytes(100_000)) == b"x"
    assert unpack(gzip.compress(b"x") + bytes(100_000) + gzip.compress(b"y")) == b"xy"


def test_padding_without_end_is_given_up_on():
    assert unpack(gzip.compress(b"x") + bytes(MAX_PADDING_BYTES)) == b"x"
    zeros, taken = itertools.repeat(bytes(65_536), 1_000), []
    gunzip = Gunzip(PATH)
    list(gunzip.feed(gzip.compress(b"x")))
    with pytest.raises(InvalidFrameError, match=f"padded with more than {MAX_PADDING_BYTES} zero"):
        taken.extend(piece for chunk in zeros for piece in gunzip.feed(chunk))
    assert (taken, zeros.__length_hint__()) == ([], 1_000 - MAX_PADDING_BYTES // 65_536 - 1)
    with pytest.raises(InvalidFrameError, match="padded with more"):
        unpack((gzip.compress(b"x") + bytes(65_536)) * 17)


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_the_size_of_what_it_is_fed_does_not_matter(size):
    packed = gzip.compress(NOISE[:9_999]) + gzip.compress(b"end")
    gunzip = Gunzip(PATH)
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
    found = b"".join(piece for chunk in chunks for piece in gunzip.feed(chunk))
    gunzip.finish()
    assert found == NOISE[:9_999] + b"end"


@pytest.mark.parametrize("cut", [1, 8, 9, 500_000, 1_000_000])
def test_a_file_that_is_cut_short_is_refused(cut):
    with pytest.raises(InvalidFrameError, match=r"x\.fits\.gz is no gzip file .* cut short"):
        unpack(gzip.compress(NOISE)[:-cut])


def test_what_is_damaged_or_no_gzip_is_refused():
    packed = bytearray(gzip.compress(NOISE))
    packed[-5] ^= 1
    for data in (packed, b"<html>", gzip.compress(b"x") + b"y", b"\x1f\x8b"):
        with pytest.raises(InvalidFrameError, match=r"x\.fits\.gz is no gzip file"):
            unpack(bytes(data))
    with pytest.raises(InvalidFrameError, match="cut short"):
        unpack(b"")


def test_a_bomb_is_given_up_on_at_once():
    bomb = gzip.compress(bytes(1 << 24), 9) * 64
    started, sizes = time.thread_time(), []
    with pytest.raises(InvalidFrameError, match="over 20 times as many"):
        sizes.extend(len(piece) for piece in unpacked(io.BytesIO(bomb), PATH))
    assert (max(sizes), sum(sizes)) == (1 << 18, 128 << 20)
    assert time.thread_time() - started < 2


def test_countless_empty_members_are_given_up_on():
    started = time.thread_time()
    with pytest.raises(InvalidFrameError, match=f"more than {MAX_GZIP_MEMBERS} members"):
        unpack(gzip.compress(b"") * (MAX_GZIP_MEMBERS + 1))
    assert time.thread_time() - started < 2


def test_headers_are_found_as_in_a_plain_file(primary, fits_header):
    data = primary(NAXIS=1, NAXIS1=3_000_000) + bytes(3_000_960)
    data += fits_header(XTENSION="IMAGE", BITPIX=8, NAXIS=0, EXTNAME="second") + b" " * 2880
    hdus = scan_gzipped_hdus(io.BytesIO(gzip.compress(data)), PATH)
    assert [(hdu.index, hdu.header_start, hdu.end) for hdu in hdus] == [
        (0, 0, 3_003_840),
        (1, 3_003_840, 3_006_720),
    ]
    assert hdus[1].header["EXTNAME"] == "second"
