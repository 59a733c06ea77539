"""Ways to harm the bytes of a FITS file: its cards, its blocks, its ends."""

CARD, BLOCK = 80, 2880

STRUCTURE = (
    *("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT"),
    *("GROUPS", "EXTEND", "TFIELDS", "TFORM1", "TFORM2", "TTYPE1", "TDIM1", "THEAP", "TBCOL1"),
    *("ZIMAGE", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZBITPIX", "ZTILE1", "ZTILE2", "ZCMPTYPE"),
    *("ZSIMPLE", "ZTENSION", "ZPCOUNT", "ZGCOUNT", "ZQUANTIZ", "ZBLANK", "BSCALE", "BZERO"),
    *("CHECKSUM", "DATASUM", "ZHECKSUM", "ZDATASUM", "EXTNAME", "INHERIT", "BLANK", "LONGSTRN"),
)
FACTS = (
    *("SITEID", "INSTRUME", "TELID", "TELESCOP", "OBSTYPE", "DATE-OBS", "DAY-OBS", "DATE"),
    *("PROPID", "BLKUID", "RLEVEL", "ISMASTER", "CCDSUM", "CONFMODE", "FILTER", "EXPTIME"),
    *("CCDSTEMP", "CCDATEMP", "OBJECT", "L1PUBDAT", "PIPEVER", "L1IDBIAS", "L1IDDARK", "IMCOM001"),
    *(
        "TIMESYS",
        "REQNUM",
        "MOLUID",
        "TRACKNUM",
        "OBJECTS",
        "CTYPE1",
        "CD1_1",
        "CRVAL1",
        "ORIGNAME",
    ),
)
NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "9", "16", "32", "33", "999", "1000", "65535", "65536"),
    *("2147483647", "2147483648", "-2147483649", "4294967296", "9223372036854775807"),
    *("9223372036854775808", "18446744073709551616", "10000000", "1" + "0" * 30, "9" * 68),
    *("1E400", "-1E400", "1E-400", "1.5", "NaN", "INF", "-0", "+", "-", "0x10", "1_000", "1D5"),
    *("T", "F", "", "(1, 2)", "1 2", "''", "'1'", "'", "/", "= 5", "8 / 8", "\u00bd"),
)
TEXTS = (
    *("../../../../tmp/x", "/etc/passwd", "..", ".", "~root", "a/b", "a\\b", "C:\\x", "", " "),
    *("$(touch x)", "`id`", "; rm -rf x", "%s%n%d", "{0.__class__}", "'; DROP TABLE sites; --"),
    *("N/A", "UNKNOWN", "None", "nan", "0", "x" * 68, "it''s", "&", "x&", "&&", "\u00e9", "\x00"),
    *("\x1b[2J", "\r\n", "\x7f", "2026-13-45", "0000-00-00", "9999-12-31T23:59:60", "20260230"),
    *("9999-12-31T24:00:00", "0001-01-01T00:00:00+14:00", "2026-01-01T99:99:99", "10", "1e9"),
    *("10000 10000", "0 0", "-1 -1", "2 2 2", "BIAS" * 17, "thar&thar&none", "UT1", "TAI"),
)
TABLE_FORMS = ("999999999999PB", "-1J", "1QB(999999999)", "0A", "1X", "9Z", "PPPP", "1PB(-1)", "")


def header_spans(data):
    """Return (first byte, byte of the END card) of each header that can be seen."""
    spans = []
    for start in range(0, len(data), BLOCK):
        if data.startswith((b"SIMPLE  ", b"XTENSION"), start):
            end = data.find(b"END     ", start)
            while end != -1 and (end - start) % CARD:
                end = data.find(b"END     ", end + 1)
            if end != -1:
                spans.append((start, end))
    return spans or [(0, min(len(data), BLOCK))]


