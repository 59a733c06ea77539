"""Files that appear whole or not at all."""

import errno
import os
import pickle
import threading
from pathlib import Path

import pytest

from calrecords.errors import FileStoreRefusedError, FileStoreUnavailableError
from calrecords.filestore.part_files import (
    PartFile,
    as_store_error,
    make_directories,
    remove_empty_directories,
    remove_strays,
    store_errors,
)


def test_a_part_file_is_gone_unless_it_was_moved(tmp_path, files_below):
    with PartFile(tmp_path / "a" / "b", "stem") as part:
        part.write(b"abc")
        (name,) = files_below(tmp_path)
        assert name.startswith("a/b/stem.")
        assert name.endswith(".part")
    assert files_below(tmp_path) == []


def test_a_moved_file_is_whole_and_may_not_be_written_by_its_users(tmp_path, files_below):
    target = tmp_path / "a" / "done"
    with PartFile(target.parent, "stem") as part:
        part.write(b"abc")
        part.write(b"def")
        part.move_to(target)
    assert files_below(tmp_path) == ["a/done"]
    assert target.read_bytes() == b"abcdef"
    assert target.stat().st_mode & 0o222 == 0


def test_a_live_part_file_is_no_stray(tmp_path, files_below):
    with PartFile(tmp_path, "stem") as part:
        part.write(b"abc")
        remove_strays(tmp_path)
        assert len(files_below(tmp_path)) == 1


def test_what_nobody_holds_is_a_stray(tmp_path, files_below):
    for name in ("stem.0.part", "stem.0.link", "f" * 64):
        (tmp_path / name).write_bytes(b"half")
    remove_strays(tmp_path)
    remove_strays(tmp_path / "never")
    assert files_below(tmp_path) == ["f" * 64]


def test_a_stray_may_be_a_trap_and_is_not_followed(tmp_path, files_below):
    (tmp_path / "folder.part").mkdir()
    (tmp_path / "loop.part").symlink_to(tmp_path / "loop.part")
    precious = tmp_path / "precious"
    precious.write_bytes(b"abc")
    (tmp_path / "away.part").symlink_to(precious)
    os.mkfifo(tmp_path / "pipe.part")
    remove_strays(tmp_path)
    assert files_below(tmp_path) == ["away.part", "loop.part", "precious"]
    assert precious.read_bytes() == b"abc"


def test_another_writer_of_the_same_content_may_finish_first(tmp_path, files_below):
    target = tmp_path / "done"
    with PartFile(tmp_path, "stem") as part:
        part.write(b"abc")
        target.write_bytes(b"abc")
        next(tmp_path.glob("*.part")).unlink()
        part.move_to(target)
    assert files_below(tmp_path) == ["done"]


@pytest.mark.parametrize("other", [None, b"shorter than abcdef"])
def test_a_part_file_lost_to_nobody_is_an_error_worth_trying_again(tmp_path, other):
    target = tmp_path / "done"
    with PartFile(tmp_path, "stem") as part:
        part.write(b"abcdef")
        if other is not None:
            target.write_bytes(other)
        next(tmp_path.glob("*.part")).unlink()
        with pytest.raises(FileStoreUnavailableError, match="lost"):
            part.move_to(target)


def test_writers_outlive_those_who_tidy_up(tmp_path):
    folder = tmp_path / "a" / "b"
    stop = threading.Event()

    def tidy():
        while not stop.is_set():
            remove_strays(folder)
            remove_empty_directories(folder, below=tmp_path)
            stop.wait(0.001)

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        for number in range(200):
            with PartFile(folder, "stem") as part:
                part.write(b"abc")
                part.move_to(folder / str(number))
            (folder / str(number)).unlink()
    finally:
        stop.set()
        thread.join()


def test_removes_only_empty_folders_and_stops_where_told(tmp_path):
    make_directories(tmp_path / "own" / "a" / "b")
    make_directories(tmp_path / "own" / "c")
    remove_empty_directories(tmp_path / "own" / "a" / "b", below=tmp_path / "own")
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["c"]
    remove_empty_directories(tmp_path / "own" / "c", below=tmp_path / "own")
    assert (tmp_path / "own").is_dir()
    remove_empty_directories(tmp_path / "own", below=tmp_path / "elsewhere")
    assert (tmp_path / "own").is_dir()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, FileStoreUnavailableError),
        (errno.EDQUOT, FileStoreUnavailableError),
        (errno.EIO, FileStoreUnavailableError),
        (errno.ESTALE, FileStoreUnavailableError),
        (errno.EMFILE, FileStoreUnavailableError),
        (errno.EACCES, FileStoreRefusedError),
        (errno.EPERM, FileStoreRefusedError),
        (errno.EROFS, FileStoreRefusedError),
        (errno.ENOTDIR, FileStoreRefusedError),
        (errno.ELOOP, FileStoreRefusedError),
        (errno.EFBIG, FileStoreRefusedError),
    ],
)
def test_each_error_of_the_system_becomes_one_of_ours(tmp_path, number, kind):
    error = as_store_error(OSError(number, os.strerror(number)), "write", tmp_path)
    assert type(error) is kind
    assert str(error).startswith(f"the file store cannot write {tmp_path}: {os.strerror(number)}; ")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_our_own_errors_pass_though_some_are_errors_of_the_system_too(tmp_path):
    ours = FileStoreRefusedError("ours")
    with pytest.raises(FileStoreRefusedError) as caught, store_errors("write", tmp_path):
        raise ours
    assert caught.value is ours


@pytest.fixture
def synced(monkeypatch, tmp_path):
    """Return the list of what is made durable, as it happens: paths, and whether it was renamed."""
    done, sync = [], os.fsync

    def noted(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        renamed = (tmp_path / "a/b/whole").exists()
        done.append(
            (".part" if path.suffix == ".part" else str(path.relative_to(tmp_path)), renamed)
        )
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return done


def test_bytes_and_folders_are_durable_before_the_name_is(tmp_path, synced):
    with PartFile(tmp_path / "a/b", "x") as part:
        part.write(b"all of it")
        part.move_to(tmp_path / "a/b/whole")
    assert synced == [(".part", False), (".", False), ("a", False), ("a/b", True)]


def test_new_folders_are_not_left_to_the_end_of_a_long_file(tmp_path, synced):
    with PartFile(tmp_path / "a/b", "x") as part:
        part.write(b"one")
        assert synced == []
        part.write(b"two")
        assert synced == [(".", False), ("a", False)]
        part.move_to(tmp_path / "a/b/whole")
    assert synced == [(".", False), ("a", False), (".part", False), ("a/b", True)]


def test_new_folders_are_durable_though_no_file_was_kept(tmp_path, synced):
    with PartFile(tmp_path / "a/b", "x"):
        pass
    assert synced == [(".", False), ("a", False)]
    with pytest.raises(ZeroDivisionError), PartFile(tmp_path / "c", "x"):
        1 / 0  # noqa: B018
    assert synced[2:] == [(".", False)]
