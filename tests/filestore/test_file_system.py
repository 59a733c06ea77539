"""What only a store in a folder must withstand."""

import io
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreRefusedError,
    StoredFileNotFoundError,
    UnsafeKeyError,
)
from calrecords.filestore import FileSystemStore
from calrecords.frames import StoredFile

KEY = "cpt/kb70/20260101/raw/bias.fits"
FIRST = b"first" * 1000
SECOND = b"second" * 1000


def staged(store, stored):
    return store.root / ".calrecords" / "versions" / stored.key / stored.sha256


def test_a_version_is_kept_aside_until_it_is_published(folder_store, put, files_below):
    stored = put(folder_store, KEY, FIRST)
    aside = f".calrecords/versions/{KEY}/{stored.sha256}"
    assert files_below(folder_store.root) == [aside]

    folder_store.publish(stored)
    assert files_below(folder_store.root) == [aside, KEY]
    assert (folder_store.root / KEY).samefile(folder_store.root / aside)


def test_a_version_that_is_never_published_does_not_replace_good_bytes(folder_store, put):
    folder_store.publish(put(folder_store, KEY, FIRST))
    refused = put(folder_store, KEY, SECOND)
    assert (folder_store.root / KEY).read_bytes() == FIRST
    folder_store.delete(refused)
    assert (folder_store.root / KEY).read_bytes() == FIRST


def test_publishing_again_leaves_no_second_name(folder_store, put, files_below):
    first, second = put(folder_store, KEY, FIRST), put(folder_store, KEY, SECOND)
    for stored in (first, first, second, second, first):
        folder_store.publish(stored)
        assert len(files_below(folder_store.root)) == 3
    assert (folder_store.root / KEY).read_bytes() == FIRST


@pytest.mark.parametrize("was_published", [False, True])
def test_what_a_killed_publisher_left_goes_when_the_version_is_published(
    folder_store, put, files_below, was_published
):
    stored = put(folder_store, KEY, FIRST)
    if was_published:
        folder_store.publish(stored)
    aside = staged(folder_store, stored)
    aside.with_name(f"{stored.sha256}.0123456789abcdef.link").hardlink_to(aside)
    folder_store.publish(stored)
    assert files_below(folder_store.root) == [f".calrecords/versions/{KEY}/{stored.sha256}", KEY]
    assert (folder_store.root / KEY).samefile(aside)


def test_many_publish_one_version_and_leave_no_second_name(folder_store, put, files_below):
    stored, start = put(folder_store, KEY, FIRST), threading.Barrier(8)

    def work():
        start.wait()
        FileSystemStore(folder_store.root).publish(stored)

    for _ in range(20):
        (folder_store.root / KEY).unlink(missing_ok=True)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(files_below(folder_store.root)) == 2


