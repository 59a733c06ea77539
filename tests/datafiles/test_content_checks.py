"""Bytes that contradict their own CHECKSUM or DATASUM are found in one pass."""

import pytest

from calrecords.datafiles import DataFileFactory, FitsFile
from calrecords.datafiles.content_checks import HduChecksums
from calrecords.datafiles.synthetic import write_synthetic_frame
from calrecords.errors import InvalidFrameError
from calrecords.frames import digest_stream


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def frame(tmp_path, request):
    return write_synthetic_frame(tmp_path, compress=request.param, shape=(40, 300))


def test_a_sound_file_passes(frame):
    DataFileFactory().open(frame).verify()


def test_a_flipped_bit_is_found_wherever_it_is(frame):
    sound = frame.read_bytes()
    data_start = DataFileFactory().open(frame).hdus[-1].data_start
    for where in (data_start, data_start + 1000, len(sound) - 1):
        frame.write_bytes(sound[:where] + bytes([sound[where] ^ 1]) + sound[where + 1 :])
        with pytest.raises(InvalidFrameError, match="differ from its DATASUM"):
            DataFileFactory().open(frame).verify()
        with pytest.raises(InvalidFrameError, match="get the file again"):
            DataFileFactory().open(frame).digest()


def test_an_edited_header_is_found(frame):
    frame.write_bytes(frame.read_bytes().replace(b"'fa01    '", b"'fa02    '"))
    with pytest.raises(InvalidFrameError, match="differs from its CHECKSUM"):
        DataFileFactory().open(frame).verify()


def test_a_file_without_sums_is_not_judged(write_frame):
    for sums in ({}, {"CHECKSUM": "", "DATASUM": ""}):
        FitsFile(write_frame(**sums)).verify()


def test_a_datasum_that_is_no_number_is_a_fault(write_frame):
    for bad in ("x", "-1", "1.0", 5):
        with pytest.raises(InvalidFrameError, match="DATASUM"):
            FitsFile(write_frame(DATASUM=bad)).verify()


def test_a_datasum_of_more_digits_than_python_reads_is_a_fault(write_frame):
    more = {f"C{number}": b"CONTINUE  '" + b"0" * 67 + b"&'" for number in range(70)}
    path = write_frame(DATASUM="0&", **more, END_OF_IT=b"CONTINUE  '0'")
    with pytest.raises(InvalidFrameError, match="DATASUM"):
        FitsFile(path).verify()


def test_sums_do_not_depend_on_how_the_bytes_come(frame):
    data = frame.read_bytes()
    hdus = DataFileFactory().open(frame).hdus
    for step in (1, 7, 2880, 2881, 10_000, len(data)):
        check = HduChecksums(hdus)
        for start in range(0, len(data), step):
            check.write(data[start : start + step])
        assert check.fault() is None


def test_sums_many_megabytes_without_overflow(write_frame):
    path = write_frame(BITPIX=8, NAXIS=1, NAXIS1=2880 * 5000, DATASUM="4294967295")
    with path.open("ab") as file:
        file.write(b"\xff" * 2880 * 5000)
    FitsFile(path).verify()


def test_every_real_frame_passes(shared_data):
    for path in sorted((shared_data / "lco").glob("*.fits*")):
        data_file = DataFileFactory().open(path)
        data_file.verify()
        with path.open("rb") as file:
            assert data_file.digest() == digest_stream(file)
