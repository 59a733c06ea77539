"""Files that were made to do harm, each with what must come of it."""

import gzip
import os
import socket
import tarfile
from dataclasses import dataclass
from pathlib import Path

from fits_harms import BLOCK, CARD, card_of
from packed_harms import ZEROS, attributes_of, tar_header, zipped

NAME = "lsc1m009-fa01-20260101-0001-b00"
FACTS = {
    "PROPID": "calibrate",
    "DATE-OBS": "2026-01-02T03:04:05.678",
    "DAY-OBS": "20260101",
    "INSTRUME": "fa01",
    "SITEID": "lsc",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "BLKUID": 12345,
}


@dataclass(frozen=True)
class Attack:
    """One file.

    Attributes
    ----------
    make : callable
        Given a folder, writes the file there and returns its path.
    outcome : str
        ``taken`` where there is no harm in it, else the error.
    says : str
        What the error says.
    """

    make: object
    outcome: str
    says: str = ""


def card(keyword, value):
    if isinstance(value, bool):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        field = f"'{value:<8}'"
    else:
        field = f"{value!s:>20}"
    return card_of(keyword, field)


def header(cards, *more):
    """Return the blocks of a header; `more` are cards as they are."""
    written = [card(keyword, value) for keyword, value in cards.items()]
    data = b"".join([*written, *more, b"END".ljust(CARD)])
    return data.ljust(-(-len(data) // BLOCK) * BLOCK)


def primary(*more, **cards):
    """Return a frame without pixels; ``__`` in a keyword is a dash, and one of None is left out."""
    given = {keyword.replace("__", "-"): value for keyword, value in cards.items()}
    facts = {key: value for key, value in {**FACTS, **given}.items() if value is not None}
    return header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, **facts}, *more)


def extension(*more, **cards):
    return header({"XTENSION": "IMAGE", "BITPIX": 8, "NAXIS": 0, **cards}, *more)


def compressed(**cards):
    """Return the table of a tile-compressed image that has no tiles."""
    table = {"BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": 0, "PCOUNT": 0, "GCOUNT": 1}
    image = {"ZIMAGE": True, "ZCMPTYPE": "RICE_1", "ZBITPIX": 16, "ZNAXIS": 2}
    shape = {"ZNAXIS1": 8, "ZNAXIS2": 8, "TFIELDS": 1, "TFORM1": "1PB(0)", **FACTS}
    empty = header({"SIMPLE": True, "BITPIX": 8, "NAXIS": 0})
    return empty + header({"XTENSION": "BINTABLE", **table, **image, **shape, **cards})


def continued(keyword, digit, cards):
    """Return the cards of a text that goes on and on."""
    more = b"CONTINUE  '" + digit * 67 + b"&'"
    return card_of(keyword, f"'{digit.decode()}&'") + more * cards + b"CONTINUE  ''".ljust(CARD)


def many(count, form):
    return b"".join((form % number).ljust(CARD) for number in range(count))


def file(data, extension=".fits", name=NAME):
    """Return what writes these bytes; they may be made by a function, as some are large."""

    def make(folder):
        path = folder / f"{name}{extension}"
        path.write_bytes(data() if callable(data) else data)
        return path

    return make


def archive(*members):
    """Return what writes a tar archive of a sound frame and of further members."""

    def data():
        frame = primary()
        first = tar_header(b"a-e00.fits", size=b"%011o" % len(frame)) + frame.ljust(3072, b"\0")
        return zipped(first + b"".join(members) + bytes(1024))

    return file(data, ".tar.gz")


def link(to):
    def make(folder):
        path = folder / f"{NAME}.fits"
        path.symlink_to(to)
        return path

    return make


def fifo(folder):
    os.mkfifo(folder / f"{NAME}.fits")
    return folder / f"{NAME}.fits"


def link_to_fifo(folder):
    os.mkfifo(folder / "pipe")
    return link(folder / "pipe")(folder)


def listening_socket(folder):
    here = Path.cwd()
    os.chdir(folder)  # the path of a socket may have 100 letters only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"{NAME}.fits")
    finally:
        os.chdir(here)
    return folder / f"{NAME}.fits"


def folder_of_that_name(folder):
    (folder / f"{NAME}.fits").mkdir()
    return folder / f"{NAME}.fits"


def bomb_in_tar(folder):
    begins = tar_header(b"a.txt", size=b"%011o" % (1 << 30))
    return file(gzip.compress(begins, mtime=0) + ZEROS * 1024, ".tar.gz")(folder)


BAD, KEYWORD, GONE = "InvalidFrameError", "InvalidKeywordError", "DataFileNotFoundError"

