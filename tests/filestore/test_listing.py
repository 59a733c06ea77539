"""What is found in a store: every version, whatever a killed upload left, and nothing twice."""

import io
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from calrecords.errors import (
    ConfigurationError,
    FileStoreRefusedError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.filestore import DummyStore, FileSystemStore, Leftover, LeftoverKind, S3Store
from calrecords.frames import StoredFile

KEYS = ["a-b/c.fits", "a/b.fits", "a/b/c.fits", "a/d.fits", "b.fits"]


@pytest.fixture
def filled(backend, put):
    """Return what was put into a store: two versions of one key, one of each of the others."""
    stored = [put(backend.store, key, key.encode() * 300) for key in KEYS]
    stored.append(put(backend.store, KEYS[1], b"newer" * 400))
    for one in stored:
        backend.store.publish(one)
    return stored


def identity(backend, one):
    return (one.key, one.version_key if backend.store.keeps_versions else one.sha256, one.size)


def test_every_version_is_listed_once_with_its_length_and_time(backend, filled):
    listed = list(backend.store.listed())
    assert sorted(identity(backend, one) for one in listed) == sorted(
        identity(backend, one) for one in filled
    )
    now = datetime.now(UTC)
    assert all(timedelta(seconds=-2) < now - one.modified < timedelta(minutes=5) for one in listed)


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "a/b/", "a-b/c.fits", "c"])
def test_a_prefix_is_how_keys_begin(backend, filled, prefix):
    assert sorted({one.key for one in backend.store.listed(prefix)}) == [
        key for key in KEYS if key.startswith(prefix)
    ]


@pytest.mark.parametrize("prefix", ["", "a/"])
def test_a_list_goes_on_behind_any_key(backend, filled, prefix):
    listed = list(backend.store.listed(prefix))
    keys = list(dict.fromkeys(one.key for one in listed))
    for at, key in enumerate(keys):
        rest = [one for one in listed if one.key in keys[at + 1 :]]
        assert list(backend.store.listed(prefix, after=key)) == rest


def test_what_is_listed_is_removed_exactly(backend, filled):
    doomed = next(
        one
        for one in backend.store.listed()
        if identity(backend, one) == identity(backend, filled[1])
    )
    assert backend.store.remove(doomed)
    assert backend.store.remove(doomed)
    with pytest.raises(StoredFileNotFoundError):
        backend.store.stat(filled[1])
    assert doomed not in list(backend.store.listed())
    for kept in (filled[0], *filled[2:]):
        assert backend.store.stat(kept).size == kept.size


def test_what_is_listed_is_read(backend, filled, put):
    for one in backend.store.listed():
        digest = backend.store.digest_of(one)
        assert digest in {put.digest_of(key.encode() * 300) for key in KEYS} | {
            put.digest_of(b"newer" * 400)
        }
        assert digest.size == one.size
        assert one.sha256 in {None, digest.sha256}
    backend.store.remove(one)
    with pytest.raises(StoredFileNotFoundError):
        backend.store.digest_of(one)


def test_an_empty_store_holds_nothing(backend):
    assert list(backend.store.listed()) == []
    assert list(backend.store.leftovers()) == []


def test_good_bytes_take_the_place_of_damaged_ones(backend, put):
    data = b"good" * 20_000
    stored = put(backend.store, KEYS[0], data)
    backend.store.publish(stored)
    backend.damage(stored)
    anew = backend.store.put_anew(stored, io.BytesIO(data), put.digest_of(data))
    sink = io.BytesIO()
    backend.store.copy_to(anew, sink)
    assert sink.getvalue() == backend.seen_by_readers(KEYS[0]) == data
    assert (anew == stored) is not backend.store.keeps_versions
    kept = [b"x" * len(data), data] if backend.store.keeps_versions else [data]
    assert sorted(backend.held(KEYS[0])) == sorted(kept)


