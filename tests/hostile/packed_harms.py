"""Ways to harm gzip files and tar archives, and archives that nobody would write by accident."""

import gzip
import io
import tarfile
import zlib

RECORD = 512


def zipped(data, level=1):
    """Return data in one stream of gzip, alike at any time."""
    return gzip.compress(bytes(data), level, mtime=0)


ZEROS = zipped(bytes(1 << 20), 9)
"""A kilobyte that unpacks to a megabyte."""

NAMES = (
    *("../x.fits", "../../../../tmp/x.fits", "/etc/x.fits", "..", ".", "", "/", "a/../../b.fits"),
    *("a\\..\\x.fits", "C:\\x.fits", "~/x.fits", "x" * 99, "d/" * 49 + "x", "\x1b[2J.fits"),
    *(
        "\u00e9.fits",
        "a\nb.fits",
        "-rf",
        "CON",
        "x.fits.fz",
        "x.fits.gz",
        "x.tar.gz",
        ".calrecords",
    ),
)
TYPES = "01234567SLKxgXMVA\0Z"
SIZES = (
    *(b"00000000000", b"77777777777", b"00000000001", b"-0000000001", b"99999999999", b"x"),
    *(b"", b" " * 12, b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80" + bytes(10) + b"\x01"),
    *(b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7, b"0o1777", b"1e9", b"00000005500"),
)
ATTRIBUTES = (
    *(b"path", b"size", b"linkpath", b"GNU.sparse.major", b"GNU.sparse.size", b"GNU.sparse.map"),
    *(b"GNU.sparse.realsize", b"GNU.sparse.name", b"mtime", b"hdrcharset", b"comment", b"x\0y"),
)
VALUES = (
    *(b"../../x.fits", b"/etc/x.fits", b"0", b"-1", b"1e9", b"9" * 18, b"9" * 400, b"\xff\xfe"),
    *(b"", b"a.fits", b"a\0b", b"BINARY", b"0,0,1,99999999999", b"x" * 5_000),
)


def tar_header(name=b"a.fits", *, size=b"00000000000", kind=b"0", link=b"", magic=b"ustar\x0000"):
    """Return a header whose own checksum is right, whatever it says."""
    block = bytearray(RECORD)
    for at, most, value in (
        (0, 100, name),
        (100, 8, b"0000644\0"),
        (108, 8, b"0000000\0"),
        (116, 8, b"0000000\0"),
        (124, 12, size),
        (136, 12, b"00000000000"),
        (156, 1, kind),
        (157, 100, link),
        (257, 8, magic),
    ):
        block[at : at + len(value[:most])] = value[:most]
    return bytes(with_checksum(block))


def with_checksum(block):
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


def filled(data):
    return data + bytes(-len(data) % RECORD)


def sound_member(rng, name, data):
    """Return a member as tarfile writes it, in one of its three ways."""
    file = io.BytesIO()
    style = rng.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=file, mode="w", format=style) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        return file.getvalue()[: archive.offset]


def odd_member(rng, data):
    """Return a member with one thing in its header that is not as it should be."""
    name = rng.choice(NAMES).encode()
    harm = rng.randrange(6)
    if harm == 0:
        return tar_header(name, size=b"%011o" % len(data)) + filled(data)
    if harm == 1:
        return tar_header(kind=rng.choice(TYPES).encode(), link=name, size=rng.choice(SIZES))
    if harm == 2:
        return tar_header(size=rng.choice(SIZES)) + filled(data)
    if harm == 3:
        return attributes(rng) + tar_header(size=b"%011o" % len(data)) + filled(data)
    if harm == 4:
        return tar_header(magic=rng.choice((b"ustar  \0", b"", b"\xff" * 8)), name=name)
    return long_name(rng) + tar_header(size=b"%011o" % len(data)) + filled(data)


def attributes(rng):
    """Return a header of attributes (pax), which may lie about lengths."""
    records = [(rng.choice(ATTRIBUTES), rng.choice(VALUES)) for _ in range(rng.choice((1, 2, 50)))]
    lie = rng.choice((1, -1, 10**6)) if rng.random() < 0.2 else 0
    size = rng.choice(SIZES) if rng.random() < 0.1 else None
    return attributes_of(records, lie, kind=rng.choice((b"x", b"g", b"X")), size=size)


def attributes_of(records, lie=0, *, kind=b"x", size=None):
    """Return a header of attributes (pax); the last one may be off by some bytes."""
    written = []
    for name, value in records:
        body = b" %s=%s\n" % (name, value)
        length = len(body) + len(str(len(body)))
        length += len(str(length)) - len(str(len(body)))
        written.append(b"%d%s" % (length + (lie if len(written) == len(records) - 1 else 0), body))
    data = b"".join(written)
    size = b"%011o" % len(data) if size is None else size
    return tar_header(kind=kind, size=size) + filled(data)


