"""A stream is read forward like a file, and what lies behind is forgotten."""

import random

import pytest

from calrecords.datafiles.forward_file import ForwardFile, MemberFile

DATA = random.Random(0).randbytes(10_000)


def stream(size):
    return ForwardFile(DATA[start : start + size] for start in range(0, len(DATA), size))


@pytest.mark.parametrize("size", [1, 7, 512, 10_000])
def test_reads_what_a_file_would(size):
    file = stream(size)
    for position, length in [(0, 10), (0, 3), (5, 0), (5, 600), (600, 1), (9_990, 100), (9_995, 5)]:
        assert file.seek(position) == position
        assert file.read(length) == DATA[position : position + length]
    assert file.read(1) == b""
    assert file.seek(20_000) == 20_000
    assert file.read(10) == b""


def test_goes_on_where_it_was():
    file = stream(7)
    file.seek(3)
    assert [file.read(4), file.read(4)] == [DATA[3:7], DATA[7:11]]


def test_cannot_go_back():
    file = stream(7)
    file.seek(100)
    with pytest.raises(ValueError, match="cannot go back from byte 100 to 99"):
        file.seek(99)


@pytest.mark.parametrize("size", [1, 512, 10_000])
def test_drained_it_says_how_long_it_was(size):
    file = stream(size)
    file.seek(700)
    file.read(900)
    assert file.drain() == 10_000
    assert file.drain() == 10_000


def test_a_member_ends_where_it_ends():
    member = MemberFile(stream(100), 250, 300)
    assert member.read(0) == b""
    member.seek(0)
    assert member.read(10) == DATA[250:260]
    assert member.read(10) == DATA[260:270]
    member.seek(290)
    assert member.read(100) == DATA[540:550]
    member.seek(400)
    assert member.read(1) == b""