def a_card(rng, data):
    """Return where some card of some header stands; rather one of the later headers."""
    start, end = rng.choice(header_spans(data))
    return start + rng.randrange(max((end - start) // CARD, 1)) * CARD


def card_of(keyword, field):
    return f"{keyword:<8.8}= {field:<70.70}".encode("latin-1")


def put(data, at, card):
    data[at : at + CARD] = card
    return data


def place_of(rng, data, keyword):
    """Return where a keyword stands, or else a card that may be given up for it."""
    wanted = keyword.ljust(8).encode()
    found = [
        at
        for start, end in header_spans(data)
        for at in range(start, end, CARD)
        if bytes(data[at : at + 8]) == wanted
    ]
    return rng.choice(found) if found else a_card(rng, data)


def unsummed(data):
    """Let no checksum say that the file was changed, so that what is behind it is reached."""
    for start, end in header_spans(data):
        for at in range(start, end, CARD):
            if bytes(data[at : at + 8]) in {b"CHECKSUM", b"DATASUM "}:
                put(data, at, b"COMMENT".ljust(CARD))
    return data


def insane_structure(rng, data):
    keyword = rng.choice(STRUCTURE)
    if keyword.startswith("TFORM"):
        field = f"'{rng.choice(TABLE_FORMS)}'"
    else:
        field = f"{rng.choice(NUMBERS):>20}"
    return put(data, place_of(rng, data, keyword), card_of(keyword, field))


def hostile_fact(rng, data):
    keyword = rng.choice(FACTS)
    value = rng.choice(TEXTS) if rng.random() < 0.7 else None
    field = f"{rng.choice(NUMBERS):>20}" if value is None else f"'{value:<8}'"
    return put(data, place_of(rng, data, keyword), card_of(keyword, field))


def no_value(rng, data):
    at = a_card(rng, data)
    return put(data, at, bytes(data[at : at + 8]) + b"= ".ljust(CARD - 8))


def odd_keyword(rng, data):
    at = a_card(rng, data)
    name = rng.choice((b"", b"HIERARCH", b"simple", b"END", b"CONTINUE", b"\xff\xfe", b"A B", b"_"))
    data[at : at + 8] = name.ljust(8)
    return data


def odd_bytes_in_a_card(rng, data):
    at = a_card(rng, data) + rng.randrange(CARD)
    data[at : at + 1] = rng.choice((b"\0", b"\n", b"\t", b"'", b"&", b"/", b"=", b"\x80", b"\xff"))
    return data


def card_twice(rng, data):
    one, other = a_card(rng, data), a_card(rng, data)
    return put(data, one, bytes(data[other : other + CARD]).ljust(CARD))


def card_gone(rng, data):
    at = a_card(rng, data)
    _, end = next(span for span in header_spans(data) if span[0] <= at)
    del data[at : at + CARD]
    data[end:end] = b" " * CARD
    return data


def card_slipped(rng, data):
    at = a_card(rng, data)
    data[at:at] = b" " * rng.choice((1, 7, 79, 80, 81))
    return data


def end_twice(rng, data):
    return put(data, a_card(rng, data), b"END".ljust(CARD))


def end_gone(rng, data):
    _, end = rng.choice(header_spans(data))
    return put(data, end, rng.choice((b"COMMENT", b"end", b"END=", b"", b"ENDING")).ljust(CARD))


def end_with_more(rng, data):
    _, end = rng.choice(header_spans(data))
    data[end + 8 : end + 12] = rng.choice((b"= 1 ", b"\0\0\0\0", b"  / ", b"END "))
    return data


def flood(rng, data):
    """Put many cards before an END."""
    count = rng.choice((36, 100, 1_000, 5_000, 17_500, 20_000))
    kind = rng.randrange(5)
    if kind == 0:
        cards = b"".join(b"K%07d= %70d" % (number, number) for number in range(count))
    elif kind == 1:
        more = b"CONTINUE  '".ljust(CARD - 2, b"9") + b"&'"
        cards = card_of(rng.choice((*FACTS, "DATASUM")), "'9&'") + more * (count - 2)
        cards += b"CONTINUE  '9'".ljust(CARD)
    elif kind == 2:
        cards = b"HIERARCH a b = 'it''s' / x".ljust(CARD) * count
    elif kind == 3:
        cards = b"".join(b"%-8s= '%-66d'" % (b"IMCOM%03d" % (n % 1000), n) for n in range(count))
    else:
        cards = rng.choice((b"COMMENT x", b"", b"SIMPLE  = F", b"END x")).ljust(CARD) * count
    _, end = rng.choice(header_spans(data))
    more = -(-len(cards) // BLOCK) * BLOCK
    data[end:end] = cards.ljust(more)
    return data


def bits_flipped(rng, data):
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def bits_flipped_in_a_header(rng, data):
    for _ in range(rng.choice((1, 2, 8))):
        at = min(a_card(rng, data) + rng.randrange(CARD), len(data) - 1)
        data[at] ^= 1 << rng.randrange(7)
    return data


def bytes_overwritten(rng, data):
    at, count = rng.randrange(len(data)), rng.choice((1, 8, CARD, BLOCK))
    data[at : at + count] = rng.choice((rng.randbytes(count), bytes(count), b" " * count))
    return data


def cut(rng, data):
    """Cut it off anywhere, or where a block or a header ends."""
    _, end = rng.choice(header_spans(data))
    blocks = rng.randrange(len(data) // BLOCK + 1) * BLOCK
    del data[rng.choice((rng.randrange(len(data) + 1), blocks, end, end + CARD, 10, BLOCK)) :]
    return data


def gone_on(rng, data):
    """Let more follow its end."""
    size = rng.choice((1, CARD, BLOCK, 100_000, (1 << 20) + 1))
    more = rng.choice((bytes(size), b" " * size, rng.randbytes(size), b"<html>login</html>"))
    return data + more


def slice_gone(rng, data):
    at = rng.randrange(len(data))
    del data[at : at + rng.choice((1, 79, CARD, 512, BLOCK, 2 * BLOCK))]
    return data


def slice_twice(rng, data):
    at, count = rng.randrange(len(data)), rng.choice((1, CARD, BLOCK))
    data[at:at] = data[at : at + count]
    return data


def block_moved(rng, data):
    count = max(len(data) // BLOCK, 1)
    one, other = rng.randrange(count) * BLOCK, rng.randrange(count) * BLOCK
    block = data[one : one + BLOCK]
    data[one : one + BLOCK] = data[other : other + BLOCK]
    data[other : other + BLOCK] = block
    return data


def hdus_without_end(rng, data):
    """Append very many HDUs, or headers with very many cards between them."""
    image = b"".join(
        card_of(*card)
        for card in (
            ("XTENSION", "'IMAGE   '"),
            ("BITPIX", f"{8:>20}"),
            ("NAXIS", f"{0:>20}"),
            ("PCOUNT", f"{0:>20}"),
            ("GCOUNT", f"{1:>20}"),
            ("DATASUM", "'0       '"),
        )
    )
    padding = b"".join(b"K%07d= %70d" % (n, n) for n in range(rng.choice((0, 0, 100, 1000))))
    hdu = image + padding + b"END".ljust(CARD)
    hdu = hdu.ljust(-(-len(hdu) // BLOCK) * BLOCK)
    return data + hdu * rng.choice((10, 100, 500, 1000))


COMMON = (
    *(insane_structure, insane_structure, insane_structure, hostile_fact, hostile_fact),
    *(no_value, odd_keyword, odd_bytes_in_a_card, card_twice, card_gone, card_slipped),
    *(end_twice, end_gone, end_with_more, bits_flipped, bits_flipped_in_a_header),
    *(bytes_overwritten, cut, gone_on, slice_gone, slice_twice, block_moved),
)
RARE = (flood, hdus_without_end)
"""Those that make a file many times as long."""
