"""What is sent is verified before it is complete; what is received never waits for ever."""

import io
import os

import pytest

from calrecords.errors import ChecksumMismatchError, FileStoreUnavailableError
from calrecords.filestore.s3_streams import (
    Deadline,
    ObjectReader,
    VerifyingReader,
    Window,
    rewindable,
)

DATA = b"0123456789"


def reader_of(put, data, *, skip=0, timeout_s=60):
    source = io.BytesIO(data)
    source.seek(skip)
    return VerifyingReader("a/b", source, put.digest_of(DATA), deadline=Deadline("a/b", timeout_s))


def test_gives_the_same_bytes_each_time_and_knows_its_length(put):
    reader = reader_of(put, b"skipped" + DATA, skip=7)
    assert (reader.tell(), reader.seek(0, os.SEEK_END), reader.tell()) == (0, 10, 10)
    for _ in range(2):
        assert reader.seek(0) == 0
        assert [reader.read(4), reader.read(4), reader.read(4), reader.read(4)] == [
            b"0123",
            b"4567",
            b"89",
            b"",
        ]
    reader.seek(0)
    assert reader.read() == DATA
    with pytest.raises(io.UnsupportedOperation):
        reader.seek(3)


@pytest.mark.parametrize("data", [b"", DATA[:-1], DATA + b"x", b"x" + DATA[1:], DATA * 2])
@pytest.mark.parametrize("size", [1, 5, 10, 11, 100])
def test_never_gives_the_last_byte_of_wrong_data(put, data, size):
    reader, given = reader_of(put, data), []
    with pytest.raises(ChecksumMismatchError) as caught:
        given.extend(iter(lambda: reader.read(size), None))
    assert len(b"".join(given)) < len(DATA)
    for again in (lambda: reader.read(1), lambda: reader.seek(0)):
        with pytest.raises(ChecksumMismatchError) as repeated:
            again()
        assert repeated.value is caught.value is reader.failure


def test_gives_up_after_its_time(put):
    reader = reader_of(put, DATA, timeout_s=-1)
    with pytest.raises(FileStoreUnavailableError, match="longer than -1 s"):
        reader.read(1)


def test_spools_only_what_cannot_be_read_twice():
    source = io.BytesIO(DATA)
    with rewindable(source) as same:
        assert same is source
    read_end, write_end = os.pipe()
    os.write(write_end, DATA)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe, rewindable(pipe) as spool:
        assert spool.read() == DATA
        spool.seek(0)
        assert spool.read() == DATA


def test_a_download_is_a_stream_like_any_other():
    body = io.BytesIO(DATA)
    with ObjectReader(body, doing="read a/b", bucket="bucket", timeout_s=60) as reader:
        assert reader.readable()
        assert not reader.seekable()
        assert [reader.read(4), reader.read(), reader.read(1)] == [b"0123", b"456789", b""]
    assert body.closed


def test_a_window_is_a_piece_of_a_file_that_can_be_read_twice():
    source = io.BytesIO(b"before" + DATA + b"after")
    window = Window(source, 6, len(DATA))
    assert window.readable()
    assert window.seekable()
    for _ in range(2):
        assert [window.read(4), window.tell(), window.read(), window.read(1), window.read(0)] == [
            b"0123",
            4,
            b"456789",
            b"",
            b"",
        ]
        assert window.seek(0) == 0
    assert (window.seek(8), window.read(100)) == (8, b"89")
    for hostile in ((0, os.SEEK_END), (-1, os.SEEK_SET)):
        with pytest.raises(io.UnsupportedOperation):
            window.seek(*hostile)
    window.close()
    assert not source.closed


def test_a_window_beyond_the_end_holds_what_there_is():
    assert Window(io.BytesIO(DATA), 6, 100).read() == b"6789"
    assert Window(io.BytesIO(DATA), 60, 100).read() == b""


def test_a_deadline_is_over_when_its_time_is():
    Deadline("a/b", 60).check()
    with pytest.raises(FileStoreUnavailableError, match="storing a/b took longer than -1 s"):
        Deadline("a/b", -1).check()
