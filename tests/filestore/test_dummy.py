"""A store that keeps nothing says so, and lies about nothing."""

import io
import logging

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.filestore import DummyStore


def test_warns_when_it_is_made(caplog):
    with caplog.at_level(logging.WARNING):
        DummyStore()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("calrecords.filestore.dummy", "WARNING")
    assert "every file put into it is lost" in record.getMessage()


def test_takes_bytes_and_has_them_no_more(put):
    store = DummyStore()
    store.check(for_archive=True)
    stored = put(store, "a/b", b"abc")
    assert (stored.version_key, stored.size) == (put.digest_of(b"abc").md5, 3)
    store.publish(stored)
    store.delete(stored)
    assert store.find("a/b", put.digest_of(b"abc")) is None
    for act in (lambda: store.stat(stored), lambda: store.open(stored)):
        with pytest.raises(StoredFileNotFoundError, match="threw a/b away"):
            act()
    with pytest.raises(ConfigurationError, match="no URLs"):
        store.url(stored)
    store.close()
    assert repr(store) == "DummyStore()"


def test_is_as_strict_as_the_others(put):
    with pytest.raises(UnsafeKeyError):
        put(DummyStore(), "../x", b"abc")
    with pytest.raises(ChecksumMismatchError):
        DummyStore().put("a/b", io.BytesIO(b"abc"), put.digest_of(b"other"))
