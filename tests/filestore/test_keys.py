"""What may be a key."""

import pytest

from calrecords.errors import UnsafeKeyError
from calrecords.filestore.keys import check_key


@pytest.mark.parametrize(
    "key",
    [
        "bias.fits",
        "cpt/kb70/20260101/raw/cpt1m010-kb70-20260101-0001-b00.fits.fz",
        "HARPS.2020-01-01T00:00:00.000.fits",
        "a/b=c/d@e+f_g,h/-x",
        "a..b/c.",
        "a" * 255,
        "/".join(["a" * 127] * 8),
    ],
)
def test_accepts_what_every_store_can_hold(key):
    assert check_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        ".",
        "..",
        "../a",
        "a/../../b",
        "a/./b",
        ".calrecords/versions/a",
        "a/.hidden",
        "a\\b",
        "a b",
        "a\nb",
        "a\n",
        "a\0b",
        "a/~root",
        "a%2e%2e/b",
        "bi\u0430s.fits",
        "a?versionId=1",
        "a#b",
        "a" * 256,
        "a/" * 600 + "a",
        None,
        b"a",
    ],
)
def test_refuses_what_would_leave_a_store_or_cannot_be_written_safely(key):
    with pytest.raises(UnsafeKeyError):
        check_key(key)


def test_says_which_part_is_at_fault():
    with pytest.raises(UnsafeKeyError, match=r"because of its part '\.\.'"):
        check_key("cpt/../../x")