HEADERS = {
    "a header without END": Attack(
        file(lambda: primary(many(18_000, b"K%07d=")).replace(b"END".ljust(CARD), b"".ljust(CARD))),
        BAD,
        "has no END",
    ),
    "1,001 HDUs": Attack(file(lambda: primary() + extension() * 1_000), BAD, "more than 1000 HDUs"),
    "headers of 5,500 blocks": Attack(
        file(lambda: primary() + extension(many(17_900, b"K%07d= 1")) * 11),
        BAD,
        "more than 5000 blocks",
    ),
    "texts of 161,000 cards": Attack(
        file(lambda: primary() + extension(continued("OBJECT", b"9", 17_900)) * 9), "taken"
    ),
    "89,500 long keywords": Attack(
        file(lambda: primary() + extension(many(17_900, b"HIERARCH a b%d = 'it''s' / x")) * 5),
        "taken",
    ),
    "a time of a megabyte": Attack(
        file(lambda: primary(continued("DATE-OBS", b"9", 17_000), DATE__OBS=None)), KEYWORD, "DATE"
    ),
    "a night of a megabyte": Attack(
        file(lambda: primary(continued("DAY-OBS", b"9", 17_000), DAY__OBS=None)), KEYWORD, "DAY"
    ),
    "a DATASUM of 6,700 digits": Attack(
        file(lambda: primary(continued("DATASUM", b"0", 100))), BAD, "DATASUM"
    ),
    "another byte than text": Attack(file(primary(OBJECT="\x00")), BAD, "0x00"),
}
SHAPES = {
    "ten million axes": Attack(file(primary(NAXIS=10_000_000)), BAD, "NAXIS = 10000000"),
    "33 axes": Attack(file(primary(NAXIS=33)), BAD, "NAXIS = 33"),
    "an axis of a quintillion": Attack(
        file(primary(NAXIS=1, NAXIS1=10**18)), BAD, "it is cut short"
    ),
    "an axis of 10^40": Attack(file(primary(NAXIS=1, NAXIS1=10**40)), BAD, "NAXIS1 = 1000"),
    "a heap of a quintillion": Attack(
        file(primary(NAXIS=1, NAXIS1=1, PCOUNT=10**18)), BAD, "it is cut short"
    ),
    "groups without end": Attack(
        file(primary(NAXIS=2, NAXIS1=0, NAXIS2=9, GROUPS=True, GCOUNT=10**15)), BAD, "cut short"
    ),
    "a compressed image of ten million axes": Attack(
        file(compressed(ZNAXIS=10_000_000), ".fits.fz"), BAD, "ZNAXIS = 10000000"
    ),
    "a compressed image with a shape below zero": Attack(
        file(compressed(ZNAXIS1=-1), ".fits.fz"), BAD, "ZNAXIS1 = -1"
    ),
    "a compressed image of an exabyte": Attack(
        file(compressed(ZNAXIS1=10**9, ZNAXIS2=10**9), ".fits.fz"), "taken"
    ),
    "two frames in one file": Attack(file(primary() * 2), BAD, "after its last HDU"),
    "a page behind the frame": Attack(file(primary() + b"<html>"), BAD, "after its last HDU"),
    "a page of zeros behind it": Attack(file(primary() + bytes((1 << 20) + 1)), BAD, "follow its"),
}
PLACES = {
    "a site that climbs": Attack(file(primary(SITEID="../../x")), KEYWORD, "SITEID is '../../x'"),
    "a site that is a path": Attack(file(primary(SITEID="/etc")), KEYWORD, "SITEID is '/etc'"),
    "a camera that climbs": Attack(file(primary(INSTRUME="..")), KEYWORD, "INSTRUME is '..'"),
    "a night that climbs": Attack(file(primary(DAY__OBS="../..")), KEYWORD, "DAY-OBS is '../..'"),
    "an input that climbs": Attack(file(primary(L1IDBIAS="../../etc/passwd")), "taken"),
    "a name with a blank": Attack(file(primary(), name="a b"), "UnsafeKeyError", "a b.fits"),
    "a name for a terminal": Attack(file(primary(), name="a\x1b[2J"), "UnsafeKeyError", "rename"),
    "a name for a shell": Attack(file(primary(), name="$(id)"), "UnsafeKeyError", "rename"),
}
PACKED = {
    "a gigabyte in a megabyte": Attack(file(ZEROS * 1024, ".fits.gz"), BAD, "times as many"),
    "a gigabyte after a frame": Attack(
        file(lambda: zipped(primary()) + ZEROS * 1024, ".fits.gz"), BAD, "times as many"
    ),
    "a gigabyte in an archive": Attack(bomb_in_tar, BAD, "times as many"),
    "a gigabyte packed twice": Attack(
        file(lambda: zipped(ZEROS * 1024), ".fits.gz"), BAD, "begins"
    ),
    "a hundred thousand streams": Attack(
        file(lambda: zipped(b"") * 100_001, ".fits.gz"), BAD, "100000 members"
    ),
    "a packed header without END": Attack(
        file(
            lambda: zipped(primary().replace(b"END".ljust(CARD), b"".ljust(CARD)))[:-8], ".fits.gz"
        ),
        BAD,
        "cut short",
    ),
}
ARCHIVES = {
    "a member that climbs": Attack(archive(tar_header(b"../../x.fits")), BAD, "outside of it"),
    "a member that is a path": Attack(archive(tar_header(b"/etc/x.fits")), BAD, "outside of it"),
    "a member that climbs by its attributes": Attack(
        archive(attributes_of([(b"path", b"../x.fits")]), tar_header()), BAD, "outside of it"
    ),
    "a symbolic link": Attack(
        archive(tar_header(b"x", kind=tarfile.SYMTYPE, link=b"/etc/passwd")), BAD, "symbolic link"
    ),
    "a hard link": Attack(
        archive(tar_header(b"x", kind=tarfile.LNKTYPE, link=b"/etc/passwd")), BAD, "hard link"
    ),
    "a device": Attack(archive(tar_header(b"x", kind=tarfile.CHRTYPE)), BAD, "a device"),
    "a pipe": Attack(archive(tar_header(b"x", kind=tarfile.FIFOTYPE)), BAD, "a pipe"),
    "a sparse file": Attack(
        archive(tar_header(b"x", kind=tarfile.GNUTYPE_SPARSE)), BAD, "a sparse file"
    ),
    "a sparse file by its attributes": Attack(
        archive(attributes_of([(b"GNU.sparse.major", b"1")]), tar_header()), BAD, "a sparse file"
    ),
    "a length below zero": Attack(archive(tar_header(size=b"\xff" * 12)), BAD, "-1 bytes"),
    "a length of an exabyte": Attack(
        archive(tar_header(size=b"\x80" + bytes(3) + b"\x0f" * 8)), BAD, "has a size of"
    ),
    "a length of a petabyte": Attack(
        archive(tar_header(size=b"\x80" + bytes(4) + b"\x0f" * 7)), BAD, "cut short"
    ),
    "10,001 members": Attack(archive(tar_header() * 10_001), BAD, "more than 10000 members"),
    "three megabytes of attributes": Attack(
        archive(attributes_of([(b"comment", b"x" * 60_000)]) * 50), BAD, "of long headers"
    ),
    "no end of attributes": Attack(
        archive(tar_header(kind=b"x", size=b"77777777777")), BAD, "of long headers"
    ),
    "an archive in the archive": Attack(
        file(lambda: zipped(tar_header(b"a.tar", size=b"%011o" % 512) + tar_header()), ".tar.gz"),
        BAD,
        "cut short",
    ),
}
KINDS = {
    "a pipe": Attack(fifo, BAD, "not a regular file"),
    "a link to a pipe": Attack(link_to_fifo, BAD, "not a regular file"),
    "a link to an endless device": Attack(link("/dev/zero"), BAD, "not a regular file"),
    "a link to an empty device": Attack(link("/dev/null"), BAD, "not a regular file"),
    "a socket": Attack(listening_socket, BAD, "not a regular file"),
    "a folder": Attack(folder_of_that_name, GONE, "is a folder"),
    "a link to itself": Attack(link(f"{NAME}.fits"), GONE, "cannot read"),
    "a link to nothing": Attack(link("nowhere"), GONE, "there is no file"),
    "a link to the memory of the process": Attack(link("/proc/self/mem"), BAD, "it is empty"),
    "a link to the messages of the kernel": Attack(link("/proc/kmsg"), BAD, "it is empty"),
    "a page": Attack(file(b"<html>" * 1_000), BAD, "begins with b'<html>"),
    "nothing": Attack(file(b""), BAD, "it is empty"),
    "a zip file": Attack(file(b"PK\x03\x04" + bytes(5_000)), BAD, "begins with"),
}
GROUPS = {
    "header": HEADERS,
    "shape": SHAPES,
    "place": PLACES,
    "packed": PACKED,
    "tar": ARCHIVES,
    "kind": KINDS,
}
ATTACKS = {
    f"{group}: {name}": attack for group, them in GROUPS.items() for name, attack in them.items()
}