def test_a_reader_only_ever_sees_whole_files(folder_store, put):
    contents = [bytes([65 + n]) * 300_000 for n in range(4)]
    versions = [put(folder_store, KEY, data) for data in contents]
    folder_store.publish(versions[0])
    seen, stop = set(), threading.Event()

    def look():
        while not stop.is_set():
            seen.add((folder_store.root / KEY).read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for stored in versions * 30:
        folder_store.publish(stored)
    stop.set()
    reader.join()
    assert seen <= set(contents)
    assert seen


def test_adopts_what_another_tool_put_there(folder_store, put):
    path = folder_store.root / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(FIRST)
    digest = put.digest_of(FIRST)
    only_md5 = StoredFile(KEY, digest.md5, digest.md5)

    assert folder_store.find(KEY, digest) == StoredFile(
        KEY, digest.md5, digest.md5, digest.sha256, digest.size
    )
    assert folder_store.stat(only_md5) == replace(only_md5, size=digest.size)
    assert folder_store.stat(StoredFile(KEY, digest.md5)) == replace(only_md5, size=digest.size)
    with folder_store.open(only_md5) as source:
        assert source.read() == FIRST
    folder_store.publish(only_md5)
    assert path.read_bytes() == FIRST


def test_what_another_tool_put_there_is_kept_when_it_is_replaced(folder_store, put):
    path = folder_store.root / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(FIRST)
    md5 = put.digest_of(FIRST).md5
    folder_store.publish(put(folder_store, KEY, SECOND))

    assert path.read_bytes() == SECOND
    for older in (StoredFile(KEY, md5, md5), StoredFile(KEY, md5, md5, size=len(FIRST))):
        with folder_store.open(older) as source:
            assert source.read() == FIRST


def test_says_superseded_when_other_bytes_took_the_place(folder_store, put):
    path = folder_store.root / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(SECOND)
    md5 = put.digest_of(FIRST).md5
    for gone in (StoredFile(KEY, md5, md5), StoredFile(KEY, md5, md5, size=len(FIRST))):
        with pytest.raises(StoredFileNotFoundError, match="superseded"):
            folder_store.stat(gone)
        with pytest.raises(StoredFileNotFoundError, match="superseded"):
            folder_store.publish(gone)
        folder_store.delete(gone)
    assert path.read_bytes() == SECOND


def test_a_shortened_version_is_an_error_and_is_stored_anew(folder_store, put):
    stored = put(folder_store, KEY, FIRST)
    staged(folder_store, stored).chmod(0o644)
    os.truncate(staged(folder_store, stored), 10)
    with pytest.raises(ChecksumMismatchError, match="10 bytes"):
        folder_store.stat(stored)
    assert folder_store.find(KEY, put.digest_of(FIRST)) is None
    assert put(folder_store, KEY, FIRST) == stored
    assert staged(folder_store, stored).read_bytes() == FIRST


@pytest.mark.parametrize("step", ["find", "put"])
def test_what_a_killed_put_left_is_cleared_away(folder_store, put, dying_put, files_below, step):
    process = dying_put(folder_store.root, KEY, FIRST)
    (left,) = files_below(folder_store.root)
    assert left.endswith(".part")
    assert folder_store.find(KEY, put.digest_of(FIRST)) is None
    assert files_below(folder_store.root) == [left], "its writer lives"

    process.kill()
    process.wait()
    assert files_below(folder_store.root) == [left]
    if step == "find":
        assert folder_store.find(KEY, put.digest_of(FIRST)) is None
        assert files_below(folder_store.root) == []
    stored = put(folder_store, KEY, FIRST)
    assert files_below(folder_store.root) == [
        str(staged(folder_store, stored).relative_to(folder_store.root))
    ]


def test_a_live_writer_of_the_same_content_is_not_harmed(folder_store, put):
    reached, go_on = threading.Event(), threading.Event()

    class Slow(io.BytesIO):
        def read(self, size=-1):
            chunk = super().read(1000)
            reached.set()
            assert go_on.wait(20)
            return chunk

    results = []
    writer = threading.Thread(
        target=lambda: results.append(folder_store.put(KEY, Slow(FIRST), put.digest_of(FIRST)))
    )
    writer.start()
    assert reached.wait(20)
    quick = put(FileSystemStore(folder_store.root), KEY, FIRST)
    folder_store.publish(quick)
    go_on.set()
    writer.join()
    assert results == [quick]
    assert staged(folder_store, quick).read_bytes() == FIRST
    assert sorted(path.name for path in staged(folder_store, quick).parent.iterdir()) == [
        quick.sha256
    ]


@pytest.mark.parametrize("where", ["cpt", "cpt/kb70/20260101/raw/bias.fits"])
def test_no_symbolic_link_leads_out_of_the_store(folder_store, put, tmp_path, where):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = folder_store.root / where
    link.parent.mkdir(parents=True)
    link.symlink_to(outside if where == "cpt" else outside / "target")
    digest = put.digest_of(FIRST)
    stored = StoredFile(KEY, digest.md5, digest.md5, digest.sha256, digest.size)
    for act in (
        lambda: put(folder_store, KEY, FIRST),
        lambda: folder_store.find(KEY, digest),
        lambda: folder_store.stat(stored),
        lambda: folder_store.publish(stored),
        lambda: folder_store.delete(stored),
    ):
        with pytest.raises(UnsafeKeyError, match="symbolic link"):
            act()
    assert list(outside.iterdir()) == []


def test_no_symbolic_link_leads_to_the_versions_of_others(folder_store, put):
    put(folder_store, KEY, FIRST)
    (folder_store.root / "cpt").symlink_to(folder_store.root / ".calrecords" / "versions" / "cpt")
    with pytest.raises(UnsafeKeyError, match="symbolic link"):
        put(folder_store, KEY, SECOND)


def test_the_root_itself_may_be_a_symbolic_link(tmp_path, put):
    (tmp_path / "real").mkdir()
    (tmp_path / "name").symlink_to(tmp_path / "real")
    store = FileSystemStore(tmp_path / "name")
    stored = put(store, KEY, FIRST)
    store.publish(stored)
    assert (tmp_path / "real" / KEY).read_bytes() == FIRST


@pytest.mark.parametrize("sha256", ["../" * 8 + "etc/passwd", "", "x" * 64, "A" * 64])
def test_a_checksum_that_is_none_leads_nowhere(folder_store, put, sha256):
    put(folder_store, KEY, FIRST)
    with pytest.raises(UnsafeKeyError, match="no sha256"):
        folder_store.stat(StoredFile(KEY, "0" * 32, None, sha256))


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, put):
    (tmp_path / "store").write_bytes(b"a file")
    store = FileSystemStore(tmp_path / "store")
    with pytest.raises(FileStoreRefusedError, match="move it away"):
        store.check()
    with pytest.raises(FileStoreRefusedError, match="move it away"):
        put(store, KEY, FIRST)
    assert (tmp_path / "store").read_bytes() == b"a file"


