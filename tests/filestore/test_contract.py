"""What every file store promises, seen from behind its back."""

import io
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.frames import StoredFile

KEY = "cpt/kb70/20260101/raw/bias.fits.fz"
FIRST = b"first" * 30_000
SECOND = b"second" * 30_000
BLOCKS_OF_64_MIB = 64


def read(store, stored):
    with store.open(stored) as source:
        return source.read()


def test_returns_what_was_put(backend, put):
    store = backend.store
    stored = put(store, KEY, FIRST, content_type="image/fits")
    digest = put.digest_of(FIRST)

    expected = StoredFile(KEY, stored.version_key, digest.md5, digest.sha256, digest.size)
    assert stored == expected
    assert 0 < len(stored.version_key) <= 32
    assert (stored.version_key == digest.md5) is not store.keeps_versions
    assert backend.held(KEY) == [FIRST]
    assert read(store, stored) == FIRST
    assert store.stat(stored) == stored
    assert read(backend.another(), stored) == FIRST


@pytest.mark.parametrize("data", [b"", b"x", b"x" * (1 << 20), b"x" * ((1 << 20) + 1)])
def test_keeps_files_of_every_length(backend, put, data):
    stored = put(backend.store, KEY, data)
    assert backend.held(KEY) == [data]
    assert read(backend.store, stored) == data


def test_reads_in_pieces_and_by_copying(store, put):
    stored = put(store, KEY, FIRST)
    with store.open(stored) as source:
        assert source.read(3) == FIRST[:3]
        assert source.read() == FIRST[3:]
        assert source.read() == b""
    sink = io.BytesIO()
    assert store.copy_to(stored, sink) == put.digest_of(FIRST)
    assert sink.getvalue() == FIRST


def test_opens_exactly_the_version_that_was_asked_for(backend, put):
    store = backend.store
    first = put(store, KEY, FIRST)
    store.publish(first)
    second = put(store, KEY, SECOND)
    store.publish(second)

    assert first.version_key != second.version_key
    assert backend.held(KEY) == [FIRST, SECOND]
    assert backend.seen_by_readers(KEY) == SECOND
    assert [read(store, first), read(store, second)] == [FIRST, SECOND]


def test_the_same_bytes_again_are_not_written_again(backend, put):
    stored = put(backend.store, KEY, FIRST)
    before = backend.everything()

    assert put(backend.store, KEY, FIRST) == stored
    assert put(backend.another(), KEY, FIRST) == stored
    assert backend.everything() == before


def test_starts_to_read_where_the_source_stands(backend, put):
    source = io.BytesIO(b"skipped" + FIRST)
    source.seek(7)
    stored = backend.store.put(KEY, source, put.digest_of(FIRST))
    assert read(backend.store, stored) == FIRST


class Pipe(io.RawIOBase):
    """A stream that can be read once."""

    def __init__(self, data):
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self._data.readinto(buffer)


def test_takes_a_stream_that_cannot_seek(backend, put):
    stored = backend.store.put(KEY, Pipe(FIRST), put.digest_of(FIRST))
    assert backend.held(KEY) == [FIRST]
    assert read(backend.store, stored) == FIRST


@pytest.mark.parametrize("data", [b"", FIRST[:-1], FIRST + b"x", b"x" + FIRST[1:], SECOND])
def test_keeps_nothing_of_bytes_that_are_not_those_announced(backend, put, data):
    backend.store.check()
    before = backend.everything()
    with pytest.raises(ChecksumMismatchError, match="ingest it anew"):
        backend.store.put(KEY, io.BytesIO(data), put.digest_of(FIRST))
    assert backend.everything() == before


def test_a_wrong_digest_does_not_harm_what_is_there(backend, put):
    stored = put(backend.store, KEY, FIRST)
    backend.store.publish(stored)
    before = backend.everything()
    with pytest.raises(ChecksumMismatchError):
        backend.store.put(KEY, io.BytesIO(FIRST), put.digest_of(SECOND))
    assert backend.everything() == before
    assert backend.seen_by_readers(KEY) == FIRST


class BrokenDiskError(OSError):
    """An error of the caller's own file."""


class FailingSource(io.BytesIO):
    def read(self, size=-1):
        if self.tell() > 100_000:
            raise BrokenDiskError(5, "the source's disk is broken")
        return super().read(min(size, 65536) if size >= 0 else 65536)


def test_an_error_of_the_source_passes_unchanged_and_leaves_nothing(backend, put):
    backend.store.check()
    before = backend.everything()
    with pytest.raises(BrokenDiskError, match="the source's disk is broken"):
        backend.store.put(KEY, FailingSource(FIRST), put.digest_of(FIRST))
    assert backend.everything() == before


def test_finds_content_by_digest_in_any_version(backend, put):
    store = backend.store
    assert store.find(KEY, put.digest_of(FIRST)) is None
    first = put(store, KEY, FIRST)
    assert store.find(KEY, put.digest_of(FIRST)) == first
    store.publish(first)
    second = put(store, KEY, SECOND)
    store.publish(second)

    for seen in (store, backend.another()):
        assert seen.find(KEY, put.digest_of(FIRST)) == first
        assert seen.find(KEY, put.digest_of(SECOND)) == second
        assert seen.find(KEY, put.digest_of(b"never put")) is None


