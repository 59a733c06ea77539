"""What is checked in the same way for every store."""

import io

import pytest

from calrecords.errors import ChecksumMismatchError
from calrecords.filestore.base import FileStore, check_digest, copy_checked
from calrecords.frames import ContentDigest, StoredFile

DIGEST = ContentDigest("a" * 32, "b" * 64, 3)


@pytest.mark.parametrize(
    "stored",
    [
        StoredFile("a/b", "v"),
        StoredFile("a/b", "v", "a" * 32),
        StoredFile("a/b", "v", None, "b" * 64),
        StoredFile("a/b", "v", "a" * 32, "b" * 64, 3),
    ],
)
def test_bytes_agree_as_far_as_is_known(stored):
    check_digest(stored, DIGEST)


@pytest.mark.parametrize(
    ("stored", "what"),
    [
        (StoredFile("a/b", "v", "c" * 32), "md5"),
        (StoredFile("a/b", "v", "a" * 32, "c" * 64), "sha256"),
        (StoredFile("a/b", "v", "a" * 32, "b" * 64, 0), "size"),
    ],
)
def test_any_difference_is_an_error_that_names_it(stored, what):
    with pytest.raises(ChecksumMismatchError, match=rf"a/b, version v, has {what} "):
        check_digest(stored, DIGEST)


def test_a_copy_is_whole_or_an_error(put):
    data = b"bytes" * 500_000
    source, sink = io.BytesIO(b"skipped" + data), io.BytesIO()
    source.seek(7)
    copy_checked("a/b", source, put.digest_of(data), sink.write)
    assert sink.getvalue() == data
    copy_checked("a/b", io.BytesIO(data), put.digest_of(data))
    for wrong in (b"", data[:-1], data + b"x", b"x" + data[1:]):
        with pytest.raises(ChecksumMismatchError, match=r"given for a/b .* ingest it anew"):
            copy_checked("a/b", io.BytesIO(wrong), put.digest_of(data), sink.write)


def test_a_store_must_keep_the_whole_promise():
    assert sorted(FileStore.__abstractmethods__) == [
        "check",
        "close",
        "delete",
        "find",
        "open",
        "publish",
        "put",
        "stat",
        "url",
    ]