def long_name(rng):
    name = rng.choice((b"x" * 200, b"../" * 100 + b"x", b"\xff" * 300, b"a\0b", b"x" * 70_000))
    return tar_header(kind=rng.choice((b"L", b"K")), size=b"%011o" % len(name)) + filled(name)


def tar_of(rng, frames):
    """Return an archive of a few members; some of them are frames, harmed or not."""
    members = []
    for data in frames:
        name = rng.choice(("a-e00.fits", "out/a-e91.fits", "a.fits.fz", "notes.txt"))
        is_odd = rng.random() < 0.3
        members.append(odd_member(rng, data) if is_odd else sound_member(rng, name, data))
        members.append(bytes(2 * RECORD) if rng.random() < 0.03 else b"")
    if rng.random() < 0.1:
        one = rng.choice((attributes(rng), long_name(rng), tar_header(kind=b"5", name=b"d/")))
        members.append(one * min(rng.choice((1, 40, 12_000)), (8 << 20) // len(one)))
    end = bytes(RECORD) * rng.choice((0, 1, 2, 2, 2, 20))
    return bytearray(b"".join(members) + end)


def header_field_changed(rng, data):
    """Change a field in some block as if it were a header, and let its checksum agree."""
    at = rng.randrange(len(data) // RECORD + 1) * RECORD
    block = bytearray(data[at : at + RECORD].ljust(RECORD, b"\0"))
    field, most = rng.choice(((0, 100), (124, 12), (156, 1), (157, 100), (257, 8), (345, 155)))
    value = rng.choice((rng.choice(SIZES), rng.choice(NAMES).encode(), rng.randbytes(most)))[:most]
    block[field : field + len(value)] = value
    data[at : at + RECORD] = with_checksum(block)
    return data


def record_gone(rng, data):
    at = rng.randrange(len(data) // RECORD + 1) * RECORD
    del data[at : at + RECORD]
    return data


def record_of_zeros(rng, data):
    at = rng.randrange(len(data) // RECORD + 1) * RECORD
    data[at:at] = bytes(RECORD)
    return data


def archive_twice(rng, data):
    return data + data[rng.choice((0, RECORD)) :]


def packed(rng, data):
    """Return data in gzip: in one stream, in several, or stored as they are."""
    level = rng.choice((0, 1, 1, 6))
    if rng.random() < 0.8:
        return bytearray(zipped(data, level))
    middle = rng.randrange(len(data) + 1)
    return bytearray(b"".join(zipped(part, level) for part in (data[:middle], data[middle:])))


def packed_twice(rng, data):
    for _ in range(rng.choice((1, 1, 3))):
        data = zipped(data)
    return bytearray(data)


def stream_bits_flipped(rng, data):
    for _ in range(rng.choice((1, 2, 16))):
        at = rng.randrange(rng.choice((min(len(data), 20), len(data))))
        data[at] ^= 1 << rng.randrange(8)
    return data


def stream_cut(rng, data):
    del data[rng.choice((rng.randrange(len(data) + 1), len(data) - 1, len(data) - 8, 10, 0)) :]
    return data


def stream_gone_on(rng, data):
    more = (zipped(b""), b"x", bytes(100_000), b"\x1f\x8b", zipped(b"SIMPLE"), data)
    return data + rng.choice(more) * rng.choice((1, 1, 30))


def countless_streams(rng, data):
    return data + zipped(b"") * rng.choice((3_000, 100_001))


def stream_header_changed(rng, data):
    """Set flags of a gzip header, with fields of any length behind it or none at all."""
    flags = rng.choice((0x04, 0x08, 0x10, 0x02, 0x1F, 0xE0))
    fields = rng.choice((b"", b"\xff\xff" + bytes(65_535), b"x" * 70_000 + b"\0", b"\x04\0abcd"))
    return bytearray(
        bytes(data[:3]) + bytes([flags]) + bytes(data[4:10]) + fields + bytes(data[10:])
    )


def wrong_sum(rng, data):
    data[-rng.randrange(1, min(len(data), 8) + 1)] ^= 0xFF
    return data


def bomb(rng, data):
    """Unpack to a quarter of a gigabyte, or to far more."""
    return data + ZEROS * rng.choice((100, 140, 1_024))


def stored_block_that_lies(rng, data):
    """Announce more bytes in a stored block than there are."""
    deflated = b"\x00\xff\xff\x00\x00" + rng.randbytes(100)
    head = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
    return bytearray(head + deflated + zlib.crc32(b"").to_bytes(4, "little") + bytes(4))


TAR = (
    *(header_field_changed, header_field_changed, header_field_changed),
    *(record_gone, record_of_zeros, archive_twice),
)
GZIP = (
    *(stream_bits_flipped, stream_bits_flipped, stream_cut, stream_cut, stream_gone_on),
    *(packed_twice, stream_header_changed, wrong_sum, stored_block_that_lies),
)
RARE = (bomb, countless_streams)
