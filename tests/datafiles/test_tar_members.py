"""A tar archive is walked as a stream; one that could do harm is refused."""

import io
import tarfile
import time
from pathlib import Path

import pytest

from calrecords.datafiles.forward_file import ForwardFile
from calrecords.datafiles.tar_members import (
    MAX_LONG_HEADER_BYTES,
    MAX_LONG_HEADERS_BYTES,
    MAX_MEMBERS,
    walk_members,
)
from calrecords.errors import InvalidFrameError

PATH = Path("x.tar")


def walk(data):
    return list(walk_members(ForwardFile(iter([data])), PATH))


def archive(*members, style=tarfile.PAX_FORMAT, **attributes):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=style) as written:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in attributes.items():
                setattr(info, key, value)
            written.addfile(info, io.BytesIO(data))
    return file.getvalue()


def header(name="x.fits", size=0, **attributes):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in attributes.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


END = bytes(1024)
LONG = "folder/" * 40 + "\u00e9.fits"


@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_finds_the_members_that_tarfile_finds(style):
    names = ("a.fits", "b/c.txt", "e.fits") if style == tarfile.USTAR_FORMAT else ("a", LONG, "e")
    data = archive((names[0], b"x" * 600), (names[1], b""), (names[2], b"y"), style=style)
    with tarfile.open(fileobj=io.BytesIO(data)) as known:
        expected = [(info.name, info.offset_data, info.size) for info in known]
    found = walk(data)
    assert [(member.name, member.start, member.size) for member in found] == expected
    assert [member.name for member in found] == list(names)


def test_passes_over_folders():
    data = header("folder/", type=tarfile.DIRTYPE) + header("folder/a") + END
    assert [member.name for member in walk(data)] == ["folder/a"]


@pytest.mark.parametrize(
    "name", ["../x.fits", "a/../../x.fits", "/etc/x.fits", "a\\..\\x.fits", "C:\\x.fits", ".."]
)
def test_a_name_that_leaves_the_archive_is_refused(name):
    with pytest.raises(InvalidFrameError, match="names a place outside of it"):
        walk(header("good.fits") + header(name) + END)
    with pytest.raises(InvalidFrameError, match="names a place outside of it"):
        walk(archive((name, b"x"), pax_headers={"path": name}))


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.GNUTYPE_SPARSE, "a sparse file"),
        (b"Z", "a member of an unknown type"),
    ],
)
def test_what_is_neither_a_file_nor_a_folder_is_refused(kind, what):
    with pytest.raises(InvalidFrameError, match=f"it holds {what}, 'x.fits'"):
        walk(header(type=kind, linkname="/etc/passwd") + END)


def test_a_sparse_file_of_the_newer_kind_is_refused():
    with pytest.raises(InvalidFrameError, match="it holds a sparse file"):
        walk(archive(("x.fits", b"x"), pax_headers={"GNU.sparse.major": "1"}))


def test_headers_that_say_too_much_together_are_refused():
    records = b"6 a=b\n" * (MAX_LONG_HEADER_BYTES // 6)
    one = header(type=tarfile.XGLTYPE, size=len(records)) + records.ljust(
        MAX_LONG_HEADER_BYTES, b"\0"
    )
    started = time.thread_time()
    with pytest.raises(
        InvalidFrameError, match=f"over {MAX_LONG_HEADERS_BYTES} bytes of long headers"
    ):
        walk(one * 33 + END)
    assert time.thread_time() - started < 2


def test_more_members_than_science_needs_are_refused():
    assert len(walk(header() * MAX_MEMBERS + END)) == MAX_MEMBERS
    with pytest.raises(InvalidFrameError, match=f"more than {MAX_MEMBERS} members"):
        walk(header() * (MAX_MEMBERS + 1) + END)


def test_a_header_without_end_is_refused():
    size = MAX_LONG_HEADER_BYTES + 1
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE):
        with pytest.raises(InvalidFrameError, match=f"has {size} bytes, over"):
            walk(header(type=kind, size=size) + bytes(1 << 17))


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_negative_length_is_refused(kind):
    block = bytearray(header(type=kind))
    block[124:136] = b"\xff" * 12
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    with pytest.raises(InvalidFrameError, match="has -1 bytes"):
        walk(bytes(block) + END)


@pytest.mark.parametrize(
    "records",
    [b"9999 path=x\n", b"3 p=x\n", b"x path=y\n", b"12 path=a.fi", b"0 path=x\n", b"9 size=z\n"],
)
def test_attributes_that_cannot_be_read_are_refused(records):
    data = header(type=tarfile.XHDTYPE, size=len(records)) + records.ljust(512, b"\0")
    with pytest.raises(InvalidFrameError, match=r"no list of records|has a size of"):
        walk(data + header() + END)


def test_attributes_go_before_the_header():
    sized = archive(("x", b"y" * 700), pax_headers={"size": "700", "comment": "a=b\nc"})
    assert [(member.name, member.size) for member in walk(sized)] == [("x", 700)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"x" * 512,
        header(),
        header() + bytes(511),
        header(size=1) + END[:512],
        header(size=1 << 60) + bytes(4096),
        archive(("x.fits", b"y" * 4_000))[:3_000],
    ],
    ids=len,
)
def test_what_is_broken_or_cut_short_is_refused(data):
    with pytest.raises(InvalidFrameError, match=r"x\.tar is no tar archive that can be read"):
        walk(data)
