"""A path that fetch returns holds the recorded bytes, whatever happened on the way to it."""

import subprocess
import sys

import pytest

from calrecords.archive import ArchiveClient
from calrecords.archive.policy import default_retrying
from calrecords.errors import (
    ArchiveUnavailableError,
    CalRecordsError,
    ChecksumMismatchError,
    ConfigurationError,
    StoredFileNotFoundError,
)

pytestmark = pytest.mark.parametrize("world", ["file system"], indirect=True)

ONCE = 99
"""How often a fault hits: at every attempt of one call."""


@pytest.fixture
def away(world, make_frame, tmp_path):
    """Return records with a frame that only the archive has, and its file."""
    path = make_frame()
    policy = default_retrying().copy(sleep=lambda _seconds: None)
    with (
        ArchiveClient(world.archive.root, world.archive.token, retrying=policy) as client,
        world.connect(archive=client) as cal,
    ):
        cal.ingest(path, is_master=True)
        with world.connect(
            archive=client, db=tmp_path / "away.sqlite", store=tmp_path / "none"
        ) as elsewhere:
            elsewhere.adopt(1)
            yield elsewhere, path


def cached(cal):
    return [path for path in cal.cache.folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500", ArchiveUnavailableError),
        ("truncated", (ArchiveUnavailableError, ChecksumMismatchError)),
        ("unannounced-end", (ArchiveUnavailableError, ChecksumMismatchError)),
        ("corrupted", ChecksumMismatchError),
        ("login-page", CalRecordsError),
        ("reset", ArchiveUnavailableError),
    ],
)
def test_a_download_that_fails_is_an_error_and_the_next_call_is_well(kind, error, away, world):
    cal, path = away
    world.archive.faults.add(kind, method="GET", path="/files/*", times=ONCE)
    with pytest.raises(error):
        cal.fetch(1)
    assert cached(cal) == []
    with pytest.raises(error):
        cal.fetch(1)
    assert cached(cal) == []
    world.archive.faults.clear()
    found = cal.fetch(1)
    assert found.read_bytes() == path.read_bytes()
    world.archive.clear_requests()
    assert cal.fetch(1) == found
    assert world.archive.requests == []


def test_a_file_that_is_damaged_on_disk_is_downloaded_again(away, world):
    cal, path = away
    found = cal.fetch(1)
    found.write_bytes(path.read_bytes()[:-1] + b"x")
    world.archive.clear_requests()
    assert cal.fetch(1).read_bytes() == path.read_bytes()
    assert len(world.archive.requests) == 2


FETCH = """
import sys, calrecords
db, archive, store, cache = sys.argv[1:5]
with calrecords.connect(db=db, archive=archive, store=store, cache=cache) as cal:
    path = cal.fetch(1)
    print(len(path.read_bytes()), flush=True)
"""