def test_does_not_confuse_keys_that_begin_alike(backend, put):
    store = backend.store
    longer = put(store, "a/b.fits.fz", FIRST)
    sideways = put(store, "a/b.fits-c", FIRST)
    assert store.find("a/b.fits", put.digest_of(FIRST)) is None
    assert store.find("a/b", put.digest_of(FIRST)) is None
    mine = put(store, "a/b.fits", FIRST)
    store.delete(mine)
    assert store.find("a/b.fits", put.digest_of(FIRST)) is None
    assert [read(store, longer), read(store, sideways)] == [FIRST, FIRST]


def test_readers_see_what_was_published_last_however_often(backend, put):
    store = backend.store
    first = put(store, KEY, FIRST)
    for _ in range(3):
        store.publish(first)
    assert backend.seen_by_readers(KEY) == FIRST
    before = backend.everything()
    backend.another().publish(first)
    assert backend.everything() == before


def test_deletes_exactly_one_version_and_only_once(backend, put):
    store = backend.store
    first = put(store, KEY, FIRST)
    store.publish(first)
    second = put(store, KEY, SECOND)
    store.publish(second)

    store.delete(first)
    store.delete(first)
    assert backend.held(KEY) == [SECOND]
    assert backend.seen_by_readers(KEY) == SECOND
    with pytest.raises(StoredFileNotFoundError):
        store.stat(first)

    store.delete(second)
    store.delete(second)
    assert backend.held(KEY) == []
    assert backend.seen_by_readers(KEY) is None
    assert store.find(KEY, put.digest_of(SECOND)) is None


def test_says_so_when_a_version_is_not_there(store, put):
    stored = put(store, KEY, FIRST)
    digest = put.digest_of(SECOND)
    other = StoredFile(KEY, "0" * 32, digest.md5, digest.sha256, digest.size)
    elsewhere = replace(stored, key="cpt/never.fits")
    for missing in (other, elsewhere):
        with pytest.raises(StoredFileNotFoundError):
            store.stat(missing)
        with pytest.raises(StoredFileNotFoundError), store.open(missing):
            pass
        with pytest.raises(StoredFileNotFoundError):
            store.copy_to(missing, io.BytesIO())
        store.delete(missing)
    assert read(store, stored) == FIRST


def test_damaged_bytes_are_noticed_when_they_are_copied(backend, put):
    stored = put(backend.store, KEY, FIRST)
    backend.damage(stored)
    with pytest.raises(ChecksumMismatchError):
        backend.store.copy_to(stored, io.BytesIO())


HOSTILE = ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".calrecords/x", "a\0b", "a\nb", "é"]


@pytest.mark.parametrize("key", HOSTILE)
def test_refuses_a_hostile_key_everywhere(backend, put, key):
    store = backend.store
    before = backend.everything()
    stored = StoredFile(key, "0" * 32, "0" * 32, "0" * 64, 1)
    with pytest.raises(UnsafeKeyError):
        put(store, key, FIRST)
    with pytest.raises(UnsafeKeyError):
        store.find(key, put.digest_of(FIRST))
    with pytest.raises(UnsafeKeyError):
        store.stat(stored)
    with pytest.raises(UnsafeKeyError), store.open(stored):
        pass
    with pytest.raises(UnsafeKeyError):
        store.delete(stored)
    with pytest.raises(UnsafeKeyError):
        store.publish(stored)
    with pytest.raises(UnsafeKeyError):
        store.url(stored)
    assert backend.everything() == before


def test_many_may_put_the_same_content_at_once(backend, put):
    start = threading.Barrier(8)

    def work(number):
        store = backend.another() if number % 2 else backend.store
        start.wait()
        stored = put(store, KEY, FIRST)
        store.publish(stored)
        return stored

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))

    assert {read(backend.store, stored) for stored in results} == {FIRST}
    assert backend.seen_by_readers(KEY) == FIRST
    found = backend.store.find(KEY, put.digest_of(FIRST))
    assert found in results
    assert set(backend.held(KEY)) == {FIRST}
    if not backend.store.keeps_versions:
        assert backend.held(KEY) == [FIRST]


def test_many_may_put_different_contents_under_one_key_at_once(backend, put):
    contents = [bytes([65 + number]) * 200_000 for number in range(8)]
    start = threading.Barrier(len(contents))

    def work(data):
        start.wait()
        stored = put(backend.store, KEY, data)
        backend.store.publish(stored)
        return stored

    with ThreadPoolExecutor(len(contents)) as pool:
        results = list(pool.map(work, contents))

    assert [read(backend.store, stored) for stored in results] == contents
    assert backend.held(KEY) == contents
    assert backend.seen_by_readers(KEY) in contents


def test_memory_stays_flat_however_big_the_file_is(distant_store, pattern_source, tmp_path):
    source = pattern_source(BLOCKS_OF_64_MIB)
    digest = source.digest()
    distant_store.check()
    tracemalloc.start()
    try:
        stored = distant_store.put(KEY, source, digest)
        with (tmp_path / "copy").open("wb") as sink:
            assert distant_store.copy_to(stored, sink) == digest
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * (1 << 20)


def test_checks_are_cheap_to_repeat_and_leave_nothing(backend):
    backend.store.check()
    before = backend.everything()
    backend.store.check()
    backend.store.check(for_archive=True)
    backend.store.check(for_archive=True, again=True)
    assert backend.everything() == before


def test_says_what_it_is_without_secrets(store):
    assert store.kind in {"file system", "S3"}
    assert "testing" not in repr(store)
    store.close()
