import errno
import io
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from calrecords.errors import (
    ChecksumMismatchError,
    ConfigurationError,
    FileStoreUnavailableError,
    RecordNotFoundError,
    UnsafeKeyError,
)
from calrecords.frames import CalibrationFrame, FrameVersion, digest_stream
from calrecords.vocabulary import Verdict
from calrecords.workflows.cache import FileCache
from calrecords.workflows.cache_files import mark_used
from calrecords.workflows.cache_locks import is_locked, only_one

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


def make_pipe(path):
    os.mkfifo(path)


def make_endless(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [make_pipe, make_endless])
def test_a_pipe_or_a_device_in_the_place_of_a_file_is_not_waited_for(make, cache, frame):
    path = cache.add(frame, writes(DATA))
    path.unlink()
    make(path)
    assert cache.get(frame) is None
    assert cache.add(frame, writes(DATA)).read_bytes() == DATA
    path.unlink()
    make(path)
    assert [file.path for file in cache.verify()] == [path]
    assert files_in(cache) == []


def test_a_lock_that_leads_nowhere_is_told(cache, frame):
    path = cache.add(frame, writes(DATA))
    path.unlink()
    path.with_name(f"{path.name}.lock").symlink_to("/nowhere/else")
    with pytest.raises(ConfigurationError, match=r"b\.fits \(CALRECORDS_CACHE_DIR\): No such file"):
        cache.add(frame, writes(DATA))


def test_a_folder_that_cannot_be_looked_into_is_named_with_its_setting(tmp_path):
    (tmp_path / "cache").symlink_to("cache")
    cache = FileCache(tmp_path / "cache")
    for use in (cache.files, cache.verify, cache.shrink):
        with pytest.raises(ConfigurationError, match=r"cannot look into .*CALRECORDS_CACHE_DIR"):
            use()


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