def test_a_killed_writers_part_is_found_and_a_living_ones_is_not(folder_store, dying_put):
    writer = dying_put(folder_store.root, KEYS[0], b"half and half")
    assert list(folder_store.leftovers()) == []
    [part] = folder_store.root.rglob("*.part")
    name = part.relative_to(folder_store.root).as_posix()
    living = Leftover(kind=LeftoverKind.PART_FILE, key=KEYS[0], name=name, began=datetime.now(UTC))
    assert not folder_store.discard(living)
    assert part.exists()
    writer.kill()
    writer.wait()
    [found] = folder_store.leftovers("a-b/")
    assert (found.kind, found.key, found.name) == (LeftoverKind.PART_FILE, KEYS[0], name)
    assert datetime.now(UTC) - found.began < timedelta(minutes=5)
    assert list(folder_store.leftovers("b")) == []
    assert folder_store.discard(found)
    assert folder_store.discard(found)
    assert not part.exists()
    assert list(folder_store.root.iterdir()) == []


def test_a_killed_check_and_a_killed_publication_are_found(folder_store, put):
    stored = put(folder_store, KEYS[0], b"data")
    own = folder_store.root / ".calrecords"
    version = own / "versions" / KEYS[0] / stored.sha256
    os.utime(version, (0, 0))
    version.with_name(f"{stored.sha256}.0123.link").hardlink_to(version)
    (own / "check.0123.part").write_bytes(b"calrec")
    found = list(folder_store.leftovers())
    assert [(one.key, one.name.rpartition("/")[2]) for one in found] == [
        ("", "check.0123.part"),
        (KEYS[0], f"{stored.sha256}.0123.link"),
    ]
    assert all(datetime.now(UTC) - one.began < timedelta(minutes=5) for one in found)
    assert all(folder_store.discard(one) for one in found)
    assert list(folder_store.leftovers()) == []
    assert folder_store.stat(stored).size == 4


@pytest.mark.parametrize("name", ["../x.part", "a/b.fits", ".calrecords/../a.part", "/etc/passwd"])
def test_only_a_leftover_is_discarded(folder_store, name):
    forged = Leftover(kind=LeftoverKind.PART_FILE, key="", name=name, began=datetime.now(UTC))
    with pytest.raises(UnsafeKeyError):
        folder_store.discard(forged)


def test_a_file_of_another_tool_is_listed_and_removed_if_it_stays_as_it_was(folder_store, put):
    stored = put(folder_store, KEYS[0], b"ours")
    folder_store.publish(stored)
    published = folder_store.root / KEYS[0]
    published.unlink()
    published.write_bytes(b"of another tool")
    (folder_store.root / ".hidden").write_bytes(b"nobody's")
    listed = list(folder_store.listed())
    assert [(one.key, one.sha256, one.size) for one in listed] == [
        (KEYS[0], stored.sha256, 4),
        (KEYS[0], None, 15),
    ]
    assert not folder_store.is_published(stored)
    published.write_bytes(b"of another tool, changed")
    assert not folder_store.remove(listed[1])
    assert published.read_bytes() == b"of another tool, changed"
    assert folder_store.remove(list(folder_store.listed())[1])
    assert not published.exists()
    assert folder_store.stat(stored).size == 4


def test_a_published_copy_where_there_are_no_links_is_no_file_of_its_own(folder_store, put):
    stored = put(folder_store, KEYS[0], b"ours")
    (folder_store.root / "a-b").mkdir()
    (folder_store.root / KEYS[0]).write_bytes(b"ours")
    assert [one.sha256 for one in folder_store.listed()] == [stored.sha256]
    assert folder_store.is_published(stored)


def test_links_are_not_followed(folder_store, put, tmp_path):
    put(folder_store, KEYS[0], b"ours")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.fits").write_bytes(b"not in the store")
    (folder_store.root / "linked").symlink_to(outside)
    (folder_store.root / "file.fits").symlink_to(outside / "x.fits")
    assert [one.key for one in folder_store.listed()] == [KEYS[0]]