@pytest.mark.parametrize("in_the_way", ["cpt/kb70", "cpt/kb70/20260101/raw/bias.fits/x"])
def test_something_in_the_way_of_publishing_is_refused(folder_store, put, in_the_way):
    stored = put(folder_store, KEY, FIRST)
    other = folder_store.root / in_the_way
    other.parent.mkdir(parents=True)
    other.write_bytes(b"precious")
    with pytest.raises(FileStoreRefusedError, match="move it away"):
        folder_store.publish(stored)
    assert other.read_bytes() == b"precious"


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_regular_file_is_not_read(folder_store, put, kind):
    path = folder_store.root / KEY
    path.parent.mkdir(parents=True)
    if kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(FileStoreRefusedError, match="no regular file"):
        folder_store.find(KEY, put.digest_of(FIRST))


# Root may write anywhere, so a process without any right tries it.
AS_NOBODY = """
import io, os, sys
from pathlib import Path
from calrecords.errors import FileStoreRefusedError
from calrecords.filestore import FileSystemStore
from calrecords.frames import digest_stream
root, key = Path(sys.argv[1]), sys.argv[2]
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = FileSystemStore(root)
old, new = digest_stream(io.BytesIO(b"first")), digest_stream(io.BytesIO(b"new"))
stored = store.find(key, old)
with store.open(stored) as source:
    assert source.read() == b"first"
for act in (
    store.check,
    lambda: store.put(key, io.BytesIO(b"new"), new),
    lambda: store.put("new/key", io.BytesIO(b"new"), new),
    lambda: store.publish(stored),
    lambda: store.delete(stored),
):
    try:
        act()
    except FileStoreRefusedError as error:
        assert "give this user the right" in str(error), error
    else:
        sys.exit("not refused")
print("refused")
"""


