"""A tar archive is described by a FITS file in it, found as ocs-archive finds it."""

import contextlib
import gzip
import random
import resource
import subprocess
import sys
import tarfile
import time

import pytest

from calrecords.datafiles import LcoTarWithFitsFile, TarWithFitsFile
from calrecords.errors import CalRecordsError, InvalidFrameError, MissingKeywordError

NAME = "lsc1m009-fa01-20260101-0001-e91"


@pytest.fixture
def frame(write_frame):
    """Return the bytes of a frame."""

    def make(**keywords):
        return write_frame("inner.fits", **keywords).read_bytes()

    return make


@pytest.mark.parametrize("extension", [".tar.gz", ".tar", ".TAR.GZ"])
def test_the_first_fits_file_describes_it(write_tar, frame, tmp_path, extension):
    members = [
        ("notes.txt", b"hello"),
        ("out/a.fits", frame(OBJECT="first")),
        ("out/b.fits", frame(OBJECT="second")),
    ]
    written = write_tar(f"x{extension.lower()}", members)
    path = written.rename(tmp_path / f"{NAME}{extension}")
    archive = TarWithFitsFile(path)
    assert archive.header["OBJECT"] == "first"
    assert archive.content_type == "application/x-tar"
    assert archive.store_key == f"lsc/fa01/20260101/raw/{NAME}{extension}"
    assert archive.digest().size == path.stat().st_size


def test_lcos_is_described_by_its_raw_or_reduced_frame(write_tar, frame):
    members = [(f"{n}.fits", frame(OBJECT=n)) for n in ("a-e99", "a-e91-summary", "a-e91", "a-e00")]
    assert LcoTarWithFitsFile(write_tar("x.tar.gz", members)).header["OBJECT"] == "a-e91"
    with pytest.raises(InvalidFrameError, match=r"x\.tar\.gz holds no FITS file to describe it"):
        LcoTarWithFitsFile(write_tar("x.tar.gz", members[:2]))


def test_lcos_gets_lcos_repairs(write_tar, frame):
    path = write_tar(f"{NAME}.tar.gz", [("a-e00.fits", frame(OBSTYPE="UNKNOWN"))])
    repaired = LcoTarWithFitsFile(path)
    assert (repaired.facts.obstype, repaired.facts.reduction_level) == ("EXPOSE", 90)
    path = write_tar(f"{NAME}.tar.gz", [("a-e00.fits", frame(RLEVEL=91))])
    assert LcoTarWithFitsFile(path).facts.reduction_level == 91


def test_metadata_help_as_with_any_file(write_tar, frame):
    path = write_tar("x.tar.gz", [("a.fits", frame(TELID=None))])
    with pytest.raises(MissingKeywordError, match="TELID"):
        TarWithFitsFile(path)
    assert TarWithFitsFile(path, metadata={"TELID": "2m0a"}).facts.telescope == "2m0a"


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("a.txt", b"x")],
        [("A.FITS", b"")],
        [("a.fits", b"<html>")],
        [("a.fits", b"")],
        [("a.fits", b"SIMPLE  =                    T".ljust(2880))],
    ],
    ids=str,
)
def test_an_archive_without_a_whole_fits_file_is_refused(write_tar, members):
    with pytest.raises(InvalidFrameError, match=r"x\.tar\.gz"):
        TarWithFitsFile(write_tar("x.tar.gz", members))


def test_what_lies_behind_the_fits_file_is_looked_at_too(write_tar, frame):
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(InvalidFrameError, match="symbolic link"):
        TarWithFitsFile(write_tar("x.tar.gz", [("a.fits", frame()), (link, b"")]))


def test_an_archive_that_is_cut_short_anywhere_is_refused(write_tar, frame):
    path = write_tar("x.tar.gz", [("a.fits", frame()), ("b", random.Random(1).randbytes(50_000))])
    data = path.read_bytes()
    for length in (0, 1, 17, 500, len(data) // 2, len(data) - 9, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(InvalidFrameError, match=r"x\.tar\.gz.*cut short"):
            TarWithFitsFile(path)


BOMB = """
import resource, sys, time
from calrecords.datafiles import TarWithFitsFile
from calrecords.errors import InvalidFrameError
started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    TarWithFitsFile(sys.argv[1])
except InvalidFrameError as error:
    took = time.process_time() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(took < 2, grown < 64 * 1024, "times as many" in str(error))
"""


def test_a_bomb_takes_neither_time_nor_memory(frame, tmp_path):
    sound, bomb = tarfile.TarInfo("a.fits"), tarfile.TarInfo("b.fits")
    sound.size, bomb.size = 2880, 1 << 30
    begins = sound.tobuf() + frame().ljust(3072, b"\0") + bomb.tobuf()
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(begins) + gzip.compress(bytes(1 << 20), 9) * 1024)
    command = [sys.executable, "-c", BOMB, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True True True\n"
    assert path.stat().st_size < 2 << 20


def test_nothing_is_extracted(write_tar, frame, tmp_path, monkeypatch):
    path = write_tar("x.tar.gz", [("a.fits", frame())])
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        TarWithFitsFile(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("packed", [False, True])
def test_whatever_is_in_it_only_our_errors_come_out(write_tar, frame, tmp_path, packed):
    data = write_tar("x.tar", [("a.txt", b"x"), ("b/a.fits", frame())]).read_bytes()
    path, chance, worst = tmp_path / "m.tar.gz", random.Random(7), 0.0
    for _ in range(200):
        mutated = bytearray(data if not packed else gzip.compress(data))
        for _ in range(chance.choice((1, 3, 20))):
            place = chance.randrange(len(mutated) if packed else 5_000)
            mutated[place] = chance.choice((chance.randrange(256), 0, 0x20, 0x39))
        path.write_bytes(mutated if packed else gzip.compress(mutated, 1))
        started = time.thread_time()
        with contextlib.suppress(CalRecordsError):
            TarWithFitsFile(path).archive_record()
        worst = max(worst, time.thread_time() - started)
    assert worst < 2