def test_an_unpublished_version_is_told_from_a_published_one(backend, put):
    first, second = (put(backend.store, KEYS[0], data) for data in (b"first", b"other"))
    backend.store.publish(first)
    assert backend.store.is_published(first)
    assert backend.store.is_published(second) is backend.store.keeps_versions


LIST = """
import os, sys
from pathlib import Path
from calrecords.errors import FileStoreRefusedError
from calrecords.filestore import FileSystemStore

if os.geteuid() == 0:
    os.seteuid(65534)
try:
    print(list(FileSystemStore(Path(sys.argv[1])).listed()))
except FileStoreRefusedError as error:
    print("refused", error)
"""


def test_a_folder_that_we_may_not_read_is_an_error_of_ours(folder_store, put):
    put(folder_store, KEYS[0], b"ours")
    closed = folder_store.root / ".calrecords" / "versions" / "a-b"
    closed.chmod(0)
    command = [sys.executable, "-c", LIST, str(folder_store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    closed.chmod(0o755)
    assert done.stdout.startswith("refused the file store cannot list"), done.stdout


def test_uploads_that_were_never_completed_are_found_and_aborted(s3):
    store = S3Store(s3.client(), s3.bucket)
    client = s3.client()
    for key in KEYS[:3]:
        client.create_multipart_upload(Bucket=s3.bucket, Key=key)
    assert [one.key for one in store.leftovers("a/")] == KEYS[1:3]
    found = list(store.leftovers())
    assert [(one.kind, one.key) for one in found] == [(LeftoverKind.UPLOAD, k) for k in KEYS[:3]]
    assert datetime.now(UTC) - found[0].began < timedelta(hours=1)
    assert store.discard(found[0])
    assert store.discard(found[0])
    assert [one.key for one in store.leftovers()] == KEYS[1:3]


def fill(bucket, keys):
    """Put a small object under each key behind the server, which is faster than to ask it."""
    from moto.s3.models import s3_backends

    for account in s3_backends.values():
        for backend in account.values():
            if bucket in backend.buckets:
                for key in keys:
                    backend.put_object(bucket, key, b"x")


def test_a_long_list_of_a_bucket_is_read_page_by_page(s3):
    client = s3.client()
    fill(s3.bucket, ["a/not ours.fits", *(f"a/{number:04d}.fits" for number in range(1203))])
    client.delete_object(Bucket=s3.bucket, Key="a/0007.fits")
    store = S3Store(s3.client(), s3.bucket)
    assert [one.key for one in store.listed()] == [f"a/{n:04d}.fits" for n in range(1203)]
    behind = [one.key for one in store.listed(after="a/1000.fits")]
    assert behind == [f"a/{n:04d}.fits" for n in range(1001, 1203)]


def test_a_bucket_that_we_may_not_list_says_so(liar):
    denied = b"<Error><Code>AccessDenied</Code></Error>"
    liar.answers["versions"] = (403, {}, denied)
    with pytest.raises(FileStoreRefusedError, match="list its versions"):
        list(liar.store().listed())


class UnlistedStore(FileSystemStore):
    """A store of an observatory's own, from before stores were listed."""

    listed = DummyStore.listed
    leftovers = DummyStore.leftovers
    digest_of = DummyStore.digest_of
    remove = DummyStore.remove
    discard = DummyStore.discard


@pytest.mark.parametrize("verb", ["listed", "leftovers", "digest_of", "remove", "discard"])
def test_a_store_that_cannot_be_listed_says_so(tmp_path, verb):
    argument = StoredFile("a", "b")
    with pytest.raises(ConfigurationError, match=r"UnlistedStore .*methods listed, leftovers"):
        getattr(UnlistedStore(tmp_path), verb)(argument)
    with pytest.raises(ConfigurationError, match="keeps nothing"):
        getattr(DummyStore(), verb)(argument)