def left_by(process, path):
    """Leave what a process leaves that is killed while it writes a file."""
    part = path.with_name(f"{path.name}.{process.pid}-0123.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(DATA[:10])
    path.with_name(f"{path.name}.lock").touch()
    return part


@pytest.fixture
def ended():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process


def test_to_verify_clears_away_what_killed_processes_left(cache, ended):
    (there, content), (missing, _) = many(2)
    path = cache.add(there, writes(content))
    for one in (there, missing):
        left_by(ended, cache.path_of(one))
    (path.parent / "c.fits.lock").touch()
    with only_one(path.with_name("d.fits"), 0.0):
        held = left_by(ended, path.with_name("d.fits"))
        assert FileCache(cache.folder, read_only=True).verify() == []
        assert len(files_in(cache)) == 8
        assert cache.verify() == []
        assert set(files_in(cache)) == {path, held, path.with_name("d.fits.lock")}
    assert not cache.path_of(missing).parent.exists()
    assert cache.verify() == []
    assert files_in(cache) == [path]


def test_what_another_host_writes_beside_a_file_is_left_alone(cache, frame, ended):
    beside = cache.path_of(frame).with_name("copy.fits")
    with only_one(beside, 0.0):
        part = left_by(ended, beside)  # its process is not seen from here, but holds the lock
        cache.add(frame, writes(DATA))
        assert part.exists()


@pytest.mark.parametrize("letters", [200, 205, 250])
def test_a_name_may_be_as_long_as_a_file_system_allows(letters, cache, frame):
    long = replace(frame, basename="b" * letters)
    path = cache.add(long, writes(DATA))
    assert path.name == "b" * letters + ".fits"
    assert FileCache(cache.folder).get(long) == path
    assert files_in(cache) == [path]


def test_a_frame_without_a_checksum_cannot_be_verified(cache):
    with pytest.raises(RecordNotFoundError, match="without a checksum"):
        cache.get(frame_of(None))


@pytest.mark.parametrize("md5", ["", "abc", "../../victims", "{folder}/victims", "D" * 32])
def test_no_record_leads_out_of_the_cache(md5, cache, tmp_path):
    victim = tmp_path / "victims" / "b.fits"
    victim.parent.mkdir()
    victim.write_bytes(b"precious")
    frame = frame_of(md5.format(folder=tmp_path))
    for use in (cache.get, lambda one: cache.add(one, writes(DATA))):
        with pytest.raises(UnsafeKeyError, match=r"b\.fits"):
            use(frame)
    assert victim.read_bytes() == b"precious"
    assert [path.name for path in victim.parent.iterdir()] == ["b.fits"]


@pytest.mark.parametrize("basename", ["..", "a/b", "../b", "/b", "a\0"])
def test_no_name_leads_out_of_the_cache(basename, cache):
    frame = replace(frame_of("d" * 32), basename=basename)
    bare = replace(frame, version=replace(frame.version, extension=""))
    with pytest.raises(UnsafeKeyError):
        cache.path_of(bare)


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


WRITE_SLOWLY = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_cache import DATA, FileCache, frame_of, writes
from calrecords.frames import digest_stream
import io

digest = digest_stream(io.BytesIO(DATA))
frame = frame_of(digest.md5, digest.sha256, digest.size)
log = Path(sys.argv[3])

def slowly(file):
    log.open("a").write("downloaded\\n")
    print("writing", flush=True)
    time.sleep(float(sys.argv[4]))
    return writes(DATA)(file)

print(FileCache(Path(sys.argv[2])).add(frame, slowly), flush=True)
"""


@pytest.fixture
def other_process(tmp_path):
    """Return a function that starts a process that writes the file slowly."""
    started = []

    def start(seconds):
        here = str(Path(__file__).parent)
        places = [here, str(tmp_path / "cache"), str(tmp_path / "log"), str(seconds)]
        command = [sys.executable, "-c", WRITE_SLOWLY, *places]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def never(_file):
    pytest.fail("downloaded although another process did")


def test_who_waits_for_another_process_gets_its_file_without_a_download(
    cache, frame, other_process, tmp_path
):
    first = other_process(0.5)
    assert first.stdout.readline() == "writing\n"
    path = cache.add(frame, never)
    assert path.read_bytes() == DATA
    assert first.stdout.readline() == f"{path}\n"
    assert (tmp_path / "log").read_text() == "downloaded\n"
    assert files_in(cache) == [path]


def test_a_holder_that_is_killed_lets_go(cache, frame, other_process):
    first = other_process(600)
    assert first.stdout.readline() == "writing\n"
    first.kill()
    first.wait()
    path = cache.add(frame, writes(DATA))
    assert path.read_bytes() == DATA
    assert files_in(cache) == [path]


def test_nobody_waits_for_ever(frame, other_process, tmp_path):
    first = other_process(600)
    assert first.stdout.readline() == "writing\n"
    impatient = FileCache(tmp_path / "cache", lock_timeout_s=0.05)
    with pytest.raises(FileStoreUnavailableError, match="CALRECORDS_CACHE_LOCK_TIMEOUT_S"):
        impatient.add(frame, never)


def test_threads_that_want_one_file_download_it_once(cache, frame):
    downloads = []

    def slowly(file):
        downloads.append(1)
        time.sleep(0.05)
        return writes(DATA)(file)

    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: cache.add(frame, slowly), range(6)))
    assert (len(set(paths)), len(downloads)) == (1, 1)


def test_what_is_asked_for_anew_is_written_anew(cache, frame):
    cache.add(frame, writes(DATA))
    written = []
    cache.add(frame, lambda file: written.append(1) or writes(DATA)(file), anew=True)
    assert written == [1]


def many(count):
    """Return frames of a thousand bytes each, and what they hold."""
    contents = [f"{number:04d}".encode() * 250 for number in range(count)]
    digests = [digest_stream(io.BytesIO(content)) for content in contents]
    return [(frame_of(d.md5, d.sha256, d.size), c) for d, c in zip(digests, contents, strict=True)]


def test_what_was_used_longest_ago_goes_first(tmp_path):
    cache = FileCache(tmp_path / "cache", max_bytes=3000)
    frames = many(5)
    paths = []
    for age, (frame, content) in enumerate(frames[:3]):
        paths.append(cache.add(frame, writes(content)))
        old = 1e9 + age
        os.utime(paths[-1], (old, old))
    assert cache.get(frames[0][0]) == paths[0]
    for frame, content in frames[3:]:
        paths.append(cache.add(frame, writes(content)))
    assert [path.exists() for path in paths] == [True, False, False, True, True]
    assert {file.path for file in cache.files()} == {paths[0], *paths[3:]}
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_dir()] != []


def test_the_file_that_is_returned_stays_however_large_it_is(tmp_path):
    cache = FileCache(tmp_path / "cache", max_bytes=10)
    for frame, content in many(3):
        path = cache.add(frame, writes(content))
        assert path.read_bytes() == content
        assert [file.path for file in cache.files()] == [path]


def test_without_a_size_nothing_goes(cache):
    for frame, content in many(20):
        cache.add(frame, writes(content))
    assert len(cache.files()) == 20


@pytest.fixture
def others(cache):
    """Let another one add and remove a file as fast as it can, and say when that ended."""
    [(frame, content)] = many(1)
    done = threading.Event()

    def add_and_remove():
        other = FileCache(cache.folder)
        while not done.is_set():
            other.add(frame, writes(content))
            other.shrink()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(add_and_remove)
        yield
        done.set()
        working.result()


def test_a_cache_is_listed_and_cleared_while_others_change_it(cache, others):
    for _ in range(300):
        assert len(cache.files()) <= 1
        assert cache.verify() == []


def test_a_file_is_added_while_others_remove_it(cache, others):
    [(frame, content)] = many(1)
    for _ in range(100):
        cache.add(frame, writes(content))


def test_a_cache_that_is_removed_during_a_download_is_made_anew(cache, frame):
    cleared = []

    def write(file):
        if len(cleared) < 2:
            cleared.append(shutil.rmtree(cache.folder))
        return writes(DATA)(file)

    path = cache.add(frame, write)
    assert (path.read_bytes(), files_in(cache), len(cleared)) == (DATA, [path], 2)


def test_a_cache_that_is_removed_again_and_again_is_told(cache, frame):
    def write(file):
        shutil.rmtree(cache.folder)
        return writes(DATA)(file)

    with pytest.raises(ConfigurationError, match=r"cannot write .*: No such file"):
        cache.add(frame, write)
    assert files_in(cache) == []


def test_what_was_removed_was_not_used(cache, frame):
    path = cache.add(frame, writes(DATA))
    assert mark_used(path)
    path.unlink()
    assert not mark_used(path)
    assert cache.get(frame) is None


def test_a_file_that_is_being_written_is_not_let_go_of(cache):
    [(frame, content)] = many(1)
    path = cache.add(frame, writes(content))

    def shrinks(file):
        assert cache.shrink() == []
        return writes(content)(file)

    assert cache.add(frame, shrinks, anew=True) == path
    assert path.exists()
    assert [file.path for file in cache.shrink()] == [path]
    assert cache.files() == []


def test_damaged_files_are_found_and_removed(cache):
    paths = [cache.add(frame, writes(content)) for frame, content in many(3)]
    paths[1].write_bytes(b"damaged")
    assert [file.path for file in cache.verify()] == [paths[1]]
    assert [path.exists() for path in paths] == [True, False, True]
    assert cache.verify() == []


def test_a_cache_that_is_only_read_is_used_and_left_as_it_is(tmp_path):
    writer = FileCache(tmp_path / "cache")
    (there, content), (missing, other), (damaged, third) = many(3)
    path = writer.add(there, writes(content))
    bad = writer.add(damaged, writes(third))
    bad.write_bytes(b"damaged")
    before = {file: file.read_bytes() for file in files_in(writer)}
    reader = FileCache(tmp_path / "cache", read_only=True)
    assert reader.get(there) == path
    assert reader.get(missing) is None
    private = [reader.add(missing, writes(other)), reader.add(damaged, writes(third))]
    assert [one.read_bytes() for one in private] == [other, third]
    assert not any(one.is_relative_to(tmp_path / "cache") for one in private)
    assert [reader.get(missing), reader.get(damaged)] == private
    assert {file: file.read_bytes() for file in files_in(writer)} == before
    for refused in (lambda: reader.evict(there), reader.shrink):
        with pytest.raises(ConfigurationError, match="CALRECORDS_CACHE_READ_ONLY"):
            refused()
    assert [file.path for file in reader.verify()] == [bad]
    assert bad.exists()
    reader.close()
    assert [one.exists() for one in private] == [False, False]
    assert reader.get(missing) is None


READ_ONLY = """
import io, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_cache import DATA, FileCache, frame_of, writes
from calrecords.frames import digest_stream

digest = digest_stream(io.BytesIO(DATA))
if os.geteuid() == 0:
    os.seteuid(65534)
cache = FileCache(Path(sys.argv[2]))
path = cache.add(frame_of(digest.md5), writes(DATA))
assert cache.is_read_only
assert path.read_bytes() == DATA
assert not path.is_relative_to(sys.argv[2]), path
"""


def test_a_folder_that_we_may_not_write_is_noticed():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", READ_ONLY, here, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
        assert list(Path(folder).iterdir()) == []
        Path(folder).chmod(0o755)


def test_a_lock_lasts_as_long_as_its_block_and_leaves_nothing(tmp_path):
    path = tmp_path / "cache" / "b.fits"
    with only_one(path, 0.0):
        assert is_locked(path)
    assert not is_locked(path)
    assert list((tmp_path / "cache").iterdir()) == []