def test_a_store_that_may_only_be_read_refuses_to_write_and_keeps_nothing(put, files_below):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        put(FileSystemStore(root), KEY, b"first")
        (root / ".calrecords" / "versions" / KEY / "stray.0.part").write_bytes(b"half")
        before = files_below(root)
        folders = [Path(folder), root, *(path for path in root.rglob("*") if path.is_dir())]
        for path in folders:
            path.chmod(0o555)
        result = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(root), KEY],
            capture_output=True,
            text=True,
            check=False,
        )
        for path in folders:
            path.chmod(0o755)
        assert (result.stdout, result.stderr) == ("refused\n", "")
        assert files_below(root) == before


CLOSED_TO_NOBODY = """
import io, os, sys
from pathlib import Path
from calrecords.errors import FileStoreRefusedError
from calrecords.filestore import FileSystemStore
from calrecords.frames import StoredFile, digest_stream
root, key = Path(sys.argv[1]), sys.argv[2]
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
store = FileSystemStore(root)
digest = digest_stream(io.BytesIO(b"first"))
stored = StoredFile(key, digest.md5, digest.md5, digest.sha256, digest.size)
for act in (
    lambda: store.find(key, digest),
    lambda: store.put(key, io.BytesIO(b"first"), digest),
    lambda: store.put_anew(stored, io.BytesIO(b"first"), digest),
    lambda: store.publish(stored),
    lambda: store.is_published(stored),
    lambda: store.stat(stored),
    lambda: store.copy_to(stored, io.BytesIO()),
    lambda: store.delete(stored),
):
    try:
        act()
    except FileStoreRefusedError as error:
        assert "Permission denied; give this user the right to it" in str(error), error
    else:
        sys.exit("not refused")
print("refused")
"""


@pytest.mark.parametrize("closed", [".calrecords/versions/cpt", "cpt"])
def test_a_folder_that_we_may_not_enter_is_refused(put, closed):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        store = FileSystemStore(root)
        store.publish(put(store, KEY, b"first"))
        Path(folder).chmod(0o755)
        (root / closed).chmod(0)
        command = [sys.executable, "-c", CLOSED_TO_NOBODY, str(root), KEY]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        (root / closed).chmod(0o755)
        assert (result.stdout, result.stderr) == ("refused\n", "")


# A limit on the length of files stands in for a disk that fills up in the middle of one.
LIMITED = """
import io, resource, sys
from pathlib import Path
from calrecords.errors import FileStoreRefusedError
from calrecords.filestore import FileSystemStore
from calrecords.frames import digest_stream
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
data = bytes(3_000_000)
try:
    FileSystemStore(Path(sys.argv[1])).put("a/b", io.BytesIO(data), digest_stream(io.BytesIO(data)))
except FileStoreRefusedError as error:
    print(type(error).__name__)
"""


def test_a_write_that_fails_in_the_middle_leaves_nothing(tmp_path, files_below):
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "FileStoreRefusedError\n"
    assert files_below(tmp_path) == []


def test_a_put_that_fails_leaves_no_folder(folder_store, put):
    with pytest.raises(ChecksumMismatchError):
        folder_store.put(KEY, io.BytesIO(FIRST), put.digest_of(SECOND))
    assert list(folder_store.root.iterdir()) == []


def test_a_url_is_the_key_below_the_base(tmp_path):
    stored = StoredFile("a/b+c.fits", "0" * 32)
    for base in ("http://files.example/data", "http://files.example/data/"):
        store = FileSystemStore(tmp_path, base_url=base)
        assert store.url(stored) == "http://files.example/data/a/b%2Bc.fits"
    with pytest.raises(ConfigurationError, match="FILESYSTEM_STORAGE_BASE_URL"):
        FileSystemStore(tmp_path).url(stored)


def test_making_a_store_touches_nothing(tmp_path):
    store = FileSystemStore(tmp_path / "store")
    assert not store.root.exists()
    store.check()
    assert store.root.is_dir()
    assert repr(store) == f"FileSystemStore({str(tmp_path / 'store')!r})"
