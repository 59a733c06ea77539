"""Only regular files are opened, and every failure to read is ours."""

import os
from pathlib import Path

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


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has such a file")
def test_a_disk_that_fails_while_reading_is_ours():
    with (
        open_regular_file(Path("/proc/self/mem")) as file,
        pytest.raises(DataFileNotFoundError, match="cannot read /proc/self/mem"),
    ):
        file.read()


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
