"""Only regular files are opened, and every failure to read is ours."""

import os

import pytest

from calrecords.datafiles import open_regular_file
from calrecords.datafiles.regular_files import FileSignature, demand_unchanged
from calrecords.errors import DataFileNotFoundError, InvalidFrameError


def test_reads_what_the_file_holds(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)) * 10_000)
    link = tmp_path / "link"
    link.symlink_to(path)
    with open_regular_file(link) as file:
        assert file.read(10) == bytes(range(10))
        file.seek(0)
        assert file.read() == path.read_bytes()
    assert file.closed


def test_devices_and_pipes_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", os.devnull, "/dev/zero"):
        with pytest.raises(InvalidFrameError, match="not a regular file"):
            open_regular_file(tmp_path / path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_named(tmp_path):
    path = tmp_path / "x"
    path.touch(mode=0)
    with pytest.raises(DataFileNotFoundError, match="Permission denied; check its rights"):
        open_regular_file(path)


def test_a_loop_of_links_is_ours(tmp_path):
    (tmp_path / "x").symlink_to(tmp_path / "x")
    with pytest.raises(DataFileNotFoundError, match="cannot read"):
        open_regular_file(tmp_path / "x")


@pytest.mark.parametrize("size", [-1, 5])
def test_a_disk_that_fails_while_reading_is_ours(tmp_path, size):
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    folder = os.open(tmp_path, os.O_RDONLY)
    with open_regular_file(path) as file:
        os.dup2(folder, file.fileno())  # what cannot be read takes the place of the file
        os.close(folder)
        with pytest.raises(DataFileNotFoundError, match=f"cannot read {path}"):
            file.read(size)


@pytest.mark.parametrize("size", [-1, 1 << 20])
def test_a_file_that_grows_ends_where_it_ended_when_it_was_opened(tmp_path, size):
    path = tmp_path / "x"
    path.write_bytes(b"before" * 100_000)
    with open_regular_file(path) as file, path.open("ab") as other:
        assert file.read(6) == b"before"
        other.write(b"after" * 100_000)
        other.flush()
        assert len(file.read(size)) == 600_000 - 6
        assert file.read(size) == b""


def test_a_write_is_noticed(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"before")
    with open_regular_file(path) as file:
        before = FileSignature.of(file)
        demand_unchanged(path, before, file)
        with path.open("ab") as other:
            other.write(b"after")
        with pytest.raises(DataFileNotFoundError, match="changed while it was read"):
            demand_unchanged(path, before, file)


def test_an_error_of_the_users_own_passes_through(tmp_path):
    path = tmp_path / "x"
    path.touch()

    def fail():
        with open_regular_file(path):
            raise PermissionError(13, "of the store")

    with pytest.raises(PermissionError, match="of the store") as caught:
        fail()
    assert type(caught.value) is PermissionError