def test_processes_that_want_the_same_file_cause_one_download(away, world, tmp_path):
    cal, path = away
    places = [tmp_path / "away.sqlite", world.archive.root, tmp_path / "none", cal.cache.folder]
    world.archive.clear_requests()
    world.archive.faults.add("delay", method="GET", path="/files/*", seconds=0.5)
    command = [sys.executable, "-c", FETCH, *map(str, places)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert printed == [f"{path.stat().st_size}\n"] * 3
    downloads = [one for _, one in world.archive.requests if one.startswith("/files/")]
    assert len(downloads) == 1


@pytest.fixture
def two_versions(world, make_frame):
    """Return records with two versions of one frame, and their files."""
    older, newer = make_frame("one", seed=1), make_frame("two", seed=2)
    with world.connect() as cal:
        first = cal.ingest(older, is_master=True).frame
        cal.ingest(newer, is_master=True)
        yield cal, first, older, newer


def lose(world, frame):
    """Take a version out of the store; the archive's URL leads to the newest one only."""
    versions = world.folder / "store" / ".calrecords" / "versions"
    (versions / frame.version.key / frame.version.sha256).unlink()


def test_a_store_that_has_the_version_is_asked_and_the_archive_is_not(two_versions, world):
    cal, first, older, _ = two_versions
    world.archive.clear_requests()
    assert cal.fetch(first).read_bytes() == older.read_bytes()
    assert world.archive.requests == []


def test_a_version_that_is_nowhere_any_more_is_an_error_that_says_what_was_tried(
    two_versions, world
):
    cal, first, _, _ = two_versions
    lose(world, first)
    with pytest.raises(CalRecordsError) as raised:
        cal.fetch(first)
    assert isinstance(raised.value, StoredFileNotFoundError | ChecksumMismatchError)
    said = str(raised.value)
    assert first.filename in said
    assert "the file store: " in said
    assert "the archive: " in said


def test_a_newer_version_is_returned_only_when_that_is_asked_for_and_is_said(
    two_versions, world, caplog
):
    cal, first, _, newer = two_versions
    lose(world, first)
    found = cal.fetch(first, alternatives=True)
    assert found.read_bytes() == newer.read_bytes()
    [warning] = [r.getMessage() for r in caplog.records if "in its place" in r.getMessage()]
    current = cal.get(basename=first.basename)
    assert first.version.md5 in warning
    assert current.version.md5 in warning


def test_no_newer_version_stands_in_for_a_service_that_is_away(two_versions, world):
    cal, first, _, _ = two_versions
    lose(world, first)
    world.archive.faults.add("403", path="/frames/*", times=ONCE)
    with pytest.raises(CalRecordsError, match=r"the file store: .*the archive: .*403"):
        cal.fetch(first, alternatives=True)


def test_an_older_version_never_stands_in_for_a_newer_one(two_versions, world):
    cal, first, _, _ = two_versions
    newest = cal.get(basename=first.basename)
    lose(world, newest)
    (world.folder / "store" / newest.version.key).unlink()
    with pytest.raises(CalRecordsError):
        cal.fetch(newest, alternatives=True)


def test_the_same_bytes_under_another_recorded_name_are_found(world, make_frame, tmp_path):
    path = make_frame(obstype="BPM", basename="mask")
    copied = path.with_name("copied.fits")
    copied.write_bytes(path.read_bytes())
    with world.connect() as cal:
        first, second = cal.register(path).frame, cal.register(copied).frame
        lose(world, first)
        (world.folder / "store" / first.version.key).unlink()
        found = cal.fetch(first)
        assert (found.name, found.read_bytes()) == ("mask.fits", path.read_bytes())
        lose(world, second)
        (world.folder / "store" / second.version.key).unlink()
        found.unlink()
        with pytest.raises(StoredFileNotFoundError, match="as copied"):
            cal.fetch(first)


def test_offline_the_cache_and_a_store_in_a_folder_are_used_and_nothing_else(
    two_versions, world, tmp_path, make_frame
):
    _, first, older, _ = two_versions
    world.archive.clear_requests()
    with world.connect(offline=True) as cal:
        assert cal.fetch(first).read_bytes() == older.read_bytes()
        lose(world, first)
        assert cal.fetch(first).read_bytes() == older.read_bytes()
        mask = make_frame(obstype="BPM")
        assert cal.fetch(cal.register(mask, is_master=True)).read_bytes() == mask.read_bytes()
        new = make_frame(basename="new", seed=3)
        for ask in (
            lambda: cal.lookup(1),
            lambda: cal.adopt(1),
            lambda: cal.ingest(new, is_master=True),
            lambda: cal.fetch(first, source="archive"),
        ):
            with pytest.raises(ConfigurationError, match="CALRECORDS_OFFLINE"):
                ask()
        cal.fetch(first).unlink()
        with pytest.raises(StoredFileNotFoundError, match="CALRECORDS_OFFLINE"):
            cal.fetch(first)
    assert world.archive.requests == []


def test_offline_a_store_elsewhere_is_not_asked(two_versions, world, tmp_path, monkeypatch):
    _, first, _, _ = two_versions
    monkeypatch.setenv("CALRECORDS_OFFLINE", "yes")
    places = {"store": "s3://frames", "cache": tmp_path / "empty"}
    with world.connect(**places) as cal:
        for ask in (
            lambda: cal.fetch(first),
            lambda: cal.fetch(first, source="store"),
            lambda: cal.store.check(),
            lambda: cal.store.url(first.version.stored()),
        ):
            with pytest.raises(ConfigurationError, match="CALRECORDS_OFFLINE"):
                ask()


def test_a_read_only_cache_gives_what_it_has_and_fetches_the_rest_aside(
    two_versions, world, monkeypatch
):
    cal, first, older, newer = two_versions
    there = cal.fetch(first)
    before = cached(cal)
    monkeypatch.setenv("CALRECORDS_CACHE_READ_ONLY", "true")
    with world.connect() as reader:
        assert reader.fetch(first) == there
        aside = reader.fetch(first.basename)
        assert aside.read_bytes() == newer.read_bytes()
    assert not aside.exists()
    assert cached(cal) == before
    assert there.read_bytes() == older.read_bytes()
