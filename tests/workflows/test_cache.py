import errno
import os
import subprocess
import sys

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
    RecordNotFoundError,
)
from calrecords.frames import CalibrationFrame, FrameVersion, digest_stream
from calrecords.vocabulary import Verdict
from calrecords.workflows.cache import FileCache

DATA = b"SIMPLE  =                    T" * 1000


@pytest.fixture
def cache(tmp_path):
    return FileCache(tmp_path / "cache")


@pytest.fixture
def frame(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(DATA)
    with source.open("rb") as file:
        digest = digest_stream(file)
    return frame_of(digest.md5, digest.sha256, digest.size)


def frame_of(md5, sha256=None, size=None):
    unknown = dict.fromkeys(CalibrationFrame.__dataclass_fields__)
    version = FrameVersion("key", md5, sha256, size, ".fits", "a/b.fits")
    known = {"basename": "b", "version": version, "verdict": Verdict.UNKNOWN}
    return CalibrationFrame(**{**unknown, **known})


def writes(*chunks):
    def write(file):
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        return digest_stream(file)

    return write


def files_in(cache):
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_what_was_added_is_found(cache, frame):
    assert cache.get(frame) is None
    path = cache.add(frame, writes(DATA))
    assert (path.name, path.read_bytes()) == ("b.fits", DATA)
    assert cache.get(frame) == path
    assert FileCache(cache.folder).get(frame) == path


@pytest.mark.parametrize("data", [DATA[:-1], DATA + b"x", b"", b"x" + DATA[1:]])
def test_other_bytes_are_never_kept(data, cache, frame):
    with pytest.raises(ChecksumMismatchError, match=r"b\.fits"):
        cache.add(frame, writes(data))
    assert files_in(cache) == []
    assert cache.get(frame) is None


def test_a_download_that_breaks_off_leaves_nothing(cache, frame):
    def breaks_off(file):
        file.write(DATA[:100])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.add(frame, breaks_off)
    assert files_in(cache) == []


@pytest.mark.parametrize("fresh", [True, False], ids=["in another process", "in this process"])
def test_a_file_that_was_damaged_on_disk_is_not_handed_out(fresh, cache, frame):
    path = cache.add(frame, writes(DATA))
    damaged = bytearray(DATA)
    damaged[7] ^= 1
    path.write_bytes(damaged)
    looked_in = FileCache(cache.folder) if fresh else cache
    assert looked_in.get(frame) is None
    assert not path.exists()


def test_what_a_killed_process_left_is_cleared_away(cache, frame):
    folder = cache.path_of(frame).parent
    folder.mkdir(parents=True)
    ended = subprocess.Popen([sys.executable, "-c", "pass"])
    ended.wait()
    (folder / f"b.fits.{ended.pid}-0123.part").write_bytes(DATA[:10])
    living = folder / f"b.fits.{os.getpid()}-4567.part"
    living.write_bytes(DATA[:10])
    cache.add(frame, writes(DATA))
    assert sorted(files_in(cache)) == sorted([living, folder / "b.fits"])


def test_a_frame_without_a_checksum_cannot_be_verified(cache):
    with pytest.raises(RecordNotFoundError, match="without a checksum"):
        cache.get(frame_of(None))


def test_a_folder_that_cannot_be_written_is_named_with_its_setting(tmp_path, frame):
    (tmp_path / "file").touch()
    cache = FileCache(tmp_path / "file" / "cache")
    for use in (cache.check, lambda: cache.add(frame, writes(DATA))):
        with pytest.raises(ConfigurationError, match="CALRECORDS_CACHE_DIR"):
            use()


def test_a_cache_that_is_no_folder_is_named_with_its_setting(tmp_path, frame):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="CALRECORDS_CACHE_DIR"):
        FileCache(tmp_path / "file").get(frame)


def test_a_full_disk_is_worth_another_try(cache, frame):
    def full(_file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(FileStoreUnavailableError, match="no room"):
        cache.add(frame, full)
    assert files_in(cache) == []
